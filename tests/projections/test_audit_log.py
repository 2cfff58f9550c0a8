"""Audit log: rows, actors, filters, pages and erasure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from application.command_context import CommandContext
from application.commands.accounts import AccountChanges
from application.commands.activities import Activity
from application.commands.api_keys import Scope
from application.commands.resources import ERASED
from application.errors import InvalidValue
from domain.event_metadata import ActorType
from domain.refusals import LoginRefused
from projections.audit_log import queries
from projections.audit_log.conditions import AuditFilter, Order
from projections.runtime.rebuild import rebuild
from tests.api_keys import add_api_key
from tests.builders import PORTAL, SUPPORT, Company, catch_up, context_from, deliver_mails
from tests.postgres import connect, fetch

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from projections.audit_log.rows import AuditRow
    from tests.builders import SubUserHandle
    from tests.conftest import TravelingClock


def fetch_all(company: Company, **filters: Any) -> list[AuditRow]:
    """Return up to 500 matching rows, newest first."""
    catch_up(company.service)
    return company.service.queries.audit_log.page(company.account_id, AuditFilter(**filters), 500, None)[0]


def actions(company: Company, **filters: Any) -> list[str]:
    return [row.action for row in fetch_all(company, **filters)]


def test_every_event_has_a_row(service: Service, company: Company) -> None:
    """Rows are sorted newest first, and have the position and the details of the event."""
    sub_user = company.create_sub_user("grace@company.example", visible=False)
    sub_user.change(name="Ada", active=True)
    service.commands.accounts.raise_sub_user_limit(company.account_id, 20, SUPPORT)

    rows = fetch_all(company)

    assert [(row.action, row.sub_user_id) for row in rows] == [
        ("main_account.sub_user_limit_raised", None),
        ("sub_user.activated", sub_user.sub_user_id),
        ("sub_user.details_changed", sub_user.sub_user_id),
        ("sub_user.created", sub_user.sub_user_id),
        ("main_account.registered", None),
    ]
    assert [row.position for row in rows] == sorted((row.position for row in rows), reverse=True)
    assert rows[0].details == {"sub_user_limit": 20}
    assert rows[0].reason == "asked by phone"
    assert rows[2].details == {"name": "Ada"}
    assert rows[3].details == {"email": "grace@company.example", "name": "Grace", "surname": "Hopper", "visible": False}
    assert rows[4].details["company_name"] == "Winds & Waves"
    assert (rows[3].ip, rows[3].user_agent) == (PORTAL.ip, PORTAL.user_agent)


def test_rows_name_the_actor(service: Service, company: Company, clock: TravelingClock) -> None:
    add_api_key(service, Scope.SUPPORT, "Support desk")
    (support_key,) = service.commands.api_keys.list()
    owner = CommandContext(ActorType.MAIN_ACCOUNT, str(company.account_id))
    service.commands.accounts.change(company.account_id, AccountChanges(language="it"), owner)
    support = CommandContext(ActorType.SUPPORT, str(support_key.api_key_id), reason="asked by phone")
    service.commands.accounts.raise_sub_user_limit(company.account_id, 20, support)
    ada = company.create_with_own_password(name="Ada", surname="Lovelace")
    service.commands.activities.record(company.account_id, [Activity(ada.sub_user_id, "assistant.opened")], PORTAL)
    with pytest.raises(LoginRefused):
        ada.log_in("wrong password")
    deliver_mails(service)

    by_action = {row.action: {name: row.actor[name] for name in ("type", "id", "name")} for row in fetch_all(company)}

    sub_user = {"type": "sub_user", "id": str(ada.sub_user_id), "name": "Ada Lovelace"}
    assert by_action["main_account.details_changed"] == {
        "type": "main_account",
        "id": str(company.account_id),
        "name": "Winds & Waves",
    }
    assert by_action["main_account.sub_user_limit_raised"]["name"] == "Support desk"
    assert by_action["sub_user.logged_in"] == sub_user
    assert by_action["assistant.opened"] == sub_user
    assert by_action["sub_user.login_refused"] == {"type": "anonymous", "id": None, "name": None}
    assert by_action["sub_user.credentials_mailed"]["type"] == "system"


def test_reported_activity_has_a_row(service: Service, company: Company, clock: TravelingClock) -> None:
    """The row has the portal's action, the time it occurred and the time it was recorded."""
    sub_user = company.create_sub_user()
    an_hour_ago = clock() - timedelta(hours=1)
    details = '{"tab":"voice","n":[1,2.5,null,"Zoë"]}'
    activity = Activity(sub_user.sub_user_id, "assistant.opened", "assistant 7", details, an_hour_ago)
    outcome = service.commands.activities.record(company.account_id, [activity], context_from("198.51.100.7"))

    row = fetch_all(company)[0]

    assert (row.action, row.sub_user_id, row.target, row.ip) == (
        "assistant.opened",
        sub_user.sub_user_id,
        "assistant 7",
        "198.51.100.7",
    )
    assert row.details == {"tab": "voice", "n": [1, 2.5, None, "Zoë"]}
    assert (row.position, row.occurred_at) == (outcome.position, an_hour_ago)
    assert row.recorded_at - row.occurred_at >= timedelta(hours=1)


def test_audit_filters(service: Service, company: Company, clock: TravelingClock) -> None:
    """Filters by sub-user, action and time combine. `since` is inclusive, `until` exclusive."""
    sub_user, other = company.create_sub_user(), company.create_sub_user()
    times = [clock() + timedelta(days=n) for n in range(3)]
    activities = [
        Activity(person.sub_user_id, "assistant.opened", occurred_at=at) for at in times for person in (sub_user, other)
    ]
    service.commands.activities.record(company.account_id, activities, PORTAL)

    assert set(actions(company, sub_user_id=sub_user.sub_user_id)) == {"assistant.opened", "sub_user.created"}
    assert len(actions(company, actions=("assistant.opened",))) == 6
    assert len(actions(company, actions=("assistant.opened",), since=times[1])) == 4
    assert len(actions(company, actions=("assistant.opened",), until=times[1])) == 2
    assert len(actions(company, since=times[1], until=times[2], sub_user_id=sub_user.sub_user_id)) == 1
    assert actions(company, since=times[2], until=times[2]) == []
    assert actions(company, actions=("assistant.closed",)) == []
    assert actions(company, actions=("assistant.opened' OR true --",)) == []


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_contain_every_row_once(service: Service, company: Company, limit: int) -> None:
    """Rows are in order. The last page has no cursor."""
    sub_user = company.create_sub_user()
    activities = [Activity(sub_user.sub_user_id, f"action.{n}") for n in range(12)]
    service.commands.activities.record(company.account_id, activities, PORTAL)
    expected = fetch_all(company)

    rows: list[AuditRow] = []
    cursor: str | None = None
    while True:
        page, cursor = service.queries.audit_log.page(company.account_id, AuditFilter(), limit, cursor)
        rows += page
        if cursor is None:
            break
        assert len(page) == limit

    assert rows == expected
    assert len(rows) == 14


def test_new_rows_do_not_shift_later_pages(service: Service, company: Company) -> None:
    sub_user = company.create_sub_user()
    activities = [Activity(sub_user.sub_user_id, f"action.{n}") for n in range(6)]
    service.commands.activities.record(company.account_id, activities, PORTAL)
    expected = fetch_all(company)
    first, cursor = service.queries.audit_log.page(company.account_id, AuditFilter(), 4, None)
    service.commands.activities.record(company.account_id, activities, PORTAL)
    catch_up(service)

    second, _ = service.queries.audit_log.page(company.account_id, AuditFilter(), 100, cursor)

    assert first + second == expected


def test_audit_cursor_is_bound_to_account_and_filters(service: Service, company: Company) -> None:
    sub_user, other = company.create_sub_user(), Company.register(service)
    catch_up(service)
    _, cursor = service.queries.audit_log.page(company.account_id, AuditFilter(), 1, None)
    assert cursor is not None

    foreign = [
        (other, AuditFilter()),
        (company, AuditFilter(sub_user_id=sub_user.sub_user_id)),
        (company, AuditFilter(actions=("sub_user.created",))),
        (company, AuditFilter(since=service.clock())),
        (company, AuditFilter(until=service.clock())),
    ]
    for other_company, other_filter in foreign:
        with pytest.raises(InvalidValue, match="cursor"):
            service.queries.audit_log.page(other_company.account_id, other_filter, 1, cursor)
    with pytest.raises(InvalidValue, match="cursor"):
        service.queries.audit_log.page(company.account_id, AuditFilter(), 1, cursor[:-2] + "xx")


def test_stream_returns_every_row(service: Service, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    sub_user = company.create_sub_user()
    activities = [Activity(sub_user.sub_user_id, f"action.{n}") for n in range(10)]
    service.commands.activities.record(company.account_id, activities, PORTAL)
    expected = fetch_all(company)

    for at_a_time in (1, 5, 12, 500):
        monkeypatch.setattr(queries, "STREAM_BATCH", at_a_time)
        assert list(service.queries.audit_log.stream(company.account_id, AuditFilter())) == expected


def test_rows_of_other_accounts_are_not_included(service: Service, company: Company) -> None:
    """A filter on a sub-user of another account finds nothing."""
    stranger = Company.register(service).create_sub_user()
    company.create_sub_user()

    assert fetch_all(company, sub_user_id=stranger.sub_user_id) == []
    assert {row.sub_user_id for row in fetch_all(company)}.isdisjoint({stranger.sub_user_id})


def test_erasure_keeps_the_rows_without_personal_data(service: Service, company: Company) -> None:
    """Every row keeps its position. Personal data is replaced by `[erased]`."""
    sub_user = company.create_with_own_password("canary@company.example", name="Canary", surname="Bird")
    sub_user.log_in(context=context_from("203.0.113.66"))
    activity = Activity(sub_user.sub_user_id, "assistant.opened", "canary's own", '{"mail":"canary@company.example"}')
    service.commands.activities.record(company.account_id, [activity], context_from("203.0.113.66"))
    deliver_mails(service)
    before = fetch_all(company)

    sub_user.delete()

    after = fetch_all(company)
    assert [row.action for row in after[:2]] == ["sub_user.personal_data_erased", "sub_user.deleted"]
    assert [(row.position, row.action, row.occurred_at) for row in after[2:]] == [
        (row.position, row.action, row.occurred_at) for row in before
    ]
    assert "anary" not in str(after)
    assert "203.0.113.66" not in str(after)
    by_action = {row.action: row for row in after}
    assert by_action["sub_user.created"].details["email"] == ERASED
    assert by_action["assistant.opened"].target == ERASED
    assert by_action["assistant.opened"].details == ERASED
    assert by_action["sub_user.logged_in"].actor == {
        "type": "sub_user",
        "id": str(sub_user.sub_user_id),
        "name": ERASED,
        "api_key_id": None,
        "person": None,
    }
    assert by_action["sub_user.logged_in"].ip == ERASED
    assert by_action["sub_user.credentials_mailed"].details["reply"] == ERASED
    assert by_action["sub_user.created"].actor["name"] != ERASED
    assert by_action["sub_user.created"].ip == PORTAL.ip


def test_rows_contain_no_secrets(service: Service, company: Company) -> None:
    """Covers passwords, tokens and e-mail hashes."""
    sub_user = company.create_active(password="canary phrase for now")
    token = sub_user.log_in().token
    sub_user.choose_password("canary phrase of my own")
    email_hash = service.keyed_hasher.email(sub_user.email)

    text = str(fetch_all(company))

    assert "canary" not in text
    assert token not in text
    assert email_hash not in text
    assert "argon2" not in text


@pytest.mark.parametrize("column", ["sub_user_id", "action", "occurred_at", "actor_type", "actor_id"])
def test_every_filter_has_an_index(service: Service, database_url: str, column: str) -> None:
    """Without one, a rare value among a million rows takes seconds. Pages are ordered by position."""
    statement = "SELECT indexdef FROM pg_indexes WHERE tablename = 'audit_view'"
    assert any(f'(account_id, {column}, "position")' in definition for (definition,) in fetch(database_url, statement))


def report(company: Company, *activities: tuple[SubUserHandle, str, datetime]) -> None:
    """Record activities of sub-users, each with a target and its time."""
    company.service.commands.activities.record(
        company.account_id,
        [
            Activity(sub_user.sub_user_id, "call.made", target, occurred_at=occurred_at)
            for sub_user, target, occurred_at in activities
        ],
        PORTAL,
    )


def found_targets(company: Company, text: str, **filters: Any) -> list[str | None]:
    """Return the targets of the activities that a search finds."""
    return [row.target for row in fetch_all(company, text=text, actions=("call.made",), **filters)]


def test_pages_by_time_of_occurrence_hold_when_reports_arrive_late(service: Service, company: Company) -> None:
    """Activities of one time are in the order of their positions."""
    sub_user = company.create_sub_user()
    morning = datetime(2026, 5, 1, 8, tzinfo=UTC)
    report(company, *[(sub_user, f"{hour}", morning + timedelta(hours=hour)) for hour in (3, 1, 2, 2)])
    by_time = AuditFilter(actions=("call.made",), order=Order.OCCURRED_AT)
    catch_up(service)
    first, cursor = service.queries.audit_log.page(company.account_id, by_time, 2, None)
    report(company, (sub_user, "late", morning), (sub_user, "new", morning + timedelta(hours=9)))
    catch_up(service)
    second, _ = service.queries.audit_log.page(company.account_id, by_time, 5, cursor)

    assert [row.target for row in first] == ["3", "2"]
    assert [row.target for row in second] == ["2", "1", "late"]
    assert first[1].position > second[0].position
    with pytest.raises(InvalidValue):
        service.queries.audit_log.page(company.account_id, AuditFilter(actions=("call.made",)), 5, cursor)


def test_a_stream_by_time_of_occurrence_is_complete(
    service: Service, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "STREAM_BATCH", 3)
    sub_user, morning = company.create_sub_user(), datetime(2026, 5, 1, 8, tzinfo=UTC)
    report(company, *[(sub_user, f"{number}", morning + timedelta(hours=number * 7 % 10)) for number in range(20)])
    catch_up(service)
    rows = list(service.queries.audit_log.stream(company.account_id, AuditFilter(order=Order.OCCURRED_AT)))
    keys = [(row.occurred_at, row.position) for row in rows]
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == 22


def test_targets_are_found_in_part_without_accents_and_case(company: Company) -> None:
    ada, zoe = company.create_sub_user(), company.create_sub_user(name="Zoë")
    morning = datetime(2026, 5, 1, 8, tzinfo=UTC)
    report(company, (ada, "Centralino Già Milano", morning), (zoe, "Łódź Straße", morning), (zoe, "Bar", morning))

    assert found_targets(company, "GIA mil") == ["Centralino Già Milano"]
    assert found_targets(company, "lodz") == found_targets(company, "strasse") == ["Łódź Straße"]
    assert found_targets(company, "zoe") == ["Bar", "Łódź Straße"]
    assert found_targets(company, "a", sub_user_id=ada.sub_user_id) == ["Centralino Già Milano"]
    assert found_targets(company, "milano", sub_user_id=zoe.sub_user_id) == []
    assert found_targets(company, "%") == found_targets(company, "milano già") == []


def test_targets_of_others_are_not_found(service: Service, company: Company) -> None:
    """Neither those of another account, nor those of erased people."""
    other = Company.register(service)
    morning = datetime(2026, 5, 1, 8, tzinfo=UTC)
    sub_user = company.create_sub_user()
    report(company, (sub_user, "Centralino", morning))
    report(other, (other.create_sub_user(), "Centralino", morning))
    assert found_targets(company, "centralino") == ["Centralino"]
    sub_user.delete()
    assert found_targets(company, "centralino") == []


def test_a_rebuild_keeps_targets_searchable(service: Service, company: Company, database_url: str) -> None:
    """Also those that an earlier release has indexed without a target."""
    report(company, (company.create_sub_user(), "Centralino", datetime(2026, 5, 1, 8, tzinfo=UTC)))
    catch_up(service)
    before = fetch(database_url, "SELECT position, target_key FROM audit_view ORDER BY position")
    fetch(database_url, "DELETE FROM audit_targets RETURNING 1")
    audit_log = next(follower for follower in service.workers.followers if follower.view.name == "audit-log")
    with connect(database_url) as connection:
        rebuild(audit_log.view, connection, lambda _, __: None)
    assert fetch(database_url, "SELECT position, target_key FROM audit_view ORDER BY position") == before
    assert found_targets(company, "centralino") == ["Centralino"]


def test_excluded_actions_are_left_out(company: Company) -> None:
    company.create_sub_user()
    assert actions(company, excluded_actions=("sub_user.created",)) == ["main_account.registered"]
