"""The history of an account, and what it amounted to at a moment: in pages, or whole."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request

from api.history_words import told
from api.http.answers import answer, demanded_position
from api.http.audit_csv import file_answer
from api.http.doors import key_stays_good, origin, service
from api.http.history_schemas import HistoryAnswer, HistoryEndAnswer, HistoryEntryAnswer, HistoryQuery
from api.http.problems import Problem
from api.http.routes import EVENT_POSITION, Routes
from application.api_keys import Scope
from application.audit_reads import Asked
from domain.cause import Reading
from projections.history import HistoryFilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from flask import Response

    from projections.history import Replay

routes = Routes("history", "What happened in an account, and who had access when")
PAGE, ENTRY, END = HistoryAnswer(), HistoryEntryAnswer(), HistoryEndAnswer()

NDJSON = "application/x-ndjson"
OFFERED = ["application/json", NDJSON]


@routes.door(
    "GET",
    "/v1/accounts/<uuid:account_id>/history",
    Scope.AUDITOR,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE),
    headers=(EVENT_POSITION,),
    query=HistoryQuery,
    gives=(200, HistoryAnswer),
)
def read_history(query: dict[str, Any], account_id: UUID) -> Response:
    """Read everything that happened in an account up to a moment, oldest first, and who had access then.

    As `application/json` in pages, the first of which has the state that all of it amounts to; as
    `application/x-ndjson` whole, streamed, without `limit` and `cursor`: an event a line, and a last line with `end`,
    the number of events, and the state. `as_of` goes by the times of recording, and is now if it is not given.
    """
    wanted = HistoryFilter(query["as_of"], query["sub_user_id"])
    kind = request.accept_mimetypes.best_match(OFFERED) if request.accept_mimetypes else OFFERED[0]
    if kind is None:
        raise Problem(HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", f"This can be had as {', '.join(OFFERED)}.")
    if kind == NDJSON:
        replay = service().history.replay(account_id, wanted, demanded_position())
        _note(account_id, wanted)
        return file_answer(_lines(replay), f"history-{account_id}.ndjson", NDJSON, key_stays_good())
    page = service().history.page(account_id, wanted, query["limit"], query["cursor"], demanded_position())
    if query["cursor"] is None:
        _note(account_id, wanted)
    items = [told(entry) for entry in page.entries]
    return answer(PAGE.written({"items": items, "next_cursor": page.next_cursor, "state": page.state}))


def _note(account_id: UUID, wanted: HistoryFilter) -> None:
    asked = Asked(account_id, wanted.sub_user_id)
    service().audit_reads.note_read(Reading.HISTORY, asked, origin(account_id), wanted.as_of)


def _lines(replay: Replay) -> Iterator[bytes]:
    for entry in replay:
        yield ENTRY.written(told(entry)) + b"\n"
    yield END.written(replay) + b"\n"
