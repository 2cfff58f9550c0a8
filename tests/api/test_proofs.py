"""Checkpoints and proofs over HTTP: an auditor can verify everything with the public key only."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.ed25519 import verify
from application.transparency.checkpoint import Checkpoint
from application.transparency.leaf_encoding import event_hash
from application.transparency.merkle import is_consistent, root_from_inclusion_proof
from application.transparency.signed_note import SignedNote, VerifierKey
from tests.api.clients import require_problem
from tests.postgres import fetch

if TYPE_CHECKING:
    from tests.api.clients import ApiClient, ApiClients

AUDIT = "/v1/audit"


def get_json(auditor: ApiClient, path: str, **query: Any) -> Any:
    response = auditor.get(f"{AUDIT}/{path}", query_string=query)
    assert response.status_code == 200, response.text
    return response.json


def sign_new_checkpoint(clients: ApiClients) -> Checkpoint:
    """Record an event and sign a checkpoint; return it as an auditor downloads and verifies it."""
    clients.register_account().create_sub_user()
    clients.sign_checkpoint()
    response = clients.auditor.get(f"{AUDIT}/checkpoints/latest")
    assert (response.status_code, response.content_type) == (200, "text/plain; charset=utf-8")
    return verify_checkpoint(clients, response.text)


def verify_checkpoint(clients: ApiClients, note: str) -> Checkpoint:
    """Verify a checkpoint's signature with the public keys, and parse it."""
    keys = [VerifierKey.parse(row["verifier_key"]) for row in get_json(clients.auditor, "keys")["items"]]
    parsed = SignedNote.parse(note)
    assert parsed.signed_by(keys, verify) == keys
    return Checkpoint.parse(parsed.text)


def test_inclusion_proof_leads_to_the_signed_root(clients: ApiClients) -> None:
    """The leaf hash is computed from the stored event in the response."""
    checkpoint = sign_new_checkpoint(clients)
    position = checkpoint.position
    response = get_json(clients.auditor, f"proofs/{position}")
    event, signed_checkpoint = response["event"], verify_checkpoint(clients, response["checkpoint"])
    leaf = event_hash(
        event["position"],
        UUID(event["stream_id"]),
        event["version"],
        event["topic"],
        base64.b64decode(event["state"]),
    )
    path = [base64.b64decode(node) for node in event["path"]]
    assert event["position"] == position
    assert (
        root_from_inclusion_proof(leaf, event["leaf"], signed_checkpoint.tree_size, path) == signed_checkpoint.root_hash
    )
    assert signed_checkpoint.tree_size >= checkpoint.tree_size


def test_consistency_proof_between_two_checkpoints(clients: ApiClients) -> None:
    """An inclusion proof for the earlier checkpoint is available as well."""
    earlier = sign_new_checkpoint(clients)
    later = sign_new_checkpoint(clients)
    response = get_json(clients.auditor, "consistency", first=earlier.tree_size, second=later.tree_size)
    path = [base64.b64decode(node) for node in response["path"]]
    assert is_consistent(earlier.tree_size, earlier.root_hash, later.tree_size, later.root_hash, path)
    proof = get_json(clients.auditor, f"proofs/{earlier.position}", tree_size=earlier.tree_size)
    assert verify_checkpoint(clients, proof["checkpoint"]).root_hash == earlier.root_hash
    assert get_json(clients.auditor, "consistency", first=0)["path"] == []


def test_checkpoints_are_paginated_newest_first(clients: ApiClients) -> None:
    for _ in range(3):
        sign_new_checkpoint(clients)
    first = get_json(clients.auditor, "checkpoints", limit=2)
    second = get_json(clients.auditor, "checkpoints", limit=2, cursor=first["next_cursor"])
    sizes = [row["tree_size"] for row in first["items"] + second["items"]]
    assert len(sizes) > 2
    assert sizes == sorted(set(sizes), reverse=True)
    for row in first["items"]:
        checkpoint = verify_checkpoint(clients, row["note"])
        assert (checkpoint.tree_size, checkpoint.position) == (row["tree_size"], row["position"])


def test_unknown_positions_and_tree_sizes_are_refused(clients: ApiClients) -> None:
    """A position may have no event or be after the checkpoint; a tree size may have no checkpoint."""
    checkpoint = sign_new_checkpoint(clients)
    for position in ("0", str(2**62), "9" * 30, "0" * 20 + "9" * 5000, "-1", "x", "\u0661"):
        require_problem(clients.auditor.get(f"{AUDIT}/proofs/{position}"), 404, "event-not-found")
    get = clients.auditor.get
    unknown_size = get(f"{AUDIT}/proofs/1", query_string={"tree_size": checkpoint.tree_size + 999})
    require_problem(unknown_size, 422, "invalid-input", "tree_size")
    beyond = {"first": 1, "second": checkpoint.tree_size + 99_999}
    require_problem(get(f"{AUDIT}/consistency", query_string=beyond), 422, "invalid-input", "second")
    backwards = {"first": checkpoint.tree_size, "second": checkpoint.tree_size - 1}
    require_problem(get(f"{AUDIT}/consistency", query_string=backwards), 422, "invalid-input", "first")
    require_problem(get(f"{AUDIT}/consistency"), 422, "invalid-input", "first")
    require_problem(get(f"{AUDIT}/checkpoints", query_string={"cursor": "x"}), 422, "invalid-input", "cursor")


def test_damaged_tree_returns_503(own_clients: ApiClients, database_url: str) -> None:
    checkpoint = sign_new_checkpoint(own_clients)
    fetch(database_url, "DELETE FROM merkle_leaves WHERE leaf_index = 0")
    response = own_clients.auditor.get(f"{AUDIT}/proofs/{checkpoint.position}")
    require_problem(response, 503, "merkle-tree-damaged")
    assert response.headers["Retry-After"]


def test_proofs_before_the_first_checkpoint_are_not_found(own_clients: ApiClients) -> None:
    for path in ("checkpoints/latest", "proofs/1", "consistency?first=1"):
        require_problem(own_clients.auditor.get(f"{AUDIT}/{path}"), 404, "no-checkpoint-yet")
    assert get_json(own_clients.auditor, "checkpoints") == {"items": [], "next_cursor": None}
