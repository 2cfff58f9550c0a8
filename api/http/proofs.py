"""What auditors check history with: checkpoints, the keys that signed them, and proofs."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Response

from api.http.answers import answer
from api.http.doors import service
from api.http.problems import Problem, unprocessable
from api.http.proof_schemas import (
    CheckpointListAnswer,
    ConsistencyAnswer,
    ConsistencyQuery,
    ProofAnswer,
    ProofQuery,
    SigningKeyListAnswer,
)
from api.http.routes import Routes
from api.http.schemas import HIGHEST_POSITION, Paging
from application.api_keys import Scope

if TYPE_CHECKING:
    from projections.checkpoints import StoredCheckpoint

routes = Routes("proofs", "Proof that nobody rewrote history")
CHECKPOINTS, KEYS = CheckpointListAnswer(), SigningKeyListAnswer()
PROOF, CONSISTENCY = ProofAnswer(), ConsistencyAnswer()
NOT_FOUND = (HTTPStatus.NOT_FOUND,)


@routes.door("GET", "/v1/audit/checkpoints", Scope.AUDITOR, query=Paging, gives=(200, CheckpointListAnswer))
def list_checkpoints(query: dict[str, Any]) -> Response:
    """List signed checkpoints, newest first."""
    rows, cursor = service().checkpoints.page(query["limit"], query["cursor"])
    return answer(CHECKPOINTS.written({"items": rows, "next_cursor": cursor}))


@routes.door("GET", "/v1/audit/checkpoints/latest", Scope.AUDITOR, problems=NOT_FOUND)
def latest_checkpoint() -> Response:
    """Give the newest checkpoint: the signed note itself, to be kept elsewhere.

    Within a minute of an event, or after 1,000 of them, there is another one.
    """
    return Response(_newest().note, content_type="text/plain; charset=utf-8")


@routes.door("GET", "/v1/audit/keys", Scope.AUDITOR, gives=(200, SigningKeyListAnswer))
def list_signing_keys() -> Response:
    """List the public keys that have signed checkpoints, the current one last.

    Have them confirmed by another way than this one: `subusers signing-key show` prints the current one.
    """
    return answer(KEYS.written({"items": service().checkpoints.signing_keys(), "next_cursor": None}))


@routes.door(
    "GET", "/v1/audit/proofs/<position>", Scope.AUDITOR, problems=NOT_FOUND, query=ProofQuery, gives=(200, ProofAnswer)
)
def prove_event(query: dict[str, Any], position: str) -> Response:
    """Prove that an event is in a checkpoint.

    It is given as it is stored, personal data encrypted, with the hashes that lead from it to the root.
    """
    checkpoint = _newest() if query["tree_size"] is None else _of_size(query["tree_size"])
    if not (position.isascii() and position.isdigit() and len(position) < 20 and int(position) <= HIGHEST_POSITION):
        raise _no_event()
    line = service().proofs.line_at(int(position), checkpoint.tree_size)
    if line is None:
        raise _no_event()
    keys = [one.verifier_key for one in service().checkpoints.signing_keys()]
    return answer(PROOF.written({"checkpoint": checkpoint.note, "keys": keys, "event": line}))


@routes.door(
    "GET",
    "/v1/audit/consistency",
    Scope.AUDITOR,
    problems=NOT_FOUND,
    query=ConsistencyQuery,
    gives=(200, ConsistencyAnswer),
)
def prove_consistency(query: dict[str, Any]) -> Response:
    """Prove that a checkpoint continues an earlier one: that nothing in the earlier one was rewritten.

    `first` and `second` are their sizes.
    """
    newest = _newest().tree_size
    first, second = query["first"], newest if query["second"] is None else query["second"]
    if second > newest:
        raise unprocessable({"second": ["is beyond the newest checkpoint"]})
    path = service().proofs.consistency(first, second)
    if path is None:
        raise unprocessable({"first": ["is beyond the second"]})
    told = {"first": first, "second": second, "path": [base64.b64encode(one).decode() for one in path]}
    return answer(CONSISTENCY.written(told))


def _newest() -> StoredCheckpoint:
    newest = service().checkpoints.newest()
    if newest is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no-checkpoint-yet", "Nothing was signed yet: try again in a minute.")
    return newest


def _of_size(size: int) -> StoredCheckpoint:
    found = service().checkpoints.of_size(size)
    if found is None:
        raise unprocessable({"tree_size": ["is not that of any checkpoint"]})
    return found


def _no_event() -> Problem:
    detail = "The checkpoint has no event at this position; of one that is new, the next one will."
    return Problem(HTTPStatus.NOT_FOUND, "event-not-found", detail)
