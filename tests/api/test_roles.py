"""Roles over HTTP: catalogue, roles, grants, and every way to ask about access."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from domain.roles import OPERATOR, VIEWER
from tests.api.clients import ApiClients, require_problem

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import Account, SubUser
    from tests.conftest import TravelingClock

ONE, OTHER = {"type": "assistant", "id": "a-1"}, {"type": "assistant", "id": "a-2"}


@pytest.fixture
def grace(account: Account) -> SubUser:
    """Return a sub-user with their own password."""
    return account.create_with_own_password()


def answer(response: TestResponse, status: int = 200) -> Any:
    """Return the JSON of a response with this status."""
    assert response.status_code == status, response.text
    return response.json


def check(sub_user: SubUser, permission: str, resource: dict[str, str] | None = None) -> bool:
    """Ask in every way, require the same answer, and return it."""
    portal = sub_user.account.portal
    body: dict[str, Any] = {"token": sub_user.new_token(), "permission": permission}
    body |= {"resource": resource} if resource is not None else {}
    checks = [{"permission": permission, "resource": resource}]
    introspection = answer(portal.post("/v1/sessions/introspect", json={**body, "checks": checks}))
    subject = {"type": "sub_user", "id": str(sub_user.sub_user_id)}
    entity = resource or {"type": "account", "id": str(sub_user.account.account_id)}
    evaluation = {"subject": subject, "action": {"name": permission}, "resource": entity}
    decision = answer(portal.post("/access/v1/evaluation", json=evaluation))
    batch = answer(portal.post("/access/v1/evaluations", json={**evaluation, "evaluations": [{}, {}]}))
    query = {"permission": permission}
    query |= {"resource_type": resource["type"], "resource_id": resource["id"]} if resource is not None else {}
    holders = answer(portal.get(f"{sub_user.account.path}/access", query_string=query))["items"]
    actions = answer(portal.post("/access/v1/search/action", json={"subject": subject, "resource": entity}))["results"]
    context = {"account_id": str(sub_user.account.account_id)}
    search = {"subject": {"type": "sub_user"}, "action": {"name": permission}, "resource": entity, "context": context}
    subjects = answer(portal.post("/access/v1/search/subject", json=search))["results"]
    answers: list[bool] = [
        introspection["allowed"],
        introspection["checks"][0]["allowed"],
        decision["decision"],
        *(evaluation["decision"] for evaluation in batch["evaluations"]),
        str(sub_user.sub_user_id) in {holder["sub_user_id"] for holder in holders},
        {"name": permission} in actions,
        subject in subjects,
    ]
    assert len(set(answers)) == 1, answers
    if resource is None:
        assert (permission in introspection["permissions"]) is answers[0]
    return answers[0]


def test_a_new_sub_user_may_do_all_that_is_not_reserved(grace: SubUser) -> None:
    assert check(grace, "assistants")
    assert check(grace, "assistants", ONE)
    assert check(grace, "reports")
    assert not check(grace, "billing_settings")


def test_a_grant_on_one_resource_allows_nothing_else(grace: SubUser) -> None:
    role_id = grace.account.create_role("assistants", "reports")
    grace.set_grants({"role_id": role_id, "resource": {**ONE, "label": "Reception"}})
    assert check(grace, "assistants", ONE)
    assert not check(grace, "assistants", OTHER)
    assert not check(grace, "assistants")
    assert not check(grace, "reports")
    assert not check(grace, "tools", {"type": "tool", "id": "a-1"})


def test_a_resource_of_another_type_is_refused(grace: SubUser) -> None:
    """Even if the role is granted on everything."""
    assert not check(grace, "assistants", {"type": "tool", "id": "a-1"})
    assert not check(grace, "reports", ONE)


def test_viewers_may_only_read(grace: SubUser) -> None:
    grace.set_grants({"role_id": str(VIEWER)})
    assert check(grace, "reports")
    assert not check(grace, "assistants", ONE)


def test_a_revoked_grant_allows_nothing(grace: SubUser) -> None:
    (grant,) = grace.set_grants({"role_id": str(OPERATOR)})
    response = grace.account.portal.delete(f"{grace.path}/grants/{grant['grant_id']}")
    assert response.status_code == 204
    assert not check(grace, "assistants")
    require_problem(grace.account.portal.delete(f"{grace.path}/grants/{grant['grant_id']}"), 404, "grant-not-found")


def test_a_changed_role_counts_at_once(grace: SubUser) -> None:
    role_id = grace.account.create_role("assistants")
    grace.set_grants({"role_id": role_id})
    path = f"{grace.account.path}/roles/{role_id}"
    assert grace.account.portal.patch(path, json={"permissions": ["tools"]}).status_code == 200
    assert not check(grace, "assistants")
    assert check(grace, "tools")


def test_a_grant_ends_at_its_expiry(own_clients: ApiClients, clock: TravelingClock) -> None:
    grace = own_clients.register_account().create_with_own_password()
    clock.freeze()
    expires_at = clock() + timedelta(minutes=5)
    grace.set_grants({"role_id": str(OPERATOR), "expires_at": expires_at.isoformat()})
    clock.advance(minutes=5, microseconds=-1)
    assert check(grace, "assistants")
    clock.advance(microseconds=1)
    assert not check(grace, "assistants")
