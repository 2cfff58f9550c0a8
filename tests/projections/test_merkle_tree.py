"""The tree that is kept: its roots and proofs are those of all events in the order of their positions."""

from __future__ import annotations

import base64
import random
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.ed25519 import verify
from application.checkpoints import Checkpoint
from application.leaves import encoded, event_hash
from application.merkle import is_consistent, leaf_hash, root_by_inclusion, root_of
from application.signed_notes import SignedNote, VerifierKey
from projections.event_log import events_after
from projections.follower import Follower
from projections.merkle_tree import MerkleLeaves
from projections.proofs import whole_lines
from tests.postgres import ask, connect

if TYPE_CHECKING:
    from api.bootstrap import Service

TREE = "merkle-tree"


def record(service: Service, events: int) -> None:
    """Record so many events, each in a stream of its own, in as few transactions as will do."""
    chance = random.Random(events)
    made = [StoredEvent(uuid4(), 1, "Something", chance.randbytes(chance.randrange(200))) for _ in range(events)]
    service.main_accounts.recorder.insert_events(made)


def follow(service: Service, at_once: int = 500) -> None:
    """Have the tree take in all there is."""
    follower = Follower(MerkleLeaves(), lambda: None, "")  # type: ignore[arg-type,return-value]  # it is led by hand
    with connect(service.settings.database_url or "") as connection:
        connection.execute("INSERT INTO followers (name) VALUES (%s) ON CONFLICT DO NOTHING", [TREE])
        while follower.step(connection, at_once):
            pass


def hashes(service: Service) -> list[bytes]:
    """Return the leaves as they have to be."""
    with connect(service.settings.database_url or "") as connection:
        events = events_after(connection, 0, 10_000)
    return [
        event_hash(one.position, one.stored.originator_id, 1, one.stored.topic, one.stored.state)  # type: ignore[arg-type]
        for one in events
    ]


def leaf_of(line: dict[str, Any]) -> bytes:
    """Return the leaf's hash, as whoever has an export calculates it."""
    state = base64.b64decode(line["state"])
    return event_hash(line["position"], UUID(line["stream_id"]), line["version"], line["topic"], state)


@pytest.fixture(params=[1, 7, 500])
def grown(request: pytest.FixtureRequest, service: Service, database_url: str) -> Service:
    """Give a service whose tree has 300 leaves, taken in so many at a time; positions have gaps."""
    record(service, 150)
    ask(database_url, "SELECT setval('stored_events_notification_id_seq', 1000)")
    record(service, 150)
    follow(service, request.param)
    return service


def test_the_encoding_of_a_leaf_is_what_postgres_copies(service: Service, database_url: str) -> None:
    """A row of its binary COPY, behind the count of fields: whatever is in the topic and the state."""
    stream_id = uuid4()
    ask(
        database_url,
        "INSERT INTO stored_events VALUES (%s, 7, %s, %s, 99)",
        *(stream_id, "Perch\u00e9 no?", b"\x00\xff" * 5000),
    )
    select = (
        "COPY (SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events) TO STDOUT"
    )
    with connect(database_url) as connection, connection.cursor().copy(f"{select} (FORMAT BINARY)".encode()) as copy:
        rows = b"".join(copy)
    signature, count, end = 19, 2, 2
    assert rows[signature + count : -end] == encoded(99, stream_id, 7, "Perch\u00e9 no?", b"\x00\xff" * 5000)


def test_every_root_that_the_tree_had(grown: Service) -> None:
    """However many leaves were taken in at a time."""
    leaves = hashes(grown)
    proofs = grown.proofs
    assert len(leaves) == 300
    for size in range(301):
        path = proofs.consistency(size, 300)
        assert path is not None
        assert is_consistent(size, root_of(leaves[:size]), 300, root_of(leaves), path)
    assert proofs.consistency(300, 301) is None


def test_every_event_is_proven_in_every_tree_that_has_it(grown: Service) -> None:
    """By its position; one that no event has, and one that came later, have no proof."""
    leaves = hashes(grown)
    positions = [
        row[0] for row in ask(grown.settings.database_url or "", "SELECT position FROM merkle_leaves ORDER BY 1")
    ]
    for size in (1, 2, 16, 17, 150, 151, 255, 256, 257, 300):
        found = grown.proofs.of([*positions, 500, 5000], size)
        assert list(found) == positions[:size]
        for position, proof in found.items():
            assert positions[proof.leaf] == position
            assert root_by_inclusion(leaves[proof.leaf], proof.leaf, size, proof.path) == root_of(leaves[:size])


def test_an_export_proves_itself(grown: Service) -> None:
    """Each line by its path to the root that is signed, and all lines together."""
    grown.checkpointer.make_now()
    basis = grown.proofs.basis()
    assert basis is not None
    header: dict[str, Any] = basis.header(account="one")
    note = SignedNote.parse(header["checkpoint"])
    assert note.signed_by([VerifierKey.parse(one) for one in header["keys"]], verify)
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.tree_size, checkpoint.position) == (basis.tree_size, basis.position) == (300, 1150)
    with connect(grown.settings.database_url or "") as connection:
        events = events_after(connection, 0, 500)
    shown = list(grown.proofs.lines(basis, events[5:200:3], lambda one: {"seen": one.position}))
    for line in shown:
        path = [base64.b64decode(one) for one in line["path"]]
        leaf = leaf_of(line)
        assert root_by_inclusion(leaf, line["leaf"], checkpoint.tree_size, path) == checkpoint.root_hash
        assert line["shown"] == {"seen": line["position"]}
    whole = [leaf_of(line) for line in whole_lines(events)]
    assert root_of(whole) == checkpoint.root_hash


def test_nothing_is_proven_before_there_is_a_checkpoint(service: Service) -> None:
    assert service.proofs.basis() is None
    assert leaf_hash(b"") not in hashes(service)
