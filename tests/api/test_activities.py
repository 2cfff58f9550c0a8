"""What the portal reports that sub-users did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.callers import require_problem

if TYPE_CHECKING:
    from tests.api.callers import Account, Caller


def test_activities_are_recorded_and_counted(account: Account, portal: Caller) -> None:
    """201 with how many they were, at a position in the history, and each is in the audit log as it was told."""
    one = account.let_in()
    told: list[dict[str, Any]] = [
        {
            "sub_user_id": one.sub_user_id,
            "action": "assistant.published",
            "target": "assistant 42",
            "details": {"version": 7, "channels": ["phone", "web"], "draft": None},
            "occurred_at": "2026-05-01T02:00:00+02:00",
        },
        {"sub_user_id": one.sub_user_id, "action": "report.read"},
    ]

    answer = portal.post(f"{account.path}/activities", json={"activities": told})

    assert (answer.status_code, answer.content_type) == (201, "application/json")
    assert answer.json == {"recorded": 2}
    second, first = account.rows()[:2]
    assert answer.headers["Event-Position"] == str(second["position"])
    assert (first["action"], first["target"]) == ("assistant.published", "assistant 42")
    assert first["details"] == told[0]["details"]
    assert first["occurred_at"] == "2026-05-01T00:00:00Z"
    assert first["actor"] == {"type": "sub_user", "id": one.sub_user_id, "name": "Grace Hopper"}
    assert (second["action"], second["target"], second["details"]) == ("report.read", None, None)
    assert second["occurred_at"] == second["recorded_at"]


def test_a_thousand_activities_fit_in_one_report(account: Account, portal: Caller) -> None:
    """1,000 are taken, 1,001 and none are refused."""
    row = {"sub_user_id": account.let_in().sub_user_id, "action": "tool.used", "details": "x" * 1000}
    answer = portal.post(f"{account.path}/activities", json={"activities": [row] * 1000})
    assert answer.json == {"recorded": 1000}
    for count in (0, 1001):
        refused = portal.post(f"{account.path}/activities", json={"activities": [row] * count})
        require_problem(refused, 422, "invalid-input", "activities")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sub_user_id", "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"),
        ("sub_user_id", "42"),
        ("action", "sub_user.deleted"),
        ("action", "main_account.closed"),
        ("action", "webhook.created"),
        ("action", "Assistant Published"),
        ("action", "publié"),
        ("action", "x" * 65),
        ("action", "line\n"),
        ("action", ""),
        ("target", "x" * 501),
        ("target", ""),
        ("target", {"id": 7}),
        ("details", "x" * 4000),
        ("details", {"nul": "a\0b"}),
        ("details", {"\0": 1}),
        ("details", ["\ud800"]),
        ("occurred_at", "yesterday"),
        ("occurred_at", "2026-05-01T00:00:00"),
        ("occurred_at", "2026-05-01"),
        ("occurred_at", "2026-13-01T00:00:00Z"),
        ("occurred_at", "0000-01-01T00:00:00Z"),
        ("occurred_at", "0001-01-01T00:00:00+14:00"),
        ("occurred_at", "9999-12-31T23:59:59-14:00"),
        ("occurred_at", 1777593600),
    ],
)
def test_a_report_is_recorded_whole_or_not_at_all(account: Account, portal: Caller, field: str, value: Any) -> None:
    """With one value refused nothing is recorded, and the refusal names the activity and the field."""
    row = {"sub_user_id": account.let_in().sub_user_id, "action": "tool.used"}
    answer = portal.post(f"{account.path}/activities", json={"activities": [row, {**row, field: value}]})
    problem = require_problem(answer, 422, "invalid-input", "activities")
    assert set(problem["errors"]["activities"]) == {"1"}
    assert set(problem["errors"]["activities"]["1"]) == {field}
    assert account.rows()[0]["action"] == "sub_user.created"


@pytest.mark.parametrize(
    "details",
    [None, False, 0, -1.5, 2**200, "", "plain", "back\\u0000slash", [], {}, [[[]]], {"é": "🦤"}, {"": {"a": [1, {}]}}],
)
def test_details_are_any_json(account: Account, portal: Caller, details: Any) -> None:
    """What is told is what the audit log shows."""
    row = {"sub_user_id": account.let_in().sub_user_id, "action": "tool.used", "details": details}
    assert portal.post(f"{account.path}/activities", json={"activities": [row]}).status_code == 201
    assert account.rows()[0]["details"] == details


@pytest.mark.parametrize("levels", [17, 300, 900])
def test_details_are_16_levels_deep_at_the_most(account: Account, portal: Caller, levels: int) -> None:
    """A level more is refused, and so are hundreds."""
    sub_user_id = account.let_in().sub_user_id
    for opening, closing in ("[]", ('{"a":', "}")):
        text = opening * levels + ("1" if closing == "}" else "") + closing * levels
        body = f'{{"activities":[{{"sub_user_id":"{sub_user_id}","action":"a","details":{text}}}]}}'
        answer = portal.post(f"{account.path}/activities", data=body, content_type="application/json")
        require_problem(answer, 422, "invalid-input", "activities")


def test_what_somebody_did_before_they_were_deleted_can_be_told_no_more(account: Account, portal: Caller) -> None:
    """The key under which it would be kept is gone."""
    one = account.let_in()
    portal.delete(one.path)
    body = {"activities": [{"sub_user_id": one.sub_user_id, "action": "tool.used"}]}
    require_problem(portal.post(f"{account.path}/activities", json=body), 422, "invalid-input", "activities")


def test_activities_of_an_account_that_nobody_registered_are_not_found(portal: Caller) -> None:
    """404."""
    body = {"activities": [{"sub_user_id": str(uuid4()), "action": "tool.used"}]}
    require_problem(portal.post(f"/v1/accounts/{uuid4()}/activities", json=body), 404, "account-not-found")
