"""Stored Merkle tree: roots and proofs cover all events in order of position."""

from __future__ import annotations

import base64
import random
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.ed25519 import verify
from adapters.postgres.event_store.settled_reads import events_after
from application.transparency.checkpoint import Checkpoint
from application.transparency.leaf_encoding import encode_leaf, event_hash
from application.transparency.merkle import is_consistent, root_from_inclusion_proof, root_of
from application.transparency.signed_note import SignedNote, VerifierKey
from application.transparency.verifiable_export import ExportSelection
from projections.runtime.projection_follower import ProjectionFollower
from projections.transparency.merkle_tree import MerkleLeafProjection
from projections.transparency.proofs import whole_lines
from tests.postgres import connect, fetch

if TYPE_CHECKING:
    from api.bootstrap.service import Service

TREE = "merkle-tree"


def record(service: Service, count: int) -> None:
    """Record this many events, each in a new stream, in as few transactions as possible."""
    rng = random.Random(count)
    stored_events = [StoredEvent(uuid4(), 1, "Something", rng.randbytes(rng.randrange(200))) for _ in range(count)]
    service.main_accounts.recorder.insert_events(stored_events)


def follow(service: Service, batch_size: int = 500) -> None:
    """Add all events to the tree, in batches of this size."""
    follower = ProjectionFollower(MerkleLeafProjection(), lambda: None, "")  # type: ignore[arg-type,return-value]  # the test passes its own connection
    with connect(service.settings.database_url or "") as connection:
        connection.execute("INSERT INTO followers (name) VALUES (%s) ON CONFLICT DO NOTHING", [TREE])
        while follower.step(connection, batch_size):
            pass


def expected_leaves(service: Service) -> list[bytes]:
    """Return the expected leaf hashes, calculated from the stored events."""
    with connect(service.settings.database_url or "") as connection:
        events = events_after(connection, 0, 10_000)
    return [
        event_hash(event.position, event.stored.originator_id, 1, event.stored.topic, event.stored.state)  # type: ignore[arg-type]
        for event in events
    ]


def leaf_of(line: dict[str, Any]) -> bytes:
    """Return the leaf hash of an export's line, as its verifier calculates it."""
    state = base64.b64decode(line["state"])
    return event_hash(line["position"], UUID(line["stream_id"]), line["version"], line["topic"], state)


@pytest.fixture(params=[1, 7, 500])
def service_with_tree(request: pytest.FixtureRequest, service: Service, database_url: str) -> Service:
    """Return a service whose tree has 300 leaves, added in batches of varying size. Positions have a gap."""
    record(service, 150)
    fetch(database_url, "SELECT setval('stored_events_notification_id_seq', 1000)")
    record(service, 150)
    follow(service, request.param)
    return service


def test_leaf_encoding_equals_a_binary_copy_row(service: Service, database_url: str) -> None:
    """The topic has non-ASCII characters and the state is binary. The leaf has no field count."""
    stream_id = uuid4()
    fetch(
        database_url,
        "INSERT INTO stored_events VALUES (%s, 7, %s, %s, 99)",
        *(stream_id, "Perch\u00e9 no?", b"\x00\xff" * 5000),
    )
    select = (
        "COPY (SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events) TO STDOUT"
    )
    with connect(database_url) as connection, connection.cursor().copy(f"{select} (FORMAT BINARY)".encode()) as copy:
        rows = b"".join(copy)
    header_bytes, field_count_bytes, trailer_bytes = 19, 2, 2
    assert rows[header_bytes + field_count_bytes : -trailer_bytes] == encode_leaf(
        99, stream_id, 7, "Perch\u00e9 no?", b"\x00\xff" * 5000
    )


def test_consistency_is_proven_from_every_earlier_size(service_with_tree: Service) -> None:
    leaves = expected_leaves(service_with_tree)
    proofs = service_with_tree.queries.proofs
    assert len(leaves) == 300
    for size in range(301):
        path = proofs.consistency(size, 300)
        assert path is not None
        assert is_consistent(size, root_of(leaves[:size]), 300, root_of(leaves), path)
    assert proofs.consistency(300, 301) is None


def test_inclusion_is_proven_in_every_tree_that_contains_the_event(service_with_tree: Service) -> None:
    """Unused and later positions have no proof."""
    leaves = expected_leaves(service_with_tree)
    positions = [
        row[0]
        for row in fetch(service_with_tree.settings.database_url or "", "SELECT position FROM merkle_leaves ORDER BY 1")
    ]
    for size in (1, 2, 16, 17, 150, 151, 255, 256, 257, 300):
        proofs = service_with_tree.queries.proofs.inclusion_proofs([*positions, 500, 5000], size)
        assert list(proofs) == positions[:size]
        for position, proof in proofs.items():
            assert positions[proof.leaf] == position
            assert root_from_inclusion_proof(leaves[proof.leaf], proof.leaf, size, proof.path) == root_of(leaves[:size])


def test_exported_lines_prove_the_signed_root(service_with_tree: Service) -> None:
    """Each line does with its inclusion path, and all lines of a complete export do together."""
    service_with_tree.workers.checkpointer.sign_now()
    basis = service_with_tree.queries.proofs.basis()
    assert basis is not None
    header: dict[str, Any] = basis.header(ExportSelection())
    note = SignedNote.parse(header["checkpoint"])
    assert note.signed_by([VerifierKey.parse(key) for key in header["keys"]], verify)
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.tree_size, checkpoint.position) == (basis.tree_size, basis.position) == (300, 1150)
    with connect(service_with_tree.settings.database_url or "") as connection:
        events = events_after(connection, 0, 500)
    exported_lines = list(
        service_with_tree.queries.proofs.lines(basis, events[5:200:3], lambda event: {"seen": event.position})
    )
    for line in exported_lines:
        path = [base64.b64decode(node) for node in line["path"]]
        leaf = leaf_of(line)
        assert root_from_inclusion_proof(leaf, line["leaf"], checkpoint.tree_size, path) == checkpoint.root_hash
        assert line["shown"] == {"seen": line["position"]}
    leaves = [leaf_of(line) for line in whole_lines(events)]
    assert root_of(leaves) == checkpoint.root_hash


def test_store_without_a_checkpoint_has_no_proofs(service: Service) -> None:
    """There are none even if the tree already has its events."""
    record(service, 2)
    follow(service, 500)
    assert len(expected_leaves(service)) == 2
    assert service.queries.proofs.basis() is None
