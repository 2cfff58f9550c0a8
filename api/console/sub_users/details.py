"""A sub-user's page for the account's owner: details, roles, sessions and recent activity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.current_user import OWNER, visitor
from api.console.monitoring.charts import day_chart
from api.console.monitoring.filter import MonitoringFilter
from api.console.monitoring.page_event_descriptions import SubUserNames
from api.console.monitoring.timeline import timeline
from api.console.pages import blueprint, redirect_to, render_page, visitor_time_zone
from api.console.roles.abilities import shown_abilities
from api.console.roles.grants import find_grants, shown_grants
from api.console.sub_users.form import find_sub_user, has_expired_password
from api.console.sub_users.status import shown_status
from api.http.authentication import service
from api.presentation.full_name import full_name
from domain.refusals import SessionNotFound
from projections.audit_log.conditions import AuditFilter, Order

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

SHOWN_GRANTS = 10
"""How many roles the page lists. Another page lists all of them."""

RECENT_EVENTS = 20
"""How many events the page lists. Monitoring lists all of them."""


@blueprint.page("/sub-users/<uuid:sub_user_id>", audiences=OWNER)
def sub_user(sub_user_id: UUID) -> Response:
    """Show a sub-user's details, roles, what they can do, sessions and recent activity."""
    sub_user = find_sub_user(sub_user_id)
    rows, older_cursor = service().queries.audit_log.page(
        sub_user.account_id, AuditFilter(sub_user_id, order=Order.OCCURRED_AT), RECENT_EVENTS, None
    )
    grants = find_grants(sub_user_id)
    zone, now = visitor_time_zone(), service().clock()
    first, last = MonitoringFilter().chart_days(now.astimezone(zone).date())
    return render_page(
        "sub_user.html",
        active="sub_users",
        sub_user=sub_user,
        person=full_name(sub_user),
        access=shown_status(sub_user),
        expired_password=has_expired_password(sub_user, now),
        grants=shown_grants(grants)[:SHOWN_GRANTS],
        grant_count=len(grants),
        abilities=shown_abilities(sub_user_id, grants),
        sessions=service().commands.sub_users.sessions(sub_user.account_id, sub_user_id),
        chart=day_chart(service().queries.audit_counts.per_day(sub_user.account_id, zone, first, last, sub_user_id)),
        chart_range=(first, last),
        days=timeline(rows, SubUserNames.from_sub_users([sub_user])),
        has_older=older_cursor is not None,
    )


@blueprint.page("/sub-users/<uuid:sub_user_id>/sessions/<uuid:session_id>/end", audiences=OWNER, methods=("POST",))
def end_session(sub_user_id: UUID, session_id: UUID) -> Response:
    """End one session of a sub-user. They can log in again."""
    sub_user = find_sub_user(sub_user_id)
    message = "own_sessions.ended"
    try:
        service().commands.sub_users.end_session(
            sub_user.account_id, sub_user_id, session_id, visitor().command_context
        )
    except SessionNotFound:
        message = "own_sessions.has_ended"
    return redirect_to("sub_user", message=message, sub_user_id=sub_user_id)
