"""All that is held about one person, for the person."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING

from marshmallow import fields

from api.http.audit_csv import ROW, file_answer
from api.http.doors import key_stays_good, origin, service
from api.http.fields import Time
from api.http.routes import Routes
from api.http.schemas import Answer, AuditRowAnswer, SessionRow, SubUserAnswer
from application.api_keys import Scope
from application.audit_reads import Asked
from projections.audit_queries import AuditFilter
from projections.personal_data import about

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from uuid import UUID

    from flask import Response

    from projections.audit_rows import AuditRow

MILLISECONDS = 60_000


class MailOfPerson(Answer):
    """Something that they were to be told by mail, and what became of it."""

    notice = fields.String(required=True)
    asked_at = Time(required=True)
    state = fields.String(required=True)
    attempts = fields.Integer(required=True)
    settled_at = Time(required=True, allow_none=True)


class UsageOfPerson(Answer):
    """What they used on a day (UTC)."""

    day = fields.Date(required=True)
    conversation_minutes = fields.Float(required=True)
    llm_tokens = fields.Integer(required=True)


class PersonalDataAnswer(Answer):
    """All that is held about one person."""

    account_id = fields.UUID(required=True)
    sub_user_id = fields.UUID(required=True)
    profile = fields.Nested(
        SubUserAnswer, required=True, allow_none=True, metadata={"description": "Null once they are deleted, and held."}
    )
    erasure_due_at = Time(required=True, allow_none=True)
    sessions = fields.List(fields.Nested(SessionRow), required=True)
    mails = fields.List(fields.Nested(MailOfPerson), required=True)
    usage = fields.List(fields.Nested(UsageOfPerson), required=True)
    audit_log = fields.List(fields.Nested(AuditRowAnswer), required=True)


routes = Routes("personal-data", "What is held about a person")
PERSON = PersonalDataAnswer(exclude=["audit_log"])


@routes.door(
    "GET",
    "/v1/accounts/<uuid:account_id>/sub-users/<uuid:sub_user_id>/personal-data",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND,),
    gives=(200, PersonalDataAnswer),
)
def export_personal_data(account_id: UUID, sub_user_id: UUID) -> Response:
    """Give all that is held about one person.

    Streamed, whatever its size: who they are, their sessions, mails, usage, and every row of the audit log about or by
    them, the newest first. Where others came from who did something about them is left out. It is there as long as
    anything is: also of somebody deleted, while a legal hold keeps it. That it was given is recorded.
    """
    due_at = service().legal_holds.due_at(account_id, sub_user_id)
    profile = service().sub_user_queries.sub_user(account_id, sub_user_id) if due_at is None else None
    asked = Asked(account_id, sub_user_id)
    rows = service().audit_queries.stream(
        account_id,
        AuditFilter(sub_user_id),
        note=partial(service().audit_reads.note_exported, "personal-data", asked, origin(account_id)),
    )
    held = service().personal_data.of(account_id, sub_user_id)
    told = {
        "account_id": account_id,
        "sub_user_id": sub_user_id,
        "profile": profile,
        "erasure_due_at": due_at,
        "sessions": service().sub_users.sessions(account_id, sub_user_id) if profile is not None else [],
        "mails": held.mails,
        "usage": [{**one, "conversation_minutes": one["conversation_ms"] / MILLISECONDS} for one in held.usage],
    }
    every = _every(rows, partial(service().audit_queries.older, account_id, sub_user_id))
    lines = chain([PERSON.written(told)[:-1], b',"audit_log":['], _rows(every), [b"]}"])
    return file_answer(lines, f"personal-data-{sub_user_id}.json", "application/json", key_stays_good())


def _every(shown: Iterable[AuditRow], older: Callable[[int | None], Iterable[AuditRow]]) -> Iterator[AuditRow]:
    """Return what the log shows, and what it shows no more; what leaves it meanwhile is told once."""
    last: int | None = None
    for row in shown:
        last = row.position
        yield row
    yield from older(last)


def _rows(rows: Iterable[AuditRow]) -> Iterator[bytes]:
    comma = b""
    for row in rows:
        yield comma + ROW.written(about(row))
        comma = b","
