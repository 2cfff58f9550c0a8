"""Changes of the permission catalogue, and what depends on it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from application.commands.access_control import NewGrant, PermissionCatalogues
from application.commands.api_keys import Limits, Scope
from domain.permission_catalogue import CATALOGUE_ID, INITIAL_CATALOGUE
from domain.roles import OPERATOR, Resource
from tests.api.clients import ApiClient, ApiClients, require_problem
from tests.api_keys import BY_OPERATOR
from tests.application.gaps import pad
from tests.builders import PORTAL, Company
from tests.waiting import inject_after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.bootstrap.service import Service
    from domain.main_account import MainAccount
    from domain.permission_catalogue import Permission
    from tests.conftest import TravelingClock

ALL = INITIAL_CATALOGUE.permissions
WITHOUT_TOOLS = [permission for permission in ALL if permission.name != "tools"]


def set_catalogue(service: Service, permissions: Sequence[Permission]) -> None:
    service.commands.catalogues.replace(permissions, PORTAL, remove_from_roles=True)


def create_role(company: Company, *permissions: str) -> UUID:
    roles = company.service.commands.roles
    return roles.create(company.account_id, PORTAL, name="assistant", permissions=frozenset(permissions)).value.role_id


@pytest.mark.parametrize("is_erased", [False, True])
def test_a_closed_account_does_not_keep_the_catalogue_from_changing(service: Service, is_erased: bool) -> None:
    """An erased account has no key, with which an event could be encrypted."""
    company = Company.register(service)
    create_role(company, "tools")
    if is_erased:
        service.commands.erasures.erase_account(company.account_id)
    else:
        service.commands.accounts.close(company.account_id, PORTAL)
    version = company.state().version
    set_catalogue(service, WITHOUT_TOOLS)
    assert company.state().version == version


def test_a_repeated_change_loads_only_accounts_that_changed(
    build: Callable[..., Service], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many accounts, loading all of them anew would take so long that one changes again."""
    companies = [Company.register(service) for _ in range(5)]
    for company in companies:
        create_role(company, "tools")
    loaded: list[UUID] = []
    load = service.main_accounts.load

    def record_and_load(account_id: UUID) -> MainAccount:
        loaded.append(account_id)
        return load(account_id)

    monkeypatch.setattr(service.main_accounts, "load", record_and_load)
    change = partial(pad, companies[2], 1, build())
    inject_after(monkeypatch, PermissionCatalogues, "_load_outdated", change)
    set_catalogue(service, WITHOUT_TOOLS)
    assert loaded == [*sorted(company.account_id for company in companies), companies[2].account_id]
    assert all(role.permissions == set() for company in companies for role in company.state().roles.values())


def test_times_of_the_catalogue_do_not_go_backwards(service: Service, clock: TravelingClock) -> None:
    """Past access finds the catalogue of a time by a binary search."""
    clock.freeze()
    set_catalogue(service, WITHOUT_TOOLS)
    clock.advance(seconds=-5)
    set_catalogue(service, ALL)
    first, second = service.main_accounts.events.get(CATALOGUE_ID)
    assert first.timestamp == second.timestamp  # type: ignore[attr-defined]  # every event has it


def test_a_list_of_resources_follows_one_catalogue(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The type of a permission changes while the resources are read: the list has those of the new type."""
    company = Company.register(service)
    sub_user = company.create_with_own_password()
    grants = [NewGrant(OPERATOR, Resource(resource_type, "1")) for resource_type in ("assistant", "tool")]
    service.commands.grants.replace(company.account_id, sub_user.sub_user_id, grants, PORTAL)
    changed = [replace(ALL[0], resource_type="tool"), *ALL[1:]]
    inject_after(monkeypatch, PermissionCatalogues, "current", lambda: set_catalogue(service, changed))
    access = service.commands.access
    allowed = access.resources_of_sub_user(company.account_id, sub_user.sub_user_id, ALL[0].name)
    assert allowed.resources == [Resource("tool", "1")]


def test_a_key_of_some_accounts_cannot_change_the_catalogue(own_clients: ApiClients) -> None:
    """It is the catalogue of all accounts. The key can read it."""
    account = own_clients.register_account()
    limits = Limits(accounts=frozenset({UUID(account.account_id)}))
    key = own_clients.service.commands.api_keys.create(Scope.PORTAL, "of one account", BY_OPERATOR, limits)
    client = ApiClient.with_key(own_clients.app, key)
    body = {"permissions": [{"name": "tools"}], "remove_from_roles": True}
    require_problem(client.put("/v1/permissions", json=body), 403, "account-not-allowed")
    assert client.get("/v1/permissions").json["revision"] == 0  # type: ignore[index]


@pytest.mark.parametrize("name", ["tools\n", "Tools", "tools ", "tools\0", "t" * 65, "1tools", ""])
def test_names_are_checked_as_a_whole(clients: ApiClients, name: str) -> None:
    """Events and rows keep the names of a role separated by spaces."""
    account = clients.register_account()
    catalogue = {"permissions": [{"name": name}]}
    require_problem(clients.portal.put("/v1/permissions", json=catalogue), 422, "invalid-input", "permissions")
    role = {"name": "editor", "permissions": [name]}
    require_problem(clients.portal.post(f"{account.path}/roles", json=role), 422, "invalid-input", "permissions")
    query = {"permission": name}
    require_problem(
        clients.portal.get(f"{account.path}/access", query_string=query), 422, "invalid-input", "permission"
    )
