"""Roles that are refused: names that are taken, built-in roles, roles in use, limits, and closed accounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.roles import MAX_ROLES, OPERATOR, VIEWER
from tests.api.clients import require_problem

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClients

BUILT_IN = {"operator": str(OPERATOR), "viewer": str(VIEWER)}


def create(account: Account, name: str, *permissions: str) -> TestResponse:
    return account.portal.post(f"{account.path}/roles", json={"name": name, "permissions": permissions})


def change(account: Account, role_id: str, **changes: Any) -> TestResponse:
    return account.portal.patch(f"{account.path}/roles/{role_id}", json=changes)


def own_names(account: Account) -> list[str]:
    items: Any = account.portal.get(f"{account.path}/roles").json
    return [role["name"] for role in items["items"] if role["built_in"] is None]


def test_the_list_begins_with_the_built_in_roles_and_sorts_the_others_by_name(account: Account) -> None:
    for name in ("editors", "Auditors", "Éditeurs"):
        create(account, name)
    items: Any = account.portal.get(f"{account.path}/roles").json
    assert [role["built_in"] for role in items["items"][:2]] == ["operator", "viewer"]
    assert own_names(account) == ["Auditors", "editors", "Éditeurs"]


@pytest.mark.parametrize("name", ["Editors", "EDITORS", " editors ", "Operator", "vIEWER"])
def test_a_name_is_taken_whatever_its_case(account: Account, name: str) -> None:
    """The names of built-in roles are taken too. Nothing changes."""
    assert create(account, "Editors").status_code == 201
    other: Any = create(account, "Others").json
    require_problem(create(account, name), 409, "role-name-taken")
    require_problem(change(account, other["role_id"], name=name, permissions=["tools"]), 409, "role-name-taken")
    assert own_names(account) == ["Editors", "Others"]
    assert account.portal.get(f"{account.path}/roles/{other['role_id']}").json == other


def test_a_role_keeps_its_name_and_may_change_its_case(clients: ApiClients, account: Account) -> None:
    """Another account may use the same name."""
    role_id = create(account, "Editors").json["role_id"]  # type: ignore[index]
    assert "Event-Position" not in change(account, role_id, name="Editors").headers
    assert change(account, role_id, name="EDITORS").json["name"] == "EDITORS"  # type: ignore[index]
    assert create(clients.register_account(), "editors").status_code == 201


@pytest.mark.parametrize("role_id", BUILT_IN.values(), ids=BUILT_IN)
def test_built_in_roles_cannot_be_changed_or_deleted(account: Account, role_id: str) -> None:
    path = f"{account.path}/roles/{role_id}"
    before = account.portal.get(path)
    assert before.status_code == 200
    require_problem(change(account, role_id, name="Other"), 409, "role-built-in")
    require_problem(change(account, role_id, permissions=[]), 409, "role-built-in")
    require_problem(account.portal.delete(path), 409, "role-built-in")
    assert account.portal.get(path).json == before.json


def test_a_role_in_use_cannot_be_deleted(account: Account) -> None:
    """Nor if it is only granted on one resource. It can once its last grant is revoked."""
    role_id = account.create_role("assistants")
    path = f"{account.path}/roles/{role_id}"
    sub_user = account.create_sub_user()
    resource = {"type": "assistant", "id": "a-1"}
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for grant in ({"role_id": role_id, "resource": resource}, {"role_id": role_id, "expires_at": in_an_hour}):
        sub_user.set_grants(grant)
        require_problem(account.portal.delete(path), 409, "role-in-use")
    sub_user.set_grants()
    assert account.portal.delete(path).status_code == 204
    require_problem(account.portal.get(path), 404, "role-not-found")


def test_a_role_is_free_after_its_holder_is_deleted(account: Account) -> None:
    role_id = account.create_role("assistants")
    sub_user = account.create_sub_user(grants=[{"role_id": role_id}])
    assert account.portal.get(f"{account.path}/roles/{role_id}").json["holders"] == 1  # type: ignore[index]
    account.portal.delete(sub_user.path)
    assert account.portal.delete(f"{account.path}/roles/{role_id}").status_code == 204


def test_an_account_has_up_to_50_roles_of_its_own(account: Account) -> None:
    """One more is refused until one is deleted."""
    role_ids = [account.create_role() for _ in range(MAX_ROLES)]
    require_problem(create(account, "one more"), 409, "role-limit-reached")
    account.portal.delete(f"{account.path}/roles/{role_ids[0]}")
    assert create(account, "one more").status_code == 201


@pytest.mark.parametrize("permission", ["assistants.edit", "sub_user_management", "billing_settings"])
def test_only_grantable_permissions_are_accepted(account: Account, permission: str) -> None:
    """One that the catalogue does not have is refused like one that is reserved for the owner."""
    role_id = account.create_role("tools")
    require_problem(create(account, "Others", "tools", permission), 422, "invalid-input", "permissions")
    require_problem(change(account, role_id, permissions=[permission]), 422, "invalid-input", "permissions")
    assert account.portal.get(f"{account.path}/roles/{role_id}").json["permissions"] == ["tools"]  # type: ignore[index]


def test_a_role_of_another_account_is_not_found(clients: ApiClients, account: Account) -> None:
    role_id = clients.register_account().create_role("tools")
    for unknown in (role_id, str(uuid4())):
        path = f"{account.path}/roles/{unknown}"
        require_problem(account.portal.get(path), 404, "role-not-found")
        require_problem(account.portal.delete(path), 404, "role-not-found")
        require_problem(change(account, unknown, name="Mine"), 404, "role-not-found")


def test_a_closed_account_can_be_read_only(account: Account) -> None:
    role_id = account.create_role("tools")
    sub_user = account.create_sub_user()
    account.portal.delete(account.path)
    grants = f"{sub_user.path}/grants"
    assert account.portal.get(f"{account.path}/roles").status_code == 200
    assert len(sub_user.grants()) == 1
    for response in (
        create(account, "Others"),
        change(account, role_id, name="Others"),
        account.portal.delete(f"{account.path}/roles/{role_id}"),
        account.portal.post(grants, json={"role_id": str(VIEWER)}),
        account.portal.put(grants, json={"grants": []}),
        account.portal.delete(f"{grants}/{sub_user.sub_user_id}"),
    ):
        require_problem(response, 409, "account-closed")


def test_a_repeated_request_creates_one_role(account: Account) -> None:
    headers, body = {"Idempotency-Key": str(uuid4())}, {"name": "Editors", "permissions": ["assistants"]}
    first, repeated = (account.portal.post(f"{account.path}/roles", json=body, headers=headers) for _ in range(2))
    assert first.status_code == 201
    assert (repeated.data, repeated.headers["Location"]) == (first.data, first.headers["Location"])
    assert own_names(account) == ["Editors"]
    response = account.portal.post(f"{account.path}/roles", json={**body, "name": "Others"}, headers=headers)
    require_problem(response, 422, "invalid-input", "Idempotency-Key")
