"""Route of an account's history and its state at a time: in pages, or as a complete download."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request

from api.http.authentication import api_key_activity_check, command_context, service
from api.http.downloads import file_response, reserve_download
from api.http.problems import Problem
from api.http.resources.history.schemas import HistoryAnswer, HistoryEndAnswer, HistoryEntryAnswer, HistoryQuery
from api.http.responses import json_response, required_position
from api.http.routing import REQUIRED_POSITION, Routes
from api.presentation.history_descriptions import history_entry_fields
from application.commands.api_keys import Scope
from application.commands.audit_access import AuditAccess
from domain.event_metadata import ReadTarget
from projections.history.queries import HistoryFilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from flask import Response

    from application.commands.activity_types import ActivityTypes
    from projections.history.queries import Replay

routes = Routes("history", "History of an account, and who had access when")
PAGE, ENTRY, END = HistoryAnswer(), HistoryEntryAnswer(), HistoryEndAnswer()

NDJSON = "application/x-ndjson"
MEDIA_TYPES = ["application/json", NDJSON]


@routes.route(
    "GET",
    "/v1/accounts/<uuid:account_id>/history",
    Scope.AUDITOR,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE),
    headers=(REQUIRED_POSITION,),
    query=HistoryQuery,
    response=(200, HistoryAnswer),
)
def get_history(query: dict[str, Any], account_id: UUID) -> Response:
    """Read all events of an account up to a time, oldest first, and its state at that time.

    `Accept: application/json` returns pages; the first one includes the state. `application/x-ndjson` streams all
    events, one a line, and ignores `limit` and `cursor`; the last line has `end`, the number of events, and the state.
    `as_of` is compared with the times of recording. Default: now.
    """
    history_filter = HistoryFilter(query["as_of"], query["sub_user_id"])
    media_type = request.accept_mimetypes.best_match(MEDIA_TYPES) if request.accept_mimetypes else MEDIA_TYPES[0]
    if media_type is None:
        raise Problem(HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", f"Supported media types: {', '.join(MEDIA_TYPES)}.")
    if media_type == NDJSON:
        reserve_download(account_id)
        replay = service().queries.history.replay(account_id, history_filter, required_position())
        _record_access(account_id, history_filter)
        return file_response(
            _lines(replay, service().commands.activity_types.current()),
            f"history-{account_id}.ndjson",
            NDJSON,
            api_key_activity_check(),
        )
    page = service().queries.history.page(
        account_id, history_filter, query["limit"], query["cursor"], required_position()
    )
    _record_access(account_id, history_filter)
    activity_types = service().commands.activity_types.current()
    items = [history_entry_fields(entry, activity_types) for entry in page.entries]
    return json_response(PAGE.to_json({"items": items, "next_cursor": page.next_cursor, "state": page.state}))


def _record_access(account_id: UUID, history_filter: HistoryFilter) -> None:
    access = AuditAccess(account_id, history_filter.sub_user_id)
    service().commands.audit_access.record_access(
        ReadTarget.HISTORY, access, command_context(account_id), history_filter.as_of
    )


def _lines(replay: Replay, activity_types: ActivityTypes) -> Iterator[bytes]:
    for entry in replay:
        yield ENTRY.to_json(history_entry_fields(entry, activity_types)) + b"\n"
    yield END.to_json(replay) + b"\n"
