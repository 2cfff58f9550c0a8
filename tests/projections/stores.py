"""A signed event store for tamper tests: grow it, tamper with it, check it, restore it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.ed25519 import Ed25519Signer, verify
from application.transparency.checkpoint import Checkpoint
from application.transparency.signed_note import SignedNote
from projections.runtime.projection_follower import ProjectionFollower
from projections.transparency.checkpointer import Checkpointer
from projections.transparency.merkle_tree import MerkleLeafProjection
from projections.transparency.store_check import ExternalCheckpoint, StoreCheck, Verdict
from tests.postgres import connect, fetch

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

    from psycopg import Connection

    from api.bootstrap.service import Service

SAVED_TABLES = ("merkle_leaves", "merkle_nodes", "checkpoints", "signing_keys")
COLUMNS = "notification_id, originator_id, originator_version, topic, state"


@dataclass(frozen=True)
class Event:
    """A row of stored_events."""

    position: int
    stream_id: UUID
    version: int
    topic: str
    state: bytes


Events = dict[int, Event]
"""Events by position."""


@dataclass
class Store:
    """An event store, with one connection to write and tamper, and two for the auditor."""

    service: Service
    connection: Connection[Any]
    auditor: tuple[Connection[Any], Connection[Any]]
    events: Events = field(default_factory=dict)
    versions: dict[UUID, int] = field(default_factory=dict)

    @property
    def trusted_keys(self) -> list[bytes]:
        """The public keys that the auditor trusts."""
        return [Ed25519Signer(seed).public_key for seed in self.service.settings.signing_keys.private]

    def grow(self, rng: random.Random, count: int) -> None:
        """Record this many events in several streams, at positions with gaps."""
        position = max(self.events, default=0)
        added = []
        for _ in range(count):
            position += rng.choice([1, 1, 1, 2, 3])
            stream_id = UUID(int=rng.randrange(1, 8))
            version = self.versions[stream_id] = self.versions.get(stream_id, 0) + 1
            topic = rng.choice(["SubUserCreated", "SubUserLoggedIn", "SubUserDeleted"])
            added.append(Event(position, stream_id, version, topic, rng.randbytes(rng.randrange(80))))
        self.insert(added)
        self.events.update({event.position: event for event in added})

    def insert(self, events: Iterable[Event]) -> None:
        with self.connection.cursor() as cursor, cursor.copy(f"COPY stored_events ({COLUMNS}) FROM STDIN") as copy:
            for event in events:
                copy.write_row((event.position, event.stream_id, event.version, event.topic, event.state))
        self.connection.execute(  # positions above the sequence's value do not count as settled
            "SELECT setval('stored_events_notification_id_seq', greatest(max(notification_id), 1)) FROM stored_events"
        )

    def rewrite(self, events: Events) -> None:
        """Replace all stored events with these."""
        with self.connection.transaction():
            self.connection.execute("DELETE FROM stored_events")
            self.insert(events[position] for position in sorted(events))

    def follow(self) -> None:
        """Add all new events to the Merkle tree."""
        follower = ProjectionFollower(MerkleLeafProjection(), lambda: self.connection, "")
        self.connection.execute("INSERT INTO followers (name) VALUES ('merkle-tree') ON CONFLICT DO NOTHING")
        while follower.step(self.connection):
            pass

    def sign(self) -> ExternalCheckpoint:
        """Sign a checkpoint of all events, and return it as an external copy."""
        self.follow()
        self.service.workers.checkpointer.sign_now()
        return self.newest("external copy")

    def newest(self, name: str) -> ExternalCheckpoint:
        """Return the newest checkpoint of the store as an external copy."""
        newest = self.service.queries.checkpoints.newest()
        assert newest is not None
        return ExternalCheckpoint(name, Checkpoint.parse(SignedNote.parse(newest.note).text))

    def check(self, *external: ExternalCheckpoint) -> Verdict:
        """Check the store as an auditor does, against external checkpoints."""
        return StoreCheck(*self.auditor, self.trusted_keys, verify, external).run()

    def save(self) -> None:
        """Save the tree and checkpoint tables for `restore`."""
        for table in SAVED_TABLES:
            self.connection.execute(f"CREATE TEMP TABLE saved_{table} AS TABLE {table}".encode())

    def restore(self) -> None:
        """Restore the events, the tree and the checkpoints as saved."""
        self.rewrite(self.events)
        with self.connection.transaction():
            for table in SAVED_TABLES:
                identity = "OVERRIDING SYSTEM VALUE" if table in {"checkpoints", "signing_keys"} else ""
                self.connection.execute(f"TRUNCATE {table}".encode())
                self.connection.execute(f"INSERT INTO {table} {identity} TABLE saved_{table}".encode())
            last = max(self.events)
            self.connection.execute("UPDATE followers SET position = %s WHERE name = 'merkle-tree'", [last])

    def rebuild_tree(self) -> None:
        """Rebuild the tree over the current events, as an attacker with write access but no signing key would."""
        self.connection.execute("DELETE FROM merkle_leaves; DELETE FROM merkle_nodes")
        self.connection.execute("UPDATE followers SET position = 0 WHERE name = 'merkle-tree'")
        self.follow()

    def forge_signatures(self, rng: random.Random) -> None:
        """Sign all checkpoints with another key under the store's name, as an attacker would."""
        sizes = [size for (size,) in fetch(self.url, "SELECT tree_size FROM checkpoints ORDER BY number")]
        signer = Ed25519Signer(rng.randbytes(32))
        name = fetch(self.url, "SELECT split_part(verifier_key, '+', 1) FROM signing_keys")[0][0]
        self.connection.execute("DELETE FROM checkpoints; DELETE FROM signing_keys")
        forger = Checkpointer(
            self.service.database, lambda: [signer], verify, self.service.clock, new_name=lambda: name
        )
        forger.sign_sizes(sizes)

    @property
    def url(self) -> str:
        return self.service.settings.database_url or ""


def edit_a_byte(rng: random.Random, events: Events) -> None:
    event = rng.choice([event for event in events.values() if event.state])
    index = rng.randrange(len(event.state))
    state = bytearray(event.state)
    state[index] ^= 1 << rng.randrange(8)
    events[event.position] = replace(event, state=bytes(state))


def edit_the_topic(rng: random.Random, events: Events) -> None:
    event = rng.choice(list(events.values()))
    events[event.position] = replace(event, topic=f"{event.topic}X")


def delete(rng: random.Random, events: Events) -> None:
    for position in rng.sample(sorted(events), rng.choice([1, 1, 2, 5])):
        del events[position]


def insert(rng: random.Random, events: Events) -> None:
    gaps = set(range(1, max(events))) - set(events)
    position = rng.choice(sorted(gaps))
    events[position] = Event(position, UUID(int=rng.getrandbits(128)), 1, "SubUserCreated", b"{}")


def reorder(rng: random.Random, events: Events) -> None:
    first, second = (events[position] for position in rng.sample(sorted(events), 2))
    events[first.position] = replace(second, position=first.position)
    events[second.position] = replace(first, position=second.position)


def truncate(rng: random.Random, events: Events) -> None:
    for position in sorted(events)[-rng.randrange(1, len(events)) :]:
        del events[position]


def swap_accounts(rng: random.Random, events: Events) -> None:
    """Swap the streams and versions of two events of different accounts."""
    event = rng.choice(list(events.values()))
    other = rng.choice([other for other in events.values() if other.stream_id != event.stream_id])
    events[event.position] = replace(event, stream_id=other.stream_id, version=other.version)
    events[other.position] = replace(other, stream_id=event.stream_id, version=event.version)


TAMPERINGS = (edit_a_byte, edit_the_topic, delete, insert, reorder, truncate, swap_accounts)


def first_difference(before: Events, after: Events) -> int:
    """Return the first position at which two histories differ, which the check must report."""
    return min(position for position in before | after if before.get(position) != after.get(position))


def events_covered_by(external: ExternalCheckpoint, events: Events) -> Events:
    """Return the events that a checkpoint covers."""
    return {position: event for position, event in events.items() if position <= external.checkpoint.position}


def open_connections(url: str) -> Sequence[Connection[Any]]:
    return [connect(url) for _ in range(3)]
