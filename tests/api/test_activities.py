"""Activities of sub-users that the portal reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.clients import require_problem

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClient


def test_activities_are_recorded_and_counted(account: Account, portal: ApiClient) -> None:
    """The response has their number and the last position; the audit log shows each as it was reported."""
    sub_user = account.create_sub_user()
    activities: list[dict[str, Any]] = [
        {
            "sub_user_id": sub_user.sub_user_id,
            "action": "assistant.published",
            "target": "assistant 42",
            "details": {"version": 7, "channels": ["phone", "web"], "draft": None},
            "occurred_at": "2026-05-01T02:00:00+02:00",
        },
        {"sub_user_id": sub_user.sub_user_id, "action": "report.read"},
    ]

    response = portal.post(f"{account.path}/activities", json={"activities": activities})

    assert (response.status_code, response.content_type) == (201, "application/json")
    assert response.json == {"recorded": 2}
    second, first = account.audit_log_rows()[:2]
    assert response.headers["Event-Position"] == str(second["position"])
    assert (first["action"], first["target"]) == ("assistant.published", "assistant 42")
    assert first["details"] == activities[0]["details"]
    assert first["occurred_at"] == "2026-05-01T00:00:00Z"
    actor = {name: first["actor"][name] for name in ("type", "id", "name")}
    assert actor == {"type": "sub_user", "id": sub_user.sub_user_id, "name": "Grace Hopper"}
    assert (second["action"], second["target"], second["details"]) == ("report.read", None, None)
    assert second["occurred_at"] == second["recorded_at"]


def test_request_has_between_1_and_1000_activities(account: Account, portal: ApiClient) -> None:
    activity = {"sub_user_id": account.create_sub_user().sub_user_id, "action": "tool.used", "details": "x" * 1000}
    response = portal.post(f"{account.path}/activities", json={"activities": [activity] * 1000})
    assert response.json == {"recorded": 1000}
    for count in (0, 1001):
        refused = portal.post(f"{account.path}/activities", json={"activities": [activity] * count})
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
def test_one_invalid_activity_refuses_the_whole_request(
    account: Account, portal: ApiClient, field: str, value: Any
) -> None:
    """The problem names the index of the activity and the field; nothing is recorded."""
    activity = {"sub_user_id": account.create_sub_user().sub_user_id, "action": "tool.used"}
    response = portal.post(f"{account.path}/activities", json={"activities": [activity, {**activity, field: value}]})
    problem = require_problem(response, 422, "invalid-input", "activities")
    assert set(problem["errors"]["activities"]) == {"1"}
    assert set(problem["errors"]["activities"]["1"]) == {field}
    assert account.audit_log_rows()[0]["action"] == "sub_user.created"


@pytest.mark.parametrize(
    "details",
    [None, False, 0, -1.5, 2**200, "", "plain", "back\\u0000slash", [], {}, [[[]]], {"é": "🦤"}, {"": {"a": [1, {}]}}],
)
def test_details_may_be_any_json(account: Account, portal: ApiClient, details: Any) -> None:
    """The audit log shows them as they were reported."""
    activity = {"sub_user_id": account.create_sub_user().sub_user_id, "action": "tool.used", "details": details}
    assert portal.post(f"{account.path}/activities", json={"activities": [activity]}).status_code == 201
    assert account.audit_log_rows()[0]["details"] == details


@pytest.mark.parametrize("levels", [17, 300, 900])
def test_details_deeper_than_16_levels_are_refused(account: Account, portal: ApiClient, levels: int) -> None:
    sub_user_id = account.create_sub_user().sub_user_id
    for opening, closing in ("[]", ('{"a":', "}")):
        text = opening * levels + ("1" if closing == "}" else "") + closing * levels
        body = f'{{"activities":[{{"sub_user_id":"{sub_user_id}","action":"a","details":{text}}}]}}'
        response = portal.post(f"{account.path}/activities", data=body, content_type="application/json")
        require_problem(response, 422, "invalid-input", "activities")


def test_activity_of_a_deleted_sub_user_is_refused(account: Account, portal: ApiClient) -> None:
    """The data key that would encrypt it no longer exists."""
    sub_user = account.create_sub_user()
    portal.delete(sub_user.path)
    body = {"activities": [{"sub_user_id": sub_user.sub_user_id, "action": "tool.used"}]}
    require_problem(portal.post(f"{account.path}/activities", json=body), 422, "invalid-input", "activities")


def test_activities_of_an_unknown_account_are_not_found(portal: ApiClient) -> None:
    body = {"activities": [{"sub_user_id": str(uuid4()), "action": "tool.used"}]}
    require_problem(portal.post(f"/v1/accounts/{uuid4()}/activities", json=body), 404, "account-not-found")
