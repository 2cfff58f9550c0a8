"""Checkpoints and proofs over HTTP: enough for an auditor to check everything with the public key alone."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.ed25519 import verify
from application.checkpoints import Checkpoint
from application.leaves import event_hash
from application.merkle import is_consistent, root_by_inclusion
from application.signed_notes import SignedNote, VerifierKey
from projections.freshness import Freshness
from tests.api.callers import require_problem
from tests.postgres import ask

if TYPE_CHECKING:
    from tests.api.callers import Caller, Doors

AUDIT = "/v1/audit"


def asked(auditor: Caller, path: str, **query: Any) -> Any:
    answer = auditor.get(f"{AUDIT}/{path}", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def signed(doors: Doors) -> Checkpoint:
    """Have something happen, and be signed, and return the newest checkpoint as an auditor gets and checks it."""
    doors.account().let_in()
    Freshness(doors.service.database).of_view("merkle-tree")
    doors.service.checkpointer.make_now()
    answer = doors.auditor.get(f"{AUDIT}/checkpoints/latest")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; charset=utf-8")
    return genuine(doors, answer.text)


def genuine(doors: Doors, note: str) -> Checkpoint:
    keys = [VerifierKey.parse(row["verifier_key"]) for row in asked(doors.auditor, "keys")["items"]]
    parsed = SignedNote.parse(note)
    assert parsed.signed_by(keys, verify) == keys
    return Checkpoint.parse(parsed.text)


def test_an_event_is_proven(doors: Doors) -> None:
    """From what is answered its leaf is calculated, and leads to the root that was signed."""
    checkpoint = signed(doors)
    position = checkpoint.position
    answer = asked(doors.auditor, f"proofs/{position}")
    event, signed_then = answer["event"], genuine(doors, answer["checkpoint"])
    leaf = event_hash(
        event["position"],
        UUID(event["stream_id"]),
        event["version"],
        event["topic"],
        base64.b64decode(event["state"]),
    )
    path = [base64.b64decode(one) for one in event["path"]]
    assert event["position"] == position
    assert root_by_inclusion(leaf, event["leaf"], signed_then.tree_size, path) == signed_then.root_hash
    assert signed_then.tree_size >= checkpoint.tree_size


def test_a_checkpoint_continues_an_earlier_one(doors: Doors) -> None:
    """By the proof between their sizes; and an event is proven in the one that an auditor kept."""
    earlier = signed(doors)
    later = signed(doors)
    answer = asked(doors.auditor, "consistency", first=earlier.tree_size, second=later.tree_size)
    path = [base64.b64decode(one) for one in answer["path"]]
    assert is_consistent(earlier.tree_size, earlier.root_hash, later.tree_size, later.root_hash, path)
    kept = asked(doors.auditor, f"proofs/{earlier.position}", tree_size=earlier.tree_size)
    assert genuine(doors, kept["checkpoint"]).root_hash == earlier.root_hash
    assert asked(doors.auditor, "consistency", first=0)["path"] == []


def test_checkpoints_come_in_pages(doors: Doors) -> None:
    """Newest first, each once."""
    for _ in range(3):
        signed(doors)
    first = asked(doors.auditor, "checkpoints", limit=2)
    second = asked(doors.auditor, "checkpoints", limit=2, cursor=first["next_cursor"])
    sizes = [row["tree_size"] for row in first["items"] + second["items"]]
    assert sizes == sorted(set(sizes), reverse=True)
    for row in first["items"]:
        checkpoint = genuine(doors, row["note"])
        assert (checkpoint.tree_size, checkpoint.position) == (row["tree_size"], row["position"])


def test_what_is_not_there(doors: Doors) -> None:
    """A position without an event, or after the checkpoint; a size that no checkpoint has."""
    checkpoint = signed(doors)
    for position in ("0", str(2**62), "9" * 30, "0" * 20 + "9" * 5000, "-1", "x", "\u0661"):
        require_problem(doors.auditor.get(f"{AUDIT}/proofs/{position}"), 404, "event-not-found")
    get = doors.auditor.get
    wrong = get(f"{AUDIT}/proofs/1", query_string={"tree_size": checkpoint.tree_size + 999})
    require_problem(wrong, 422, "invalid-input", "tree_size")
    beyond = {"first": 1, "second": checkpoint.tree_size + 99_999}
    require_problem(get(f"{AUDIT}/consistency", query_string=beyond), 422, "invalid-input", "second")
    backwards = {"first": checkpoint.tree_size, "second": checkpoint.tree_size - 1}
    require_problem(get(f"{AUDIT}/consistency", query_string=backwards), 422, "invalid-input", "first")
    require_problem(get(f"{AUDIT}/consistency"), 422, "invalid-input", "first")
    require_problem(get(f"{AUDIT}/checkpoints", query_string={"cursor": "x"}), 422, "invalid-input", "cursor")


def test_a_tree_that_is_damaged(own_doors: Doors, database_url: str) -> None:
    """503: it is no fault of whoever asks."""
    checkpoint = signed(own_doors)
    ask(database_url, "DELETE FROM merkle_leaves WHERE leaf_index = 0")
    answer = own_doors.auditor.get(f"{AUDIT}/proofs/{checkpoint.position}")
    require_problem(answer, 503, "tree-damaged")
    assert answer.headers["Retry-After"]


def test_nothing_was_signed_yet(own_doors: Doors) -> None:
    for path in ("checkpoints/latest", "proofs/1", "consistency?first=1"):
        require_problem(own_doors.auditor.get(f"{AUDIT}/{path}"), 404, "no-checkpoint-yet")
    assert asked(own_doors.auditor, "checkpoints") == {"items": [], "next_cursor": None}
