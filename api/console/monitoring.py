"""What happened in an account, as a time line, as charts, and as a file to keep."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request, url_for

from api.action_words import FIRST, OWN_ACTIONS
from api.console.action_words import People, label, person
from api.console.charts import day_chart, person_bars
from api.console.monitoring_filter import Wanted, asked_for
from api.console.pages import say, show, site, visitor_time_zone
from api.console.sub_user_form import full_name
from api.console.time_line import time_line
from api.console.visitors import OWNER, session_stays_open, visitor
from api.http.audit_csv import csv_answer
from api.http.doors import service
from api.http.schemas import HIGHEST_LIMIT, USUAL_PAGE
from application.audit_reads import Asked
from application.errors import InvalidValue
from projections.sub_user_queries import Sort, SubUserFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response

    from api.console.forms import Form
    from application.resources import SubUserDetails

EVERYBODY = SubUserFilter(sort=Sort.NAME)


@dataclass(frozen=True)
class Choices:
    """What the form offers to choose from."""

    sub_users: Sequence[SubUserDetails]
    actions: Sequence[str]

    @classmethod
    def of_account(cls) -> Choices:
        """Return everybody there is, and everything that has happened."""
        account_id = visitor().account_id
        everybody = service().sub_user_queries.list(account_id, EVERYBODY, HIGHEST_LIMIT, None)
        return cls(everybody.items, service().audit_queries.actions(account_id))

    @property
    def labels(self) -> dict[str, list[tuple[str, str]]]:
        """The actions and what each is called, in the order of the alphabet, by what they are about."""
        groups: dict[str, list[tuple[str, str]]] = {
            name: [] for name in ("main_account", "sub_user", "webhook", "audit_log", "activity")
        }
        for action in self.actions:
            groups[action.partition(".")[0] if action in OWN_ACTIONS else "activity"].append((action, label(action)))
        return {name: sorted(group, key=lambda one: one[1].lower()) for name, group in groups.items() if group}


@site.page("/monitoring", to=OWNER)
def monitoring() -> Response:
    """Show a page of the time line, and the charts."""
    form, wanted = asked_for()
    if wanted is None:
        return _refused(form)
    choices = Choices.of_account()
    cursor = request.args.get("cursor") or None
    try:
        rows, older = service().audit_queries.page(
            visitor().account_id, wanted.in_log(visitor_time_zone()), USUAL_PAGE, cursor
        )
    except InvalidValue as error:
        form.take_in(error)
        return _refused(form)
    days = time_line(rows, People.of(choices.sub_users))
    return _page(form, choices, wanted, days=days, older=older, is_newest=cursor is None, **_charts(wanted))


@site.page("/monitoring/export.csv", to=OWNER)
def monitoring_export() -> Response:
    """Give all of it that the form asks for, as a file for spreadsheets."""
    form, wanted = asked_for()
    if wanted is None:
        return _refused(form)
    account_id = visitor().account_id
    in_log = wanted.in_log(visitor_time_zone())
    asked = Asked(account_id, in_log.sub_user_id, in_log.action, in_log.since, in_log.until)
    note = partial(service().audit_reads.note_exported, "csv", asked, visitor().origin)
    rows = service().audit_queries.stream(account_id, in_log, note=note)
    return csv_answer(rows, f"audit-log-{account_id}", session_stays_open())


def _charts(wanted: Wanted) -> dict[str, Any]:
    """Return what the charts show, of the days that are asked for."""
    zone = visitor_time_zone()
    first, last = wanted.charted(service().clock().astimezone(zone).date())
    account_id = visitor().account_id
    counts = service().audit_counts
    return {
        "chart": day_chart(counts.per_day(account_id, zone, first, last, wanted.sub_user_id)),
        "bars": person_bars(counts.per_person(account_id, zone, first, last)),
        "charted": (first, last),
        "is_cut": wanted.first is not None and first > wanted.first,
        "address_of_person": lambda one: url_for("console.monitoring", **wanted.in_address(sub_user_id=one)),
    }


def _refused(form: Form) -> Response:
    """Show the form again, with what is wrong with it."""
    return _page(form, Choices.of_account(), None, HTTPStatus.UNPROCESSABLE_ENTITY)


def _page(
    form: Form, choices: Choices, wanted: Wanted | None, status: HTTPStatus = HTTPStatus.OK, **values: Any
) -> Response:
    names = {one.sub_user_id: full_name(one) for one in choices.sub_users}
    chosen = wanted.sub_user_id if wanted else None
    return show(
        "monitoring.html",
        status,
        active="monitoring",
        form=form,
        choices=choices,
        wanted=wanted,
        chosen_person=names[chosen] if chosen in names else say("actions.person.erased"),
        unlisted=chosen if chosen not in names else None,
        label=label,
        called=lambda name: person(name, FIRST),
        **values,
    )
