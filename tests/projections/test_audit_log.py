"""The audit log: everything that happened in an account, by whom, from where; and nothing of anybody who was erased."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from application.accounts import AccountChanges
from application.activities import Activity
from application.api_keys import Scope
from application.errors import InvalidValue
from application.origin import Origin
from application.resources import ERASED
from domain.cause import ActorType
from domain.refusals import LoginRefused
from projections import audit_queries
from projections.audit_queries import AuditFilter
from tests.people import PORTAL, SUPPORT, Company, catch_up, client, deliver_mails

if TYPE_CHECKING:
    from api.bootstrap import Service
    from projections.audit_rows import AuditRow
    from tests.conftest import TravelingClock


def rows_of(company: Company, **wanted: Any) -> list[AuditRow]:
    """Return everything there is of what is wanted, newest first."""
    catch_up(company.service)
    return company.service.audit_queries.page(company.account_id, AuditFilter(**wanted), 500, None)[0]


def actions(company: Company, **wanted: Any) -> list[str]:
    return [row.action for row in rows_of(company, **wanted)]


def test_everything_that_happened_is_in_it(service: Service, company: Company) -> None:
    """Newest first, each at its position, with what only this kind of thing has."""
    one = company.let_in("grace@company.example", visible=False)
    one.change(name="Ada", active=True)
    service.accounts.raise_sub_user_limit(company.account_id, 20, SUPPORT)

    rows = rows_of(company)

    assert [(row.action, row.sub_user_id) for row in rows] == [
        ("main_account.sub_user_limit_raised", None),
        ("sub_user.activated", one.sub_user_id),
        ("sub_user.details_changed", one.sub_user_id),
        ("sub_user.created", one.sub_user_id),
        ("main_account.registered", None),
    ]
    assert [row.position for row in rows] == sorted((row.position for row in rows), reverse=True)
    assert rows[0].details == {"sub_user_limit": 20}
    assert rows[0].reason == "asked by phone"
    assert rows[2].details == {"name": "Ada"}
    assert rows[3].details == {"email": "grace@company.example", "name": "Grace", "surname": "Hopper", "visible": False}
    assert rows[4].details["company_name"] == "Winds & Waves"
    assert (rows[3].ip, rows[3].user_agent) == (PORTAL.ip, PORTAL.user_agent)


def test_each_row_says_who_did_it(service: Service, company: Company, clock: TravelingClock) -> None:
    """By name, where there is one."""
    service.api_keys.create(Scope.SUPPORT, "Support desk", clock())
    (support_key,) = service.api_keys.list()
    owner = Origin(ActorType.MAIN_ACCOUNT, str(company.account_id))
    service.accounts.change(company.account_id, AccountChanges(language="it"), owner)
    support = Origin(ActorType.SUPPORT, str(support_key.api_key_id), reason="asked by phone")
    service.accounts.raise_sub_user_limit(company.account_id, 20, support)
    one = company.let_in_settled(name="Ada", surname="Lovelace")
    service.activities.record(company.account_id, [Activity(one.sub_user_id, "assistant.opened")], PORTAL)
    with pytest.raises(LoginRefused):
        one.log_in("not the right one")
    deliver_mails(service)

    by_action = {row.action: row.actor for row in rows_of(company)}

    sub_user = {"type": "sub_user", "id": str(one.sub_user_id), "name": "Ada Lovelace"}
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


def test_what_the_portal_reported_is_in_it(service: Service, company: Company, clock: TravelingClock) -> None:
    """With the portal's own word, when it happened, and when it was recorded."""
    one = company.let_in()
    an_hour_ago = clock() - timedelta(hours=1)
    details = '{"tab":"voice","n":[1,2.5,null,"Zoë"]}'
    activity = Activity(one.sub_user_id, "assistant.opened", "assistant 7", details, an_hour_ago)
    outcome = service.activities.record(company.account_id, [activity], client("198.51.100.7"))

    row = rows_of(company)[0]

    assert (row.action, row.sub_user_id, row.target, row.ip) == (
        "assistant.opened",
        one.sub_user_id,
        "assistant 7",
        "198.51.100.7",
    )
    assert row.details == {"tab": "voice", "n": [1, 2.5, None, "Zoë"]}
    assert (row.position, row.occurred_at) == (outcome.position, an_hour_ago)
    assert row.recorded_at - row.occurred_at >= timedelta(hours=1)


def test_filters(service: Service, company: Company, clock: TravelingClock) -> None:
    """By sub-user, by action, by time: since is included, until is not; and all of them together."""
    one, other = company.let_in(), company.let_in()
    times = [clock() + timedelta(days=n) for n in range(3)]
    activities = [Activity(who.sub_user_id, "assistant.opened", occurred_at=at) for at in times for who in (one, other)]
    service.activities.record(company.account_id, activities, PORTAL)

    assert set(actions(company, sub_user_id=one.sub_user_id)) == {"assistant.opened", "sub_user.created"}
    assert len(actions(company, action="assistant.opened")) == 6
    assert len(actions(company, action="assistant.opened", since=times[1])) == 4
    assert len(actions(company, action="assistant.opened", until=times[1])) == 2
    assert len(actions(company, since=times[1], until=times[2], sub_user_id=one.sub_user_id)) == 1
    assert actions(company, since=times[2], until=times[2]) == []
    assert actions(company, action="assistant.closed") == []
    assert actions(company, action="assistant.opened' OR true --") == []


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages(service: Service, company: Company, limit: int) -> None:
    """Every row once, in order; the last page has no cursor."""
    one = company.let_in()
    activities = [Activity(one.sub_user_id, f"action.{n}") for n in range(12)]
    service.activities.record(company.account_id, activities, PORTAL)
    everything = rows_of(company)

    found: list[AuditRow] = []
    cursor: str | None = None
    while True:
        page, cursor = service.audit_queries.page(company.account_id, AuditFilter(), limit, cursor)
        found += page
        if cursor is None:
            break
        assert len(page) == limit

    assert found == everything
    assert len(found) == 14


def test_new_rows_do_not_shift_later_pages(service: Service, company: Company) -> None:
    """What happens between two pages stands before the first."""
    one = company.let_in()
    activities = [Activity(one.sub_user_id, f"action.{n}") for n in range(6)]
    service.activities.record(company.account_id, activities, PORTAL)
    everything = rows_of(company)
    first, cursor = service.audit_queries.page(company.account_id, AuditFilter(), 4, None)
    service.activities.record(company.account_id, activities, PORTAL)
    catch_up(service)

    second, _ = service.audit_queries.page(company.account_id, AuditFilter(), 100, cursor)

    assert first + second == everything


def test_a_cursor_is_good_for_its_list_alone(service: Service, company: Company) -> None:
    """Not for another account's, nor for other filters."""
    one, other = company.let_in(), Company.register(service)
    catch_up(service)
    _, cursor = service.audit_queries.page(company.account_id, AuditFilter(), 1, None)
    assert cursor is not None

    foreign = [
        (other, AuditFilter()),
        (company, AuditFilter(sub_user_id=one.sub_user_id)),
        (company, AuditFilter(action="sub_user.created")),
        (company, AuditFilter(since=service.clock())),
        (company, AuditFilter(until=service.clock())),
    ]
    for its_company, its_filter in foreign:
        with pytest.raises(InvalidValue, match="cursor"):
            service.audit_queries.page(its_company.account_id, its_filter, 1, cursor)
    with pytest.raises(InvalidValue, match="cursor"):
        service.audit_queries.page(company.account_id, AuditFilter(), 1, cursor[:-2] + "xx")


def test_a_stream_has_every_row(service: Service, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few are held at a time."""
    one = company.let_in()
    activities = [Activity(one.sub_user_id, f"action.{n}") for n in range(10)]
    service.activities.record(company.account_id, activities, PORTAL)
    everything = rows_of(company)

    for at_a_time in (1, 5, 12, 500):
        monkeypatch.setattr(audit_queries, "STREAMED_AT_A_TIME", at_a_time)
        assert list(service.audit_queries.stream(company.account_id, AuditFilter())) == everything


def test_nothing_of_another_account_is_in_it(service: Service, company: Company) -> None:
    """Not even where a filter names somebody there."""
    stranger = Company.register(service).let_in()
    company.let_in()

    assert rows_of(company, sub_user_id=stranger.sub_user_id) == []
    assert {row.sub_user_id for row in rows_of(company)}.isdisjoint({stranger.sub_user_id})


def test_of_somebody_erased_the_log_keeps_what_happened(service: Service, company: Company) -> None:
    """Every row is still there, at its place; whatever was personal reads [erased]."""
    one = company.let_in_settled("canary@company.example", name="Canary", surname="Bird")
    one.log_in(origin=client("203.0.113.66"))
    secret = Activity(one.sub_user_id, "assistant.opened", "canary's own", '{"mail":"canary@company.example"}')
    service.activities.record(company.account_id, [secret], client("203.0.113.66"))
    deliver_mails(service)
    before = rows_of(company)

    one.delete()

    after = rows_of(company)
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
    assert by_action["sub_user.logged_in"].actor == {"type": "sub_user", "id": str(one.sub_user_id), "name": ERASED}
    assert by_action["sub_user.logged_in"].ip == ERASED
    assert by_action["sub_user.credentials_mailed"].details["reply"] == ERASED
    assert by_action["sub_user.created"].actor["name"] != ERASED
    assert by_action["sub_user.created"].ip == PORTAL.ip


def test_no_secret_is_in_it(service: Service, company: Company) -> None:
    """Neither passwords nor tokens, nor the hashes by which e-mails are found."""
    one = company.let_in_active(password="canary phrase for now")
    token = one.log_in().token
    one.choose_password("canary phrase of my own")
    hashed = service.fingerprints.email(one.email)

    shown = str(rows_of(company))

    assert "canary" not in shown
    assert token not in shown
    assert hashed not in shown
    assert "argon2" not in shown
