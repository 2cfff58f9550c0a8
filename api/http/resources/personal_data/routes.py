"""Route for the personal data of a sub-user."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING

from api.http.authentication import api_key_activity_check, command_context, service
from api.http.downloads import file_response, reserve_download
from api.http.resources.audit_log.csv_rows import AUDIT_ROW
from api.http.resources.personal_data.schemas import PersonalDataAnswer
from api.http.routing import Routes
from application.commands.api_keys import Scope
from application.commands.audit_access import AuditAccess
from projections.audit_log.conditions import AuditFilter
from projections.history.personal_data import without_third_party_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from uuid import UUID

    from flask import Response

    from projections.audit_log.rows import AuditRow


routes = Routes("personal-data", "Personal data of a sub-user")
WITHOUT_AUDIT_LOG = PersonalDataAnswer(exclude=["audit_log"])


@routes.route(
    "GET",
    "/v1/accounts/<uuid:account_id>/sub-users/<uuid:sub_user_id>/personal-data",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND,),
    response=(200, PersonalDataAnswer),
)
def export_personal_data(account_id: UUID, sub_user_id: UUID) -> Response:
    """Export all personal data of a sub-user.

    The response is streamed. It has the sub-user's profile, sessions, mails and usage, and every audit log entry about
    or by them, newest first. Names, IP addresses, browsers and reasons of other actors are left out. For a deleted
    sub-user it has the data that a legal hold still keeps. Each export is recorded in the audit log.
    """
    reserve_download(account_id)
    erasure_due_at = service().commands.legal_holds.due_at(account_id, sub_user_id)
    is_held = erasure_due_at is not None
    profile = None if is_held else service().queries.sub_users.sub_user(account_id, sub_user_id)
    access = AuditAccess(account_id, sub_user_id)
    rows = service().queries.audit_log.stream(
        account_id,
        AuditFilter(sub_user_id),
        record_access=partial(
            service().commands.audit_access.record_export, "personal-data", access, command_context(account_id)
        ),
    )
    mails_and_usage = service().queries.personal_data.mails_and_usage(account_id, sub_user_id)
    personal_data = {
        "account_id": account_id,
        "sub_user_id": sub_user_id,
        "profile": profile,
        "erasure_due_at": erasure_due_at,
        "sessions": [] if is_held else service().commands.sub_users.sessions(account_id, sub_user_id),
        "mails": mails_and_usage.mails,
        "usage": mails_and_usage.usage,
    }
    rows_past_retention = partial(service().queries.audit_log.rows_past_retention, account_id, sub_user_id)
    # The audit log is streamed as the last member, so the object's closing brace comes after it.
    head = WITHOUT_AUDIT_LOG.to_json(personal_data).removesuffix(b"}")
    lines = chain([head, b',"audit_log":['], _json_rows(_all_rows(rows, rows_past_retention)), [b"]}"])
    return file_response(lines, f"personal-data-{sub_user_id}.json", "application/json", api_key_activity_check())


def _all_rows(
    current_rows: Iterable[AuditRow], rows_past_retention: Callable[[int | None], Iterable[AuditRow]]
) -> Iterator[AuditRow]:
    """Yield the entries in the audit log, then the older ones past its retention.

    Reading continues below the last position, so that an entry whose retention ends meanwhile is not repeated.
    """
    last_position: int | None = None
    for row in current_rows:
        last_position = row.position
        yield row
    yield from rows_past_retention(last_position)


def _json_rows(rows: Iterable[AuditRow]) -> Iterator[bytes]:
    comma = b""
    for row in rows:
        yield comma + AUDIT_ROW.to_json(without_third_party_data(row))
        comma = b","
