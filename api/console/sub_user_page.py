"""A sub-user as the account's owner sees them: what is known of them, their sessions, and what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.action_words import People
from api.console.browsers import browser_name
from api.console.charts import day_chart
from api.console.monitoring_filter import Wanted
from api.console.pages import go, show, site, visitor_time_zone
from api.console.sub_user_form import about, full_name, has_expired, stored
from api.console.time_line import time_line
from api.console.visitors import OWNER, visitor
from api.http.doors import service
from projections.audit_queries import AuditFilter

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

RECENT = 20
"""Things that happened, of which the page tells; Monitoring tells of all."""


@site.page("/sub-users/<uuid:sub_user_id>", to=OWNER)
def sub_user(sub_user_id: UUID) -> Response:
    """Show all that is known of a sub-user."""
    one = stored(sub_user_id)
    rows, older = service().audit_queries.page(one.account_id, AuditFilter(sub_user_id), RECENT, None)
    zone, now = visitor_time_zone(), service().clock()
    first, last = Wanted().charted(now.astimezone(zone).date())
    return show(
        "sub_user.html",
        active="sub_users",
        one=one,
        person=full_name(one),
        expired=has_expired(one, now),
        sessions=service().sub_users.sessions(one.account_id, sub_user_id),
        browser_name=browser_name,
        chart=day_chart(service().audit_counts.per_day(one.account_id, zone, first, last, sub_user_id)),
        charted=(first, last),
        days=time_line(rows, People.of([one])),
        has_older=older is not None,
    )


@site.page("/sub-users/<uuid:sub_user_id>/end-sessions", to=OWNER, methods=("POST",))
def end_sessions(sub_user_id: UUID) -> Response:
    """End every session of a sub-user, who may log in again."""
    one = stored(sub_user_id)
    service().sub_users.end_sessions(one.account_id, sub_user_id, visitor().origin)
    return go("sub_user", told="sub_user.sessions_ended", about=about(one), sub_user_id=sub_user_id)
