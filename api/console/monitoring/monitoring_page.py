"""Monitoring page: an account's audit log as a timeline, as charts and as a CSV download."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request, url_for

from api.console.current_user import OWNER, session_check, visitor
from api.console.monitoring.charts import day_chart, person_bars
from api.console.monitoring.filter import MonitoringFilter, parse_filter
from api.console.monitoring.page_event_descriptions import SubUserNames, label, person
from api.console.monitoring.timeline import timeline
from api.console.pages import blueprint, render_page, t, visitor_time_zone
from api.http.authentication import service
from api.http.downloads import reserve_download
from api.http.resources.accounts.schemas import MAX_SUB_USER_LIMIT
from api.http.resources.audit_log.csv_rows import csv_response
from api.http.schemas import DEFAULT_PAGE_SIZE
from api.presentation.event_descriptions import SERVICE_ACTIONS, Place
from api.presentation.full_name import full_name
from application.commands.audit_access import AuditAccess
from application.errors import InvalidValue
from projections.sub_users.queries import Sort, SubUserFilter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from flask import Response

    from api.console.forms import Form
    from application.commands.resources import SubUserDetails

ALL_SUB_USERS = SubUserFilter(sort=Sort.NAME)


SUBJECTS = ("main_account", "sub_user", "person", "webhook", "audit_log", "activity")
"""Subjects of the actions in an account's log, in display order. Events of other subjects belong to no account."""


@dataclass(frozen=True)
class FilterChoices:
    """The choices in the filter form."""

    sub_users: Sequence[SubUserDetails]
    actions: Sequence[str]

    @classmethod
    def of_account(cls) -> FilterChoices:
        """Return all sub-users of the visitor's account, and the first 500 actions in its log."""
        account_id = visitor().account_id
        page = service().queries.sub_users.list(account_id, ALL_SUB_USERS, MAX_SUB_USER_LIMIT, None)
        return cls(page.items, service().queries.audit_log.actions(account_id))

    @property
    def action_labels_by_subject(self) -> dict[str, list[tuple[str, str]]]:
        """Pairs of action and label, sorted by label, by the subject of the action."""
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in SUBJECTS}
        for action in self.actions:
            subject = action.partition(".")[0] if action in SERVICE_ACTIONS else "activity"
            groups[subject].append((action, label(action)))
        return {name: sorted(group, key=lambda pair: pair[1].lower()) for name, group in groups.items() if group}


@blueprint.page("/monitoring", audiences=OWNER)
def monitoring() -> Response:
    """Show one page of the timeline, and the charts."""
    form, monitoring_filter = parse_filter()
    if monitoring_filter is None:
        return _page_with_errors(form)
    choices = FilterChoices.of_account()
    cursor = request.args.get("cursor") or None
    try:
        rows, older_cursor = service().queries.audit_log.page(
            visitor().account_id, monitoring_filter.as_audit_filter(visitor_time_zone()), DEFAULT_PAGE_SIZE, cursor
        )
    except InvalidValue as error:
        form.add_error(error)
        return _page_with_errors(form)
    days = timeline(rows, SubUserNames.from_sub_users(choices.sub_users))
    return _page(
        form,
        choices,
        monitoring_filter,
        days=days,
        older_cursor=older_cursor,
        is_newest=cursor is None,
        **_charts(monitoring_filter),
    )


@blueprint.page("/monitoring/export.csv", audiences=OWNER)
def monitoring_export() -> Response:
    """Download all matching rows as CSV."""
    form, monitoring_filter = parse_filter()
    if monitoring_filter is None:
        return _page_with_errors(form)
    account_id = visitor().account_id
    reserve_download(account_id)
    audit_filter = monitoring_filter.as_audit_filter(visitor_time_zone())
    access = AuditAccess(
        account_id, audit_filter.sub_user_id, audit_filter.actions, audit_filter.since, audit_filter.until
    )
    record_access = partial(service().commands.audit_access.record_export, "csv", access, visitor().command_context)
    rows = service().queries.audit_log.stream(account_id, audit_filter, record_access=record_access)
    return csv_response(rows, f"audit-log-{account_id}", session_check())


def _charts(monitoring_filter: MonitoringFilter) -> dict[str, Any]:
    """Return the template values of the charts."""
    zone = visitor_time_zone()
    first, last = monitoring_filter.chart_days(service().clock().astimezone(zone).date())
    account_id = visitor().account_id
    counts = service().queries.audit_counts
    return {
        "chart": day_chart(counts.per_day(account_id, zone, first, last, monitoring_filter.sub_user_id)),
        "bars": person_bars(counts.per_person(account_id, zone, first, last)),
        "chart_range": (first, last),
        "is_chart_range_shortened": monitoring_filter.first is not None and first > monitoring_filter.first,
        "person_url": lambda sub_user_id: url_for(
            "console.monitoring", **monitoring_filter.url_parameters(sub_user_id=sub_user_id)
        ),
    }


def _page_with_errors(form: Form) -> Response:
    """Show the form again, with its errors."""
    return _page(form, FilterChoices.of_account(), None, HTTPStatus.UNPROCESSABLE_ENTITY)


def _name_of(sub_user_id: UUID, name_by_id: Mapping[UUID, str]) -> str:
    """Return a name from the mapping, or the name of a deleted sub-user under a legal hold, or "a deleted person"."""
    if sub_user_id in name_by_id:
        return name_by_id[sub_user_id]
    return service().queries.audit_log.name_of(visitor().account_id, sub_user_id) or t("actions.person.erased")


def _page(
    form: Form,
    choices: FilterChoices,
    monitoring_filter: MonitoringFilter | None,
    status: HTTPStatus = HTTPStatus.OK,
    **values: Any,
) -> Response:
    name_by_id = {sub_user.sub_user_id: full_name(sub_user) for sub_user in choices.sub_users}
    sub_user_id = monitoring_filter.sub_user_id if monitoring_filter else None
    return render_page(
        "monitoring.html",
        status,
        active="monitoring",
        form=form,
        choices=choices,
        monitoring_filter=monitoring_filter,
        filtered_person=_name_of(sub_user_id, name_by_id) if sub_user_id is not None else None,
        unlisted_sub_user_id=sub_user_id if sub_user_id not in name_by_id else None,
        label=label,
        display_name=lambda name: person(name, Place.FIRST),
        **values,
    )
