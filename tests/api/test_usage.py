"""Usage that the portal reports, plans, and how much of a plan is used."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.plan import MS_PER_MINUTE
from tests.api.clients import Account, ApiClient, ApiClients, require_problem

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import SubUser

IN_MAY = {"since": "2026-05-01", "until": "2026-06-01"}
NOON = "2026-05-10T12:00:00Z"
PLAN = {"included_minutes": 100, "included_tokens": 1000, "period_start": "2026-05-15"}
NOT_NUMBERS: list[Any] = [True, False, None, "1", "NaN", "", [], {}, [1]]
NOT_DAYS: list[Any] = [None, True, []]
NO_USAGE = {"conversation_ms": 0, "conversation_minutes": 0, "llm_tokens": 0}


@pytest.fixture
def sub_user(account: Account) -> SubUser:
    return account.create_sub_user()


def report_usage(sub_user: SubUser, **fields: Any) -> TestResponse:
    """Report usage of a sub-user, in May 2026 by default."""
    report = {"sub_user_id": sub_user.sub_user_id, "occurred_at": NOON, **fields}
    return sub_user.account.portal.post(f"{sub_user.account.path}/usage", json={"usage": [report]})


def report_minutes(sub_user: SubUser, minutes: float) -> TestResponse:
    """Report conversation in minutes, the deprecated unit."""
    report = {"sub_user_id": sub_user.sub_user_id, "occurred_at": NOON, "conversation_minutes": minutes}
    portal = sub_user.account.portal.with_deprecated_names()
    return portal.post(f"{sub_user.account.path}/usage", json={"usage": [report]})


def usage_of(account: Account, **query: str) -> Any:
    response = account.portal.get(f"{account.path}/usage", query_string=query)
    assert response.status_code == 200, response.text
    return response.json


def test_usage_is_recorded_and_counted(account: Account, portal: ApiClient, sub_user: SubUser) -> None:
    """The response has the number of reports and the last position; each report counts on its own UTC day."""
    reports = [
        {"sub_user_id": sub_user.sub_user_id, "conversation_ms": 740_700, "llm_tokens": 70, "occurred_at": NOON},
        {"sub_user_id": sub_user.sub_user_id, "llm_tokens": 5, "occurred_at": "2026-05-11T01:00:00+02:00"},
        {"sub_user_id": sub_user.sub_user_id, "conversation_ms": 60_000, "occurred_at": "2026-05-31T23:59:59Z"},
        {"sub_user_id": sub_user.sub_user_id, "conversation_ms": 300_000, "occurred_at": "2026-06-01T00:00:00Z"},
    ]

    response = portal.post(f"{account.path}/usage", json={"usage": reports})

    assert (response.status_code, response.json) == (201, {"recorded": 4})
    usage = usage_of(account, **IN_MAY)
    assert (usage["since"], usage["until"]) == (IN_MAY["since"], IN_MAY["until"])
    assert usage["total"] == {"conversation_ms": 800_700, "conversation_minutes": 13.345, "llm_tokens": 75}
    days = [day for day in usage["days"] if day["conversation_ms"] or day["llm_tokens"]]
    assert days == [
        {"day": "2026-05-10", "conversation_ms": 740_700, "conversation_minutes": 12.345, "llm_tokens": 75},
        {"day": "2026-05-31", "conversation_ms": 60_000, "conversation_minutes": 1, "llm_tokens": 0},
    ]
    assert len(usage["days"]) == 31
    assert usage["sub_users"] == [
        {"sub_user_id": sub_user.sub_user_id, "name": "Grace Hopper", "visible": True, **usage["total"]}
    ]
    assert (usage["deleted"], usage["plan"]) == (NO_USAGE, None)
    assert (
        int(response.headers["Event-Position"])
        == account.audit_log_rows(action="sub_user.usage_recorded")[0]["position"]
    )


def test_single_report_can_be_the_body(account: Account, portal: ApiClient, sub_user: SubUser) -> None:
    """Problems then name the fields of the report."""
    body = {"sub_user_id": sub_user.sub_user_id, "conversation_ms": 6000, "occurred_at": NOON}
    assert portal.post(f"{account.path}/usage", json=body).json == {"recorded": 1}
    assert usage_of(account, **IN_MAY)["total"]["conversation_ms"] == 6000
    for invalid_body, field in (
        ({**body, "conversation_ms": -1}, "conversation_ms"),
        ({**body, "sub_user_id": str(uuid4())}, "sub_user_id"),
        ({"sub_user_id": sub_user.sub_user_id, "conversation_ms": 0.5}, "conversation_ms"),
        ({"sub_user_id": sub_user.sub_user_id, "conversation_ms": 6_000_000_001}, "conversation_ms"),
        ({"sub_user_id": sub_user.sub_user_id}, "conversation_ms"),
        ({**body, "usage": [body]}, "usage"),
        ({"llm_tokens": 1}, "usage"),
        ({}, "usage"),
    ):
        require_problem(portal.post(f"{account.path}/usage", json=invalid_body), 422, "invalid-input", field)


def test_milliseconds_and_minutes_are_one_amount(account: Account, sub_user: SubUser) -> None:
    """Reports in either unit are summed exactly, and published in milliseconds."""
    assert report_usage(sub_user, conversation_ms=1).status_code == 201
    assert report_minutes(sub_user, 0.001).status_code == 201
    assert usage_of(account, **IN_MAY)["total"] == {
        "conversation_ms": 61,
        "conversation_minutes": 0.001,
        "llm_tokens": 0,
    }
    events = account.portal.get(f"{account.path}/events").json["items"]  # type: ignore[index]
    assert [event["data"].get("conversation_ms") for event in events[-2:]] == [1, 60]


def test_request_has_between_1_and_1000_reports(account: Account, portal: ApiClient, sub_user: SubUser) -> None:
    report = {"sub_user_id": sub_user.sub_user_id, "conversation_ms": 6000, "occurred_at": NOON}
    assert portal.post(f"{account.path}/usage", json={"usage": [report] * 1000}).json == {"recorded": 1000}
    assert usage_of(account, **IN_MAY)["total"]["conversation_ms"] == 6_000_000
    for count in (0, 1001):
        refused = portal.post(f"{account.path}/usage", json={"usage": [report] * count})
        require_problem(refused, 422, "invalid-input", "usage")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("conversation_minutes", value) for value in (-0.001, -1, 100_000.001, 1e308, -1e308, 10**30, 10**400)),
        *(("conversation_minutes", value) for value in (0.0001, 1.2345, 99_999.9999)),
        *(("conversation_minutes", value) for value in NOT_NUMBERS),
        *(("conversation_ms", value) for value in (-1, 6_000_000_001, 10**30, 1e308, 0.5, *NOT_NUMBERS)),
        *(("llm_tokens", value) for value in (-1, 1_000_000_001, 10**30, 1e308, 0.5, *NOT_NUMBERS)),
        *(("occurred_at", value) for value in ("yesterday", "2026-05-01", 1777593600, None)),
        *(("sub_user_id", value) for value in ("42", None, 7, "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11")),
        ("unknown", 1),
    ],
)
def test_one_invalid_report_refuses_the_whole_request(
    account: Account, portal: ApiClient, sub_user: SubUser, field: str, value: Any
) -> None:
    """The problem names the index of the report and the field; nothing is recorded."""
    report = {"sub_user_id": sub_user.sub_user_id, "llm_tokens": 1}
    body = {"usage": [report, {**report, field: value}]}
    response = portal.with_deprecated_names().post(f"{account.path}/usage", json=body)
    problem = require_problem(response, 422, "invalid-input", "usage")
    assert set(problem["errors"]["usage"]) == {"1"}
    assert set(problem["errors"]["usage"]["1"]) == {field}
    assert account.audit_log_rows(action="sub_user.usage_recorded") == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_malformed_json(
    account: Account, portal: ApiClient, sub_user: SubUser, number: str
) -> None:
    """A number beyond the range of a float is valid JSON, but out of bounds."""
    body = f'{{"sub_user_id": "{sub_user.sub_user_id}", "conversation_ms": {number}}}'
    response = portal.post(f"{account.path}/usage", data=body, content_type="application/json")
    require_problem(response, 400, "malformed-body")
    response = portal.post(f"{account.path}/usage", data=body.replace(number, "1e400"), content_type="application/json")
    require_problem(response, 422, "invalid-input", "conversation_ms")


@pytest.mark.parametrize(
    ("reported", "counted"),
    [(0, 0), (-0.0, 0), (100_000, 100_000), (1.0, 1), (0.1 + 0.2, 0.3), (35 * 0.001, 0.035), (99_999.999, 99_999.999)],
)
def test_minutes_are_exact_to_thousandths(account: Account, sub_user: SubUser, reported: float, counted: float) -> None:
    """Floating-point errors of the client do not matter."""
    assert report_minutes(sub_user, reported).status_code == 201
    assert usage_of(account, **IN_MAY)["total"]["conversation_minutes"] == counted
    assert json.dumps(usage_of(account, **IN_MAY)["total"]["conversation_minutes"]) == json.dumps(counted)


def test_hidden_and_deleted_sub_users_count(account: Account) -> None:
    """Hidden sub-users are listed on request, deleted ones only as a sum; the totals include all."""
    visible, hidden, deleted = (
        account.create_sub_user(),
        account.create_sub_user(visible=False, name="Ada"),
        account.create_sub_user(name="Canary"),
    )
    for sub_user in (visible, hidden, deleted):
        report_usage(sub_user, llm_tokens=10)
    account.portal.delete(deleted.path)
    for visibility, listed in (("visible", [visible]), ("hidden", [hidden]), ("all", [visible, hidden])):
        usage = usage_of(account, **IN_MAY, visibility=visibility)
        assert (usage["total"]["llm_tokens"], usage["deleted"]["llm_tokens"]) == (30, 10)
        assert {row["sub_user_id"] for row in usage["sub_users"]} == {sub_user.sub_user_id for sub_user in listed}
        assert all(row["visible"] == (row["sub_user_id"] == visible.sub_user_id) for row in usage["sub_users"])
        assert "Canary" not in json.dumps(usage)
    assert usage_of(account, **IN_MAY) == usage_of(account, **IN_MAY, visibility="visible")


def test_plan_and_its_use(account: Account, portal: ApiClient, sub_user: SubUser) -> None:
    """Setting the same plan again records no event."""
    response = portal.put(f"{account.path}/plan", json=PLAN)
    assert (response.status_code, response.json) == (200, PLAN)
    assert int(response.headers["Event-Position"]) == account.audit_log_rows()[0]["position"]
    assert account.audit_log_rows()[0]["details"] == PLAN
    repeated = portal.put(f"{account.path}/plan", json=PLAN)
    assert (repeated.status_code, repeated.json, "Event-Position" in repeated.headers) == (200, PLAN, False)
    report_usage(sub_user, llm_tokens=7, conversation_ms=150_000, occurred_at=datetime.now(UTC).isoformat())

    plan = usage_of(account)["plan"]

    assert {**plan, **PLAN} == plan
    assert (plan["used_ms"], plan["used_tokens"]) == (150_000, 7)
    assert plan["since"] <= datetime.now(UTC).date().isoformat() < plan["until"]
    assert plan["since"].endswith("-15")
    assert usage_of(account)["since"] == plan["since"]
    assert usage_of(account)["until"] == (datetime.now(UTC).date() + timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            (field, value)
            for field in ("included_minutes", "included_tokens")
            for value in (-1, 0.5, 10**16, True, "1", None)
        ),
        *(("period_start", value) for value in ("2026-02-30", "2026-05", "1 May", "", 20260501, *NOT_DAYS)),
        *(("period_start", value) for value in ("2026-05-01T00:00:01Z", "2026-05-01T00:00:00+02:00", "2026-W18-5")),
    ],
)
def test_invalid_plan_is_refused(account: Account, portal: ApiClient, field: str, value: Any) -> None:
    invalid = portal.put(f"{account.path}/plan", json={**PLAN, field: value})
    require_problem(invalid, 422, "invalid-input", field)
    missing = portal.put(f"{account.path}/plan", json={name: PLAN[name] for name in PLAN if name != field})
    require_problem(missing, 422, "invalid-input", field)
    assert usage_of(account)["plan"] is None


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"since": "2026-05-02", "until": "2026-05-02"}, "until"),
        ({"since": "2026-05-02", "until": "2026-05-01"}, "until"),
        ({"since": "2026-05-01", "until": "2027-05-03"}, "until"),
        ({"since": "0001-01-01"}, "since"),
        ({"since": "9999-12-31"}, "since"),
        ({"until": "0001-01-01"}, "until"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-05-01T12:00:00Z"}, "since"),
        ({"until": "2026-05-01T00:00:00-01:00"}, "until"),
        ({"visibility": "everybody"}, "visibility"),
        ({"limit": "5"}, "limit"),
    ],
)
def test_invalid_query_is_refused(account: Account, portal: ApiClient, query: dict[str, str], parameter: str) -> None:
    response = portal.get(f"{account.path}/usage", query_string=query)
    require_problem(response, 422, "invalid-input", parameter)


def test_range_with_only_its_end_begins_with_the_period_of_its_last_day(account: Account, portal: ApiClient) -> None:
    """Without a plan, with the month."""
    assert usage_of(account, until="2026-05-21")["since"] == "2026-05-01"
    assert portal.put(f"{account.path}/plan", json=PLAN).status_code == 200
    assert usage_of(account, until="2026-05-11")["since"] == "2026-04-15"
    for day in ("0001-01-03", "9999-12-31"):
        response = portal.get(f"{account.path}/usage", query_string={"until": day})
        require_problem(response, 422, "invalid-input", "until")


def test_days_as_midnight_utc_are_accepted(account: Account, sub_user: SubUser) -> None:
    """Any offset is accepted."""
    report_usage(sub_user, llm_tokens=1)
    times = {"since": "2026-05-01T00:00:00Z", "until": "2026-06-01T02:00:00+02:00"}
    assert usage_of(account, **times) == usage_of(account, **IN_MAY)


def test_idempotent_report_counts_once(account: Account, portal: ApiClient, sub_user: SubUser) -> None:
    body = {"usage": [{"sub_user_id": sub_user.sub_user_id, "llm_tokens": 5, "occurred_at": NOON}]}
    headers = {"Idempotency-Key": str(uuid4())}
    first, repeated = (portal.post(f"{account.path}/usage", json=body, headers=headers) for _ in range(2))
    assert (repeated.status_code, repeated.data) == (201, first.data)
    assert repeated.headers["Event-Position"] == first.headers["Event-Position"]
    assert usage_of(account, **IN_MAY)["total"]["llm_tokens"] == 5
    other_body_response = portal.post(f"{account.path}/usage", json={"usage": body["usage"] * 2}, headers=headers)
    require_problem(other_body_response, 422, "invalid-input", "Idempotency-Key")


def test_closed_account_accepts_reports_but_no_plan(account: Account, portal: ApiClient, sub_user: SubUser) -> None:
    portal.delete(account.path)
    assert report_usage(sub_user, llm_tokens=5).status_code == 201
    assert usage_of(account, **IN_MAY)["total"]["llm_tokens"] == 5
    require_problem(portal.put(f"{account.path}/plan", json=PLAN), 409, "account-closed")


def test_unknown_account_is_not_found(portal: ApiClient) -> None:
    path = f"/v1/accounts/{uuid4()}"
    report = {"sub_user_id": str(uuid4()), "llm_tokens": 1}
    require_problem(portal.post(f"{path}/usage", json={"usage": [report]}), 404, "account-not-found")
    require_problem(portal.get(f"{path}/usage"), 404, "account-not-found")
    require_problem(portal.put(f"{path}/plan", json=PLAN), 404, "account-not-found")


def test_published_threshold_event_has_no_personal_data(own_clients: ApiClients) -> None:
    account = own_clients.register_account()
    sub_user = account.create_sub_user()
    today = datetime.now(UTC)
    account.portal.put(f"{account.path}/plan", json={**PLAN, "period_start": today.date().isoformat()})
    report_usage(sub_user, conversation_ms=80 * MS_PER_MINUTE, occurred_at=today.isoformat())
    usage_of(account)
    while own_clients.service.commands.usage.check_next():
        pass

    response = own_clients.analytics.get("/v1/events", query_string={"limit": 100})

    items: list[Any] = response.json["items"]  # type: ignore[index]
    by_type = {item["type"].removeprefix("subusers."): item for item in items}
    assert by_type["main_account.usage_threshold_reached.v1"]["data"] == {
        "actor": {"type": "system", "id": "usage"},
        "resource": "conversation_ms",
        "threshold": 80,
        "period_start": today.date().isoformat(),
        "used": 4_800_000,
        "included": 6_000_000,
    }
    assert by_type["main_account.plan_set.v1"]["data"]["included_minutes"] == 100
    used = by_type["sub_user.usage_recorded.v1"]
    assert (used["subject"], used["accountid"]) == (sub_user.sub_user_id, account.account_id)
    assert (used["data"]["conversation_ms"], used["data"]["llm_tokens"]) == (4_800_000, 0)
    assert set(used["data"]) == {"conversation_ms", "llm_tokens", "occurred_at"}
