"""Activity page: an account's audit log as a timeline and as charts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request, url_for

from api.console.current_user import OWNER, SUB_USER, visitor
from api.console.monitoring.charts import amount_chart, day_chart, person_bars
from api.console.monitoring.filter import MonitoringFilter, parse_filter, person_option
from api.console.monitoring.page_event_descriptions import SubUserNames, label, person
from api.console.monitoring.presets import Preset, presets, recent_days
from api.console.monitoring.timeline import OWNERS_DETAILS, timeline
from api.console.pages import blueprint, render_page, t, visitor_language, visitor_time_zone
from api.http.authentication import service
from api.http.resources.accounts.schemas import MAX_SUB_USER_LIMIT
from api.http.schemas import DEFAULT_PAGE_SIZE
from api.presentation import times
from api.presentation.event_descriptions import SERVICE_ACTIONS, Place
from api.presentation.event_kinds import ACTIVITY_GROUP, KINDS_BY_GROUP, actions_by_group
from api.presentation.full_name import full_name
from application.errors import InvalidValue
from projections.audit_log.conditions import AuditFilter, Order
from projections.sub_users.queries import Sort, SubUserFilter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from flask import Response

    from api.console.forms import Form
    from application.commands.activity_types import ActivityTypes
    from application.commands.resources import SubUserDetails

ALL_SUB_USERS = SubUserFilter(sort=Sort.NAME)

OWN_ACTIONS = (*KINDS_BY_GROUP["sign_in"], *KINDS_BY_GROUP["security"])
"""Actions of the service that sub-users see in their own activity. What the owner does with them is the owner's."""

HIDDEN_FROM_SUB_USERS = tuple(sorted(SERVICE_ACTIONS.difference(OWN_ACTIONS)))


@dataclass(frozen=True)
class FilterChoices:
    """The choices in the filter form."""

    sub_users: Sequence[SubUserDetails]
    activity_types: ActivityTypes
    actions: Sequence[str]
    today: date
    beginning: date

    @classmethod
    def of_account(cls) -> FilterChoices:
        """Return all sub-users of the visitor's account, the first 500 actions in its log, and its days."""
        account = visitor().account
        page = service().queries.sub_users.list(account.account_id, ALL_SUB_USERS, MAX_SUB_USER_LIMIT, None)
        zone = visitor_time_zone()
        return cls(
            page.items,
            service().commands.activity_types.current(),
            service().queries.audit_log.actions(account.account_id),
            service().clock().astimezone(zone).date(),
            times.to_zone(service().queries.audit_log.beginning(account.account_id), zone).date(),
        )

    @property
    def actions_by_group(self) -> dict[str, list[tuple[str, str]]]:
        """Pairs of action and label, sorted by label, by group."""
        groups = actions_by_group(self.actions, self.activity_types)
        return {
            group: sorted([(action, label(action)) for action in actions], key=lambda pair: pair[1].lower())
            for group, actions in groups.items()
        }

    @property
    def presets(self) -> list[Preset]:
        """The periods that the page offers."""
        return presets(self.today, self.beginning)

    @property
    def recent_days(self) -> list[date]:
        """The days of the last week that the page offers."""
        return list(recent_days(self.today, self.beginning))

    def group_label(self, group: str) -> str:
        """Return the name of a group of events."""
        prefix, _, name = group.partition(".")
        if prefix == ACTIVITY_GROUP and name:
            labels = {activity_group.name: activity_group.labels for activity_group in self.activity_types.groups}
            return labels[name][visitor_language()]
        return t(f"monitoring.groups.{group}")


@blueprint.page("/monitoring", audiences=OWNER)
def monitoring() -> Response:
    """Show one page of the timeline, and the charts."""
    choices = FilterChoices.of_account()
    form, monitoring_filter = parse_filter(choices.sub_users, choices.activity_types)
    if monitoring_filter is None:
        return page_with_errors(form, choices)
    cursor = request.args.get("cursor") or None
    account_id, queries = visitor().account_id, service().queries
    audit_filter = queries.audit_log.with_matches(
        account_id, monitoring_filter.as_audit_filter(visitor_time_zone(), choices.activity_types)
    )
    try:
        rows, older_cursor = queries.audit_log.page(account_id, audit_filter, DEFAULT_PAGE_SIZE, cursor)
    except InvalidValue as error:
        form.add_error(error)
        return page_with_errors(form, choices)
    return _page(
        form,
        choices,
        monitoring_filter,
        days=timeline(rows, SubUserNames.from_sub_users(choices.sub_users)),
        older_cursor=older_cursor,
        is_newest=cursor is None,
        **_charts(monitoring_filter, audit_filter, choices.today),
    )


@blueprint.page("/activity", audiences=SUB_USER)
def own_activity() -> Response:
    """Show a sub-user's own sign-ins, changes of passwords and second factors, and activities on the portal."""
    sub_user = visitor().sub_user
    audit_filter = AuditFilter(sub_user.sub_user_id, excluded_actions=HIDDEN_FROM_SUB_USERS, order=Order.OCCURRED_AT)
    cursor = request.args.get("cursor") or None
    values: dict[str, Any] = {"days": [], "older_cursor": None, "is_newest": cursor is None, "is_gone": False}
    status = HTTPStatus.OK
    try:
        rows, values["older_cursor"] = service().queries.audit_log.page(
            sub_user.account_id, audit_filter, DEFAULT_PAGE_SIZE, cursor
        )
        values["days"] = timeline(rows, SubUserNames.from_sub_users([sub_user]), OWNERS_DETAILS)
    except InvalidValue:
        values["is_gone"], status = True, HTTPStatus.UNPROCESSABLE_ENTITY
    return render_page("own_activity.html", status, active="own_activity", **values)


def page_with_errors(form: Form, choices: FilterChoices) -> Response:
    """Show the form again, with its errors."""
    return _page(form, choices, None, HTTPStatus.UNPROCESSABLE_ENTITY)


def _charts(monitoring_filter: MonitoringFilter, audit_filter: AuditFilter, today: date) -> dict[str, Any]:
    """Return the template values of the charts, which show what the filter matches.

    Logins and activities are counted in advance, but only per person and time.
    """
    zone, account_id = visitor_time_zone(), visitor().account_id
    first, last = monitoring_filter.chart_days(today)
    counts = service().queries.audit_counts
    if monitoring_filter.selects_events:
        charts: dict[str, Any] = {
            "event_chart": amount_chart(counts.matching_per_day(account_id, audit_filter, zone, first, last)),
            "bars": person_bars(counts.matching_per_person(account_id, audit_filter, zone, first, last)),
        }
    else:
        people = counts.per_person(account_id, zone, first, last)
        selected = monitoring_filter.sub_user_id
        charts = {
            "chart": day_chart(counts.per_day(account_id, zone, first, last, selected)),
            "bars": person_bars([count for count in people if selected in {None, count.sub_user_id}]),
        }
    return {
        **charts,
        "chart_range": (first, last),
        "chart_days": (last - first) // timedelta(days=1) + 1,
        "is_chart_range_shortened": monitoring_filter.first is not None and first > monitoring_filter.first,
        "person_url": lambda sub_user_id: url_for(
            "console.monitoring", **monitoring_filter.url_parameters(sub_user_id=sub_user_id)
        ),
    }


def _chosen_dates(choices: FilterChoices, monitoring_filter: MonitoringFilter | None) -> str | None:
    """Return the period of the filter in words; None if it has none, or one of the presets."""
    if monitoring_filter is None or not (monitoring_filter.first or monitoring_filter.last):
        return None
    first, last = monitoring_filter.first, monitoring_filter.last
    if (first, last) in {(preset.first, preset.last) for preset in choices.presets}:
        return None
    if first is not None and first == last:
        return times.format_full_date(first, visitor_language())
    return " \u2013 ".join(times.format_short_date(day, visitor_language()) if day else "…" for day in (first, last))


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
    by_id = {sub_user.sub_user_id: sub_user for sub_user in choices.sub_users}
    sub_user_id = monitoring_filter.sub_user_id if monitoring_filter else None
    filtered_sub_user = by_id.get(sub_user_id) if sub_user_id is not None else None
    names = {listed_id: full_name(sub_user) for listed_id, sub_user in by_id.items()}
    return render_page(
        "monitoring.html",
        status,
        active="monitoring",
        form=form,
        choices=choices,
        monitoring_filter=monitoring_filter,
        shown_filter=monitoring_filter or MonitoringFilter(),
        filtered_person=_name_of(sub_user_id, names) if sub_user_id is not None else None,
        typed_person=person_option(filtered_sub_user) if filtered_sub_user is not None else form["person"],
        unlisted_sub_user_id=sub_user_id if filtered_sub_user is None else None,
        person_option=person_option,
        chosen_dates=_chosen_dates(choices, monitoring_filter),
        label=label,
        display_name=lambda name: person(name, Place.FIRST),
        **values,
    )
