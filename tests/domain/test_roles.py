"""Roles and grants of an account, and the limits of both."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain import events, refusals
from domain.event_metadata import Ciphertext
from domain.main_account import MainAccount
from domain.roles import MAX_GRANTS, MAX_ROLES, OPERATOR, VIEWER, Grant, Resource, Role
from tests.domain.event_builders import LUCA, MARIA, REGISTERED, UNKNOWN_SUB_USER, created, deleted
from tests.domain.given_when_then import LATER, event_spec, given, then_refused, when

ROLE = UUID("40000000-0000-4000-8000-000000000001")
RECEPTION = Resource("assistant", "a-1")


def role(role_id: UUID = ROLE, *permissions: str) -> Role:
    return Role(role_id, Ciphertext("name"), Ciphertext("description"), frozenset(permissions))


def role_created(role_id: UUID = ROLE, permissions: str = "") -> Any:
    texts = {"name": Ciphertext("name"), "description": Ciphertext("description")}
    return event_spec(events.RoleCreated, role_id=role_id, permissions=permissions, **texts)


def granted(grant: Grant) -> Any:
    return event_spec(events.RoleGranted, **grant_fields(grant), resource_label=None, expires_at=grant.expires_at)


def revoked(grant: Grant) -> Any:
    return event_spec(events.RoleRevoked, **grant_fields(grant))


def grant_fields(grant: Grant) -> dict[str, Any]:
    return {
        "sub_user_id": grant.sub_user_id,
        "grant_id": grant.grant_id,
        "role_id": grant.role_id,
        "resource_type": grant.resource.type if grant.resource else None,
        "resource_id": grant.resource.id if grant.resource else None,
    }


def grant(number: int = 1, sub_user_id: UUID = MARIA, role_id: UUID = ROLE, resource: Resource | None = None) -> Grant:
    return Grant(UUID(int=number), sub_user_id, role_id, resource)


def test_a_role_is_created_with_its_permissions() -> None:
    account = given(REGISTERED)
    recorded = when(account, MainAccount.create_role, role(ROLE, "tools", "assistants"), has_unique_name=True)
    assert recorded == [role_created(permissions="assistants tools")]
    assert account.own_role(ROLE).permissions == {"assistants", "tools"}


def test_roles_are_limited_and_have_unique_names() -> None:
    account = given(REGISTERED, *(role_created(UUID(int=number)) for number in range(MAX_ROLES)))
    then_refused(refusals.RoleLimitReached, account, MainAccount.create_role, role(), has_unique_name=True)
    then_refused(refusals.RoleNameTaken, given(REGISTERED), MainAccount.create_role, role(), has_unique_name=False)


def test_the_same_permissions_record_nothing() -> None:
    account = given(REGISTERED, role_created(permissions="assistants"))
    assert when(account, MainAccount.change_role, ROLE, permissions=frozenset({"assistants"})) == []
    (changed,) = when(account, MainAccount.change_role, ROLE, permissions=frozenset())
    assert changed.fields["permissions"] == ""
    assert account.own_role(ROLE).permissions == frozenset()


@pytest.mark.parametrize("built_in", [OPERATOR, VIEWER])
def test_built_in_roles_cannot_be_changed_or_deleted(built_in: UUID) -> None:
    then_refused(refusals.RoleIsBuiltIn, given(REGISTERED), MainAccount.change_role, built_in)
    then_refused(refusals.RoleIsBuiltIn, given(REGISTERED), MainAccount.delete_role, built_in)


def test_a_role_in_use_cannot_be_deleted() -> None:
    """Whether on everything or on one resource, also if the grant has expired."""
    expired = Grant(UUID(int=1), MARIA, ROLE, RECEPTION, expires_at=LATER)
    account = given(REGISTERED, created(MARIA), role_created(), granted(expired))
    then_refused(refusals.RoleInUse, account, MainAccount.delete_role, ROLE)
    when(account, MainAccount.revoke_role, expired)
    assert when(account, MainAccount.delete_role, ROLE) == [event_spec(events.RoleDeleted, role_id=ROLE)]


def test_a_role_is_not_in_use_by_a_deleted_sub_user() -> None:
    account = given(REGISTERED, created(MARIA), role_created(), granted(grant()), deleted(MARIA))
    assert account.holders_of(ROLE) == 0
    assert when(account, MainAccount.delete_role, ROLE) == [event_spec(events.RoleDeleted, role_id=ROLE)]


def test_a_new_sub_user_has_the_role_operator() -> None:
    assert given(REGISTERED, created(MARIA), created(LUCA)).holders_of(OPERATOR) == 2


def test_a_role_is_granted_and_revoked() -> None:
    account = given(REGISTERED, created(MARIA), role_created())
    on_reception = grant(resource=RECEPTION)
    assert when(account, MainAccount.grant_role, on_reception, None) == [granted(on_reception)]
    assert account.holders_of(ROLE) == 1
    assert when(account, MainAccount.revoke_role, on_reception) == [revoked(on_reception)]
    assert account.holders_of(ROLE) == 0


def test_a_sub_user_with_a_role_twice_is_one_holder() -> None:
    account = given(REGISTERED, created(MARIA), role_created(), granted(grant(1)), granted(grant(2)))
    assert account.holders_of(ROLE) == 1
    when(account, MainAccount.revoke_role, grant(1))
    assert account.holders_of(ROLE) == 1


def test_grants_need_a_sub_user_and_a_role() -> None:
    account = given(REGISTERED, created(MARIA))
    unknown = grant(sub_user_id=UNKNOWN_SUB_USER, role_id=VIEWER)
    then_refused(refusals.SubUserNotFound, account, MainAccount.grant_role, unknown, None)
    then_refused(refusals.RoleNotFound, account, MainAccount.grant_role, grant(), None)


def test_grants_of_a_sub_user_are_limited() -> None:
    """The first grant, Operator on everything, counts too."""
    grants = [granted(grant(number, role_id=VIEWER)) for number in range(MAX_GRANTS - 1)]
    account = given(REGISTERED, created(MARIA), created(LUCA), *grants)
    then_refused(refusals.GrantLimitReached, account, MainAccount.grant_role, grant(0, role_id=VIEWER), None)
    assert when(account, MainAccount.grant_role, grant(0, LUCA, VIEWER), None)


def test_withdrawn_permissions_leave_every_role_that_has_them() -> None:
    other, third = UUID(int=8), UUID(int=9)
    account = given(
        REGISTERED,
        role_created(ROLE, "assistants tools"),
        role_created(other, "tools"),
        role_created(third, "assistants"),
    )
    recorded = when(account, MainAccount.withdraw_permissions, frozenset({"tools", "reports"}))
    assert [(spec.fields["role_id"], spec.fields["permissions"]) for spec in recorded] == [
        (ROLE, "assistants"),
        (other, ""),
    ]


def test_a_closed_account_changes_no_roles() -> None:
    account = given(REGISTERED, created(MARIA), role_created(), event_spec(events.MainAccountClosed))
    then_refused(refusals.AccountIsClosed, account, MainAccount.create_role, role(), has_unique_name=True)
    then_refused(refusals.AccountIsClosed, account, MainAccount.change_role, ROLE)
    then_refused(refusals.AccountIsClosed, account, MainAccount.delete_role, ROLE)
    then_refused(refusals.AccountIsClosed, account, MainAccount.grant_role, grant(), None)
    then_refused(refusals.AccountIsClosed, account, MainAccount.revoke_role, grant())
