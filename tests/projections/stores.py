"""A store that is followed and signed, kept elsewhere, tampered with in every way, and put right again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.ed25519 import Ed25519Signer, verify
from application.checkpoints import Checkpoint
from application.signed_notes import SignedNote
from projections.checkpointer import Checkpointer
from projections.follower import Follower
from projections.merkle_tree import MerkleLeaves
from projections.store_check import Kept, StoreCheck, Verdict
from tests.postgres import ask, connect

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

    from psycopg import Connection

    from api.bootstrap import Service

KEPT_TABLES = ("merkle_leaves", "merkle_nodes", "checkpoints", "signing_keys")
COLUMNS = "notification_id, originator_id, originator_version, topic, state"


@dataclass(frozen=True)
class Event:
    """A stored event."""

    position: int
    stream_id: UUID
    version: int
    topic: str
    state: bytes


Events = dict[int, Event]
"""By position."""


@dataclass
class Store:
    """A store, and the connections of whoever tampers with it and of whoever checks it."""

    service: Service
    own: Connection[Any]
    auditor: tuple[Connection[Any], Connection[Any]]
    events: Events = field(default_factory=dict)
    versions: dict[UUID, int] = field(default_factory=dict)

    @property
    def trusted(self) -> list[bytes]:
        """The public keys that an auditor knows."""
        return [Ed25519Signer(one).public_key for one in self.service.settings.signing_keys.private]

    def grow(self, chance: random.Random, events: int) -> None:
        """Record so many events: of several streams, at positions with gaps."""
        position = max(self.events, default=0)
        added = []
        for _ in range(events):
            position += chance.choice([1, 1, 1, 2, 3])
            stream_id = UUID(int=chance.randrange(1, 8))
            version = self.versions[stream_id] = self.versions.get(stream_id, 0) + 1
            topic = chance.choice(["SubUserCreated", "SubUserLoggedIn", "SubUserDeleted"])
            added.append(Event(position, stream_id, version, topic, chance.randbytes(chance.randrange(80))))
        self.insert(added)
        self.events.update({one.position: one for one in added})

    def insert(self, events: Iterable[Event]) -> None:
        with self.own.cursor() as cursor, cursor.copy(f"COPY stored_events ({COLUMNS}) FROM STDIN") as copy:
            for one in events:
                copy.write_row((one.position, one.stream_id, one.version, one.topic, one.state))
        self.own.execute(  # as if the positions had been drawn: what the sequence has not come to is not settled
            "SELECT setval('stored_events_notification_id_seq', greatest(max(notification_id), 1)) FROM stored_events"
        )

    def rewrite(self, events: Events) -> None:
        """Have these events stand in the place of all that are there."""
        with self.own.transaction():
            self.own.execute("DELETE FROM stored_events")
            self.insert(events[position] for position in sorted(events))

    def follow(self) -> None:
        """Have the tree take in what it has not yet."""
        follower = Follower(MerkleLeaves(), lambda: self.own, "")
        self.own.execute("INSERT INTO followers (name) VALUES ('merkle-tree') ON CONFLICT DO NOTHING")
        while follower.step(self.own):
            pass

    def sign(self) -> Kept:
        """Sign a checkpoint of all there is, and return it as somebody keeps it elsewhere."""
        self.follow()
        self.service.checkpointer.make_now()
        return self.newest("kept elsewhere")

    def newest(self, name: str) -> Kept:
        newest = self.service.checkpoints.newest()
        assert newest is not None
        return Kept(name, Checkpoint.parse(SignedNote.parse(newest.note).text))

    def check(self, *elsewhere: Kept) -> Verdict:
        """Check it as an auditor does."""
        return StoreCheck(*self.auditor, self.trusted, verify, elsewhere).run()

    def save(self) -> None:
        """Remember what was kept, to put it right later."""
        for table in KEPT_TABLES:
            self.own.execute(f"CREATE TEMP TABLE saved_{table} AS TABLE {table}".encode())

    def put_right(self) -> None:
        """Have everything as it was when it was saved."""
        self.rewrite(self.events)
        with self.own.transaction():
            for table in KEPT_TABLES:
                identity = "OVERRIDING SYSTEM VALUE" if table in {"checkpoints", "signing_keys"} else ""
                self.own.execute(f"TRUNCATE {table}".encode())
                self.own.execute(f"INSERT INTO {table} {identity} TABLE saved_{table}".encode())
            last = max(self.events)
            self.own.execute("UPDATE followers SET position = %s WHERE name = 'merkle-tree'", [last])

    def rebuild_tree(self) -> None:
        """Do as somebody does who has the whole database, and no key: make the tree fit what they wrote."""
        self.own.execute("DELETE FROM merkle_leaves; DELETE FROM merkle_nodes")
        self.own.execute("UPDATE followers SET position = 0 WHERE name = 'merkle-tree'")
        self.follow()

    def sign_anew(self, chance: random.Random) -> None:
        """Do as somebody does who has a key of their own as well: sign everything anew, under the store's name."""
        sizes = [size for (size,) in ask(self.url, "SELECT tree_size FROM checkpoints ORDER BY number")]
        signer = Ed25519Signer(chance.randbytes(32))
        name = ask(self.url, "SELECT split_part(verifier_key, '+', 1) FROM signing_keys")[0][0]
        self.own.execute("DELETE FROM checkpoints; DELETE FROM signing_keys")
        forger = Checkpointer(
            self.service.database, lambda: [signer], verify, self.service.clock, new_name=lambda: name
        )
        forger.make_of(sizes)

    @property
    def url(self) -> str:
        return self.service.settings.database_url or ""


def edit_a_byte(chance: random.Random, events: Events) -> None:
    one = chance.choice([one for one in events.values() if one.state])
    at = chance.randrange(len(one.state))
    state = bytearray(one.state)
    state[at] ^= 1 << chance.randrange(8)
    events[one.position] = replace(one, state=bytes(state))


def edit_the_topic(chance: random.Random, events: Events) -> None:
    one = chance.choice(list(events.values()))
    events[one.position] = replace(one, topic=f"{one.topic}X")


def delete(chance: random.Random, events: Events) -> None:
    for position in chance.sample(sorted(events), chance.choice([1, 1, 2, 5])):
        del events[position]


def insert(chance: random.Random, events: Events) -> None:
    gaps = set(range(1, max(events))) - set(events)
    position = chance.choice(sorted(gaps))
    events[position] = Event(position, UUID(int=chance.getrandbits(128)), 1, "SubUserCreated", b"{}")


def reorder(chance: random.Random, events: Events) -> None:
    one, other = (events[position] for position in chance.sample(sorted(events), 2))
    events[one.position] = replace(other, position=one.position)
    events[other.position] = replace(one, position=other.position)


def truncate(chance: random.Random, events: Events) -> None:
    for position in sorted(events)[-chance.randrange(1, len(events)) :]:
        del events[position]


def swap_accounts(chance: random.Random, events: Events) -> None:
    """Have two accounts' events change hands: all else stays where it is."""
    one = chance.choice(list(events.values()))
    other = chance.choice([other for other in events.values() if other.stream_id != one.stream_id])
    events[one.position] = replace(one, stream_id=other.stream_id, version=other.version)
    events[other.position] = replace(other, stream_id=one.stream_id, version=one.version)


TAMPERINGS = (edit_a_byte, edit_the_topic, delete, insert, reorder, truncate, swap_accounts)


def first_difference(before: Events, after: Events) -> int:
    """Return the first position at which two histories are not the same: the one that has to be named."""
    return min(position for position in before | after if before.get(position) != after.get(position))


def covered(events: Events, kept: Kept) -> Events:
    """Return what a checkpoint has."""
    return {position: one for position, one in events.items() if position <= kept.checkpoint.position}


def connections(url: str) -> Sequence[Connection[Any]]:
    return [connect(url) for _ in range(3)]
