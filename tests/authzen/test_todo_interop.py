"""The interop scenario of AuthZEN: who may do what with the todos of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.authzen.policy_decision_point import PolicyDecisionPoint

DECISIONS = json.loads((Path(__file__).parent / "interop" / "decisions-authorization-api-1_0-02.json").read_text())

PERMISSIONS = {
    "can_read_user": "user",
    "can_read_todos": "todo",
    "can_create_todo": "todo",
    "can_update_todo": "todo",
    "can_delete_todo": "todo",
}
VIEWER = ("can_read_user", "can_read_todos")
EDITOR = (*VIEWER, "can_create_todo")
ROLES = {
    "viewer": VIEWER,
    "editor": EDITOR,
    "admin": (*EDITOR, "can_delete_todo"),
    "evil_genius": (*EDITOR, "can_update_todo"),
    "owner": ("can_update_todo", "can_delete_todo"),
}
"""The scenario's roles. The owner's is granted on the todos of a person: here, ownership is a grant, no property."""

USERS = {
    "CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs": ("rick@the-citadel.com", "admin", "evil_genius"),
    "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs": ("morty@the-citadel.com", "editor"),
    "CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs": ("summer@the-smiths.com", "editor"),
    "CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs": ("beth@the-smiths.com", "viewer"),
    "CiRmZDQ2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs": ("jerry@the-smiths.com", "viewer"),
}
"""E-mail and roles of the scenario's users by id (docs/scenarios/todo-1.1 of the same repository)."""


@pytest.fixture(scope="module")
def todo_application(point: PolicyDecisionPoint) -> PolicyDecisionPoint:
    point.set_permissions(PERMISSIONS)
    role_ids = {name: point.create_role(f"todo {name}", permissions) for name, permissions in ROLES.items()}
    for user_id, (email, *roles) in USERS.items():
        grants: list[dict[str, Any]] = [{"role_id": role_ids[role]} for role in roles]
        if "viewer" not in roles:  # a viewer may not change even their own todos
            todos = [{"type": "todo", "id": todo_id} for todo_id, owner in todo_owners().items() if owner == email]
            grants += [{"role_id": role_ids["owner"], "resource": todo} for todo in todos]
        point.add_user(user_id, *grants)
    return point


def todo_owners() -> dict[str, str]:
    """Return the owners of the scenario's todos, which its requests have as a property."""
    resources = [case["request"]["resource"] for case in DECISIONS["evaluation"]]
    return {thing["id"]: thing["properties"]["ownerID"] for thing in resources if "properties" in thing}


def test_every_published_decision_is_made(todo_application: PolicyDecisionPoint) -> None:
    cases = DECISIONS["evaluation"]
    decisions = [todo_application.ask("evaluation", case["request"])["decision"] for case in cases]
    assert decisions == [case["expected"] for case in cases]
    assert len(cases) == 40


def test_every_published_batch_is_decided(todo_application: PolicyDecisionPoint) -> None:
    cases = DECISIONS["evaluations"]
    for case in cases:
        evaluations = todo_application.ask("evaluations", case["request"])["evaluations"]
        expected = [evaluation["decision"] for evaluation in case["expected"]]
        assert [evaluation["decision"] for evaluation in evaluations] == expected
    assert len(cases) == 3
