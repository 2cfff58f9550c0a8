"""What the portal reports of usage, what a plan includes, and what of it is used."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.callers import Account, Caller, Doors, require_problem

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.callers import SubUser

MAY = {"since": "2026-05-01", "until": "2026-06-01"}
NOON = "2026-05-10T12:00:00Z"
PLAN = {"included_minutes": 100, "included_tokens": 1000, "period_start": "2026-05-15"}
NO_NUMBERS: list[Any] = [True, False, None, "1", "NaN", "", [], {}, [1]]
NO_DAYS: list[Any] = [None, True, []]
NOTHING = {"conversation_minutes": 0, "llm_tokens": 0}


@pytest.fixture
def one(account: Account) -> SubUser:
    return account.let_in()


def report(one: SubUser, **told: Any) -> TestResponse:
    """Report what they used, in May 2026 if no time is told."""
    row = {"sub_user_id": one.sub_user_id, "occurred_at": NOON, **told}
    return one.account.portal.post(f"{one.account.path}/usage", json={"usage": [row]})


def shown(account: Account, **query: str) -> Any:
    answer = account.portal.get(f"{account.path}/usage", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_usage_is_recorded_and_counted(account: Account, portal: Caller, one: SubUser) -> None:
    """201 with how many reports they were, at a position in the history; each counts on its own day."""
    rows = [
        {"sub_user_id": one.sub_user_id, "conversation_minutes": 12.345, "llm_tokens": 70, "occurred_at": NOON},
        {"sub_user_id": one.sub_user_id, "llm_tokens": 5, "occurred_at": "2026-05-11T01:00:00+02:00"},
        {"sub_user_id": one.sub_user_id, "conversation_minutes": 1, "occurred_at": "2026-05-31T23:59:59Z"},
        {"sub_user_id": one.sub_user_id, "conversation_minutes": 5, "occurred_at": "2026-06-01T00:00:00Z"},
    ]

    answer = portal.post(f"{account.path}/usage", json={"usage": rows})

    assert (answer.status_code, answer.json) == (201, {"recorded": 4})
    found = shown(account, **MAY)
    assert (found["since"], found["until"]) == (MAY["since"], MAY["until"])
    assert found["total"] == {"conversation_minutes": 13.345, "llm_tokens": 75}
    days = [day for day in found["days"] if day["conversation_minutes"] or day["llm_tokens"]]
    assert days == [
        {"day": "2026-05-10", "conversation_minutes": 12.345, "llm_tokens": 75},
        {"day": "2026-05-31", "conversation_minutes": 1, "llm_tokens": 0},
    ]
    assert len(found["days"]) == 31
    assert found["sub_users"] == [
        {"sub_user_id": one.sub_user_id, "name": "Grace Hopper", "visible": True, **found["total"]}
    ]
    assert (found["deleted"], found["plan"]) == (NOTHING, None)
    assert int(answer.headers["Event-Position"]) == account.rows(action="sub_user.usage_recorded")[0]["position"]


def test_one_report_may_be_the_body_itself(account: Account, portal: Caller, one: SubUser) -> None:
    """Refusals then name its own fields."""
    body = {"sub_user_id": one.sub_user_id, "conversation_minutes": 0.1, "occurred_at": NOON}
    assert portal.post(f"{account.path}/usage", json=body).json == {"recorded": 1}
    assert shown(account, **MAY)["total"]["conversation_minutes"] == 0.1
    for wrong, field in (
        ({**body, "conversation_minutes": -1}, "conversation_minutes"),
        ({**body, "sub_user_id": str(uuid4())}, "sub_user_id"),
        ({"sub_user_id": one.sub_user_id}, "conversation_minutes"),
        ({**body, "usage": [body]}, "usage"),
        ({"llm_tokens": 1}, "usage"),
        ({}, "usage"),
    ):
        require_problem(portal.post(f"{account.path}/usage", json=wrong), 422, "invalid-input", field)


def test_a_thousand_reports_fit_in_one(account: Account, portal: Caller, one: SubUser) -> None:
    """1,000 are taken, 1,001 and none are refused; a thousand tenths are a hundred, exactly."""
    row = {"sub_user_id": one.sub_user_id, "conversation_minutes": 0.1, "occurred_at": NOON}
    assert portal.post(f"{account.path}/usage", json={"usage": [row] * 1000}).json == {"recorded": 1000}
    assert shown(account, **MAY)["total"]["conversation_minutes"] == 100
    for count in (0, 1001):
        refused = portal.post(f"{account.path}/usage", json={"usage": [row] * count})
        require_problem(refused, 422, "invalid-input", "usage")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("conversation_minutes", value) for value in (-0.001, -1, 100_000.001, 1e308, -1e308, 10**30, 10**400)),
        *(("conversation_minutes", value) for value in (0.0001, 1.2345, 99_999.9999)),
        *(("conversation_minutes", value) for value in NO_NUMBERS),
        *(("llm_tokens", value) for value in (-1, 1_000_000_001, 10**30, 1e308, 0.5, *NO_NUMBERS)),
        *(("occurred_at", value) for value in ("yesterday", "2026-05-01", 1777593600, None)),
        *(("sub_user_id", value) for value in ("42", None, 7, "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11")),
        ("unknown", 1),
    ],
)
def test_a_report_is_recorded_whole_or_not_at_all(
    account: Account, portal: Caller, one: SubUser, field: str, value: Any
) -> None:
    """With one value refused nothing is recorded, and the refusal names the report and the field."""
    row = {"sub_user_id": one.sub_user_id, "llm_tokens": 1}
    answer = portal.post(f"{account.path}/usage", json={"usage": [row, {**row, field: value}]})
    problem = require_problem(answer, 422, "invalid-input", "usage")
    assert set(problem["errors"]["usage"]) == {"1"}
    assert set(problem["errors"]["usage"]["1"]) == {field}
    assert account.rows(action="sub_user.usage_recorded") == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_no_json(account: Account, portal: Caller, one: SubUser, number: str) -> None:
    """400; and a number that is too large for one is out of range."""
    body = f'{{"sub_user_id": "{one.sub_user_id}", "conversation_minutes": {number}}}'
    answer = portal.post(f"{account.path}/usage", data=body, content_type="application/json")
    require_problem(answer, 400, "malformed-body")
    answer = portal.post(f"{account.path}/usage", data=body.replace(number, "1e400"), content_type="application/json")
    require_problem(answer, 422, "invalid-input", "conversation_minutes")


@pytest.mark.parametrize(
    ("told", "counted"),
    [(0, 0), (-0.0, 0), (100_000, 100_000), (1.0, 1), (0.1 + 0.2, 0.3), (35 * 0.001, 0.035), (99_999.999, 99_999.999)],
)
def test_minutes_are_taken_to_the_thousandth(account: Account, one: SubUser, told: float, counted: float) -> None:
    """Also where calculating left something at the sixteenth digit."""
    assert report(one, conversation_minutes=told).status_code == 201
    assert shown(account, **MAY)["total"]["conversation_minutes"] == counted
    assert json.dumps(shown(account, **MAY)["total"]["conversation_minutes"]) == json.dumps(counted)


def test_hidden_and_deleted_sub_users(account: Account) -> None:
    """Hidden ones are listed where they are asked for, marked; deleted ones without a name; all count."""
    seen, hidden, gone = account.let_in(), account.let_in(visible=False, name="Ada"), account.let_in(name="Canary")
    for one in (seen, hidden, gone):
        report(one, llm_tokens=10)
    account.portal.delete(gone.path)
    for visibility, ids in (("visible", [seen]), ("hidden", [hidden]), ("all", [seen, hidden])):
        found = shown(account, **MAY, visibility=visibility)
        assert (found["total"]["llm_tokens"], found["deleted"]["llm_tokens"]) == (30, 10)
        assert {row["sub_user_id"] for row in found["sub_users"]} == {one.sub_user_id for one in ids}
        assert all(row["visible"] == (row["sub_user_id"] == seen.sub_user_id) for row in found["sub_users"])
        assert "Canary" not in json.dumps(found)
    assert shown(account, **MAY) == shown(account, **MAY, visibility="visible")


def test_a_plan_and_how_it_stands(account: Account, portal: Caller, one: SubUser) -> None:
    """200 with what is so now; the same again changes nothing."""
    answer = portal.put(f"{account.path}/plan", json=PLAN)
    assert (answer.status_code, answer.json) == (200, PLAN)
    assert int(answer.headers["Event-Position"]) == account.rows()[0]["position"]
    assert account.rows()[0]["details"] == PLAN
    again = portal.put(f"{account.path}/plan", json=PLAN)
    assert (again.status_code, again.json, "Event-Position" in again.headers) == (200, PLAN, False)
    report(one, llm_tokens=7, conversation_minutes=2.5, occurred_at=datetime.now(UTC).isoformat())

    plan = shown(account)["plan"]

    assert {**plan, **PLAN} == plan
    assert (plan["used_minutes"], plan["used_tokens"]) == (2.5, 7)
    assert plan["since"] <= datetime.now(UTC).date().isoformat() < plan["until"]
    assert plan["since"].endswith("-15")
    assert shown(account)["since"] == plan["since"]
    assert shown(account)["until"] == (datetime.now(UTC).date() + timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            (field, value)
            for field in ("included_minutes", "included_tokens")
            for value in (-1, 0.5, 10**16, True, "1", None)
        ),
        *(("period_start", value) for value in ("2026-02-30", "2026-05", "1 May", "", 20260501, *NO_DAYS)),
        *(("period_start", value) for value in ("2026-05-01T00:00:01Z", "2026-05-01T00:00:00+02:00", "2026-W18-5")),
    ],
)
def test_what_is_no_plan_is_refused(account: Account, portal: Caller, field: str, value: Any) -> None:
    """422 naming the field, and nothing has changed; so it is where one is missing."""
    wrong = portal.put(f"{account.path}/plan", json={**PLAN, field: value})
    require_problem(wrong, 422, "invalid-input", field)
    missing = portal.put(f"{account.path}/plan", json={name: PLAN[name] for name in PLAN if name != field})
    require_problem(missing, 422, "invalid-input", field)
    assert shown(account)["plan"] is None


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"since": "2026-05-02", "until": "2026-05-02"}, "until"),
        ({"since": "2026-05-02", "until": "2026-05-01"}, "until"),
        ({"since": "2026-05-01", "until": "2027-05-03"}, "until"),
        ({"since": "0001-01-01"}, "until"),
        ({"since": "9999-12-31"}, "until"),
        ({"until": "0001-01-01"}, "until"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-05-01T12:00:00Z"}, "since"),
        ({"until": "2026-05-01T00:00:00-01:00"}, "until"),
        ({"visibility": "everybody"}, "visibility"),
        ({"limit": "5"}, "limit"),
    ],
)
def test_days_that_cannot_be_counted(account: Account, portal: Caller, query: dict[str, str], named: str) -> None:
    """422 naming the parameter."""
    answer = portal.get(f"{account.path}/usage", query_string=query)
    require_problem(answer, 422, "invalid-input", named)


def test_days_may_be_told_as_the_moments_at_which_they_begin(account: Account, one: SubUser) -> None:
    """In UTC, whatever the offset."""
    report(one, llm_tokens=1)
    times = {"since": "2026-05-01T00:00:00Z", "until": "2026-06-01T02:00:00+02:00"}
    assert shown(account, **times) == shown(account, **MAY)


def test_a_report_is_counted_once_with_a_key(account: Account, portal: Caller, one: SubUser) -> None:
    """The same key and body get the first answer again; another body is refused."""
    body = {"usage": [{"sub_user_id": one.sub_user_id, "llm_tokens": 5, "occurred_at": NOON}]}
    key = {"Idempotency-Key": str(uuid4())}
    first, again = (portal.post(f"{account.path}/usage", json=body, headers=key) for _ in range(2))
    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Event-Position"] == first.headers["Event-Position"]
    assert shown(account, **MAY)["total"]["llm_tokens"] == 5
    other = portal.post(f"{account.path}/usage", json={"usage": body["usage"] * 2}, headers=key)
    require_problem(other, 422, "invalid-input", "Idempotency-Key")


def test_a_closed_account(account: Account, portal: Caller, one: SubUser) -> None:
    """Late reports are taken and can be read; its plan stays as it is."""
    portal.delete(account.path)
    assert report(one, llm_tokens=5).status_code == 201
    assert shown(account, **MAY)["total"]["llm_tokens"] == 5
    require_problem(portal.put(f"{account.path}/plan", json=PLAN), 409, "account-closed")


def test_an_account_that_nobody_registered_is_not_found(portal: Caller) -> None:
    """404 for each."""
    path = f"/v1/accounts/{uuid4()}"
    row = {"sub_user_id": str(uuid4()), "llm_tokens": 1}
    require_problem(portal.post(f"{path}/usage", json={"usage": [row]}), 404, "account-not-found")
    require_problem(portal.get(f"{path}/usage"), 404, "account-not-found")
    require_problem(portal.put(f"{path}/plan", json=PLAN), 404, "account-not-found")


def test_thresholds_are_published_thin(own_doors: Doors) -> None:
    """With what was used and what is included, and nothing personal, in the feed of the account."""
    account = own_doors.account()
    one = account.let_in()
    today = datetime.now(UTC)
    account.portal.put(f"{account.path}/plan", json={**PLAN, "period_start": today.date().isoformat()})
    report(one, conversation_minutes=80, occurred_at=today.isoformat())
    shown(account)
    while own_doors.service.usage.check_next():
        pass

    answer = own_doors.analytics.get("/v1/events", query_string={"limit": 100})

    items: list[Any] = answer.json["items"]  # type: ignore[index]
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
    assert (used["subject"], used["accountid"]) == (one.sub_user_id, account.account_id)
    assert (used["data"]["conversation_ms"], used["data"]["llm_tokens"]) == (4_800_000, 0)
    assert set(used["data"]) == {"conversation_ms", "llm_tokens", "occurred_at"}
