"""Routes for auditors: checkpoints, signing keys and proofs."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Response

from api.http.authentication import service
from api.http.problems import Problem, unprocessable
from api.http.resources.proofs.schemas import (
    CheckpointListAnswer,
    ConsistencyAnswer,
    ConsistencyQuery,
    ProofAnswer,
    ProofQuery,
    SigningKeyListAnswer,
)
from api.http.responses import json_response
from api.http.routing import Routes
from api.http.schemas import Paging
from api.strict_parsing import parse_position
from application.commands.api_keys import Scope

if TYPE_CHECKING:
    from projections.transparency.checkpoints import StoredCheckpoint

routes = Routes("proofs", "Proofs that the history was not rewritten")
CHECKPOINTS, KEYS = CheckpointListAnswer(), SigningKeyListAnswer()
PROOF, CONSISTENCY = ProofAnswer(), ConsistencyAnswer()
NOT_FOUND = (HTTPStatus.NOT_FOUND,)


@routes.route("GET", "/v1/audit/checkpoints", Scope.AUDITOR, query=Paging, response=(200, CheckpointListAnswer))
def list_checkpoints(query: dict[str, Any]) -> Response:
    """List the signed checkpoints, newest first."""
    checkpoints, next_cursor = service().queries.checkpoints.page(query["limit"], query["cursor"])
    return json_response(CHECKPOINTS.to_json({"items": checkpoints, "next_cursor": next_cursor}))


@routes.route("GET", "/v1/audit/checkpoints/latest", Scope.AUDITOR, problems=NOT_FOUND)
def get_latest_checkpoint() -> Response:
    """Get the newest checkpoint as a signed note.

    Store it outside of the service. A new checkpoint is signed within a minute of an event, or after 1,000 events.
    """
    return Response(_newest_checkpoint().note, content_type="text/plain; charset=utf-8")


@routes.route("GET", "/v1/audit/keys", Scope.AUDITOR, response=(200, SigningKeyListAnswer))
def list_signing_keys() -> Response:
    """List the public keys that have signed checkpoints, the current key last.

    Confirm them over another channel: `subusers signing-key show` prints the current key.
    """
    return json_response(KEYS.to_json({"items": service().queries.checkpoints.signing_keys(), "next_cursor": None}))


@routes.route(
    "GET",
    "/v1/audit/proofs/<position>",
    Scope.AUDITOR,
    problems=NOT_FOUND,
    query=ProofQuery,
    response=(200, ProofAnswer),
)
def get_inclusion_proof(query: dict[str, Any], position: str) -> Response:
    """Prove that an event is in a checkpoint.

    The response has the event as it is stored, with encrypted personal data, and the hashes on its path to the root.
    """
    checkpoint = _newest_checkpoint() if query["tree_size"] is None else _checkpoint_of_size(query["tree_size"])
    try:
        event_position = parse_position(position)
    except ValueError:
        raise _event_not_found() from None
    line = service().queries.proofs.line_at(event_position, checkpoint.tree_size)
    if line is None:
        raise _event_not_found()
    keys = [signing_key.verifier_key for signing_key in service().queries.checkpoints.signing_keys()]
    return json_response(PROOF.to_json({"checkpoint": checkpoint.note, "keys": keys, "event": line}))


@routes.route(
    "GET",
    "/v1/audit/consistency",
    Scope.AUDITOR,
    problems=NOT_FOUND,
    query=ConsistencyQuery,
    response=(200, ConsistencyAnswer),
)
def get_consistency_proof(query: dict[str, Any]) -> Response:
    """Prove that a checkpoint continues an earlier one, so that no event of the earlier one was rewritten.

    `first` and `second` are the tree sizes of the checkpoints.
    """
    newest = _newest_checkpoint().tree_size
    first, second = query["first"], newest if query["second"] is None else query["second"]
    if second > newest:
        raise unprocessable({"second": ["must not be larger than the newest checkpoint"]})
    path = service().queries.proofs.consistency(first, second)
    if path is None:
        raise unprocessable({"first": ["must not be larger than `second`"]})
    proof = {"first": first, "second": second, "path": [base64.b64encode(node).decode() for node in path]}
    return json_response(CONSISTENCY.to_json(proof))


def _newest_checkpoint() -> StoredCheckpoint:
    newest = service().queries.checkpoints.newest()
    if newest is None:
        raise Problem(
            HTTPStatus.NOT_FOUND, "no-checkpoint-yet", "No checkpoint has been signed yet. Try again in a minute."
        )
    return newest


def _checkpoint_of_size(size: int) -> StoredCheckpoint:
    checkpoint = service().queries.checkpoints.of_size(size)
    if checkpoint is None:
        raise unprocessable({"tree_size": ["must be the tree size of a checkpoint"]})
    return checkpoint


def _event_not_found() -> Problem:
    detail = "The checkpoint has no event at this position. The next checkpoint will include newer events."
    return Problem(HTTPStatus.NOT_FOUND, "event-not-found", detail)
