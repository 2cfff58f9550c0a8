"""Concurrent commands on roles, grants and the catalogue, in two services on one database."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from application.commands.access_control import NewGrant
from application.errors import InvalidValue
from domain.permission_catalogue import INITIAL_CATALOGUE
from domain.refusals import GrantLimitReached, GrantNotFound, RoleLimitReached, SubUserNotFound
from domain.roles import MAX_GRANTS, MAX_ROLES, OPERATOR, VIEWER, Resource
from tests.builders import PORTAL, Company
from tests.postgres import fetch
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from api.bootstrap.service import Service
    from tests.builders import SubUserHandle

WITHDRAWN = "assistants"
WITHOUT = [permission for permission in INITIAL_CATALOGUE.permissions if permission.name != WITHDRAWN]


@pytest.fixture
def services(build: Callable[..., Service]) -> tuple[Service, Service]:
    return build(), build()


def create_role(service: Service, account_id: UUID, *permissions: str) -> UUID:
    name = f"role {uuid4()}"
    outcome = service.commands.roles.create(account_id, PORTAL, name=name, permissions=frozenset(permissions))
    return outcome.value.role_id


def set_role(service: Service, account_id: UUID, role_id: UUID, *permissions: str) -> None:
    service.commands.roles.change(account_id, role_id, PORTAL, permissions=frozenset(permissions))


def set_catalogue(service: Service, permissions: Iterable[Any]) -> None:
    service.commands.catalogues.replace(list(permissions), PORTAL, remove_from_roles=True)


def require_only(results: list[Any], *expected: type[Exception]) -> None:
    """Require that each command succeeded or was refused in one of the expected ways."""
    errors = [result for result in results if isinstance(result, Exception) and not isinstance(result, expected)]
    assert errors == []


def grants_on(count: int, *, reverse: bool = False) -> list[NewGrant]:
    numbers = range(count, 0, -1) if reverse else range(1, count + 1)
    return [NewGrant(VIEWER, Resource("assistant", str(number))) for number in numbers]


ROUNDS = [6, pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_no_role_has_a_permission_that_the_catalogue_lost(
    services: tuple[Service, Service], database_url: str, rounds: int
) -> None:
    """Roles are created and changed in both services while the permission is withdrawn in one."""
    companies = [Company.register(service) for service in services for _ in range(2)]
    for _ in range(rounds):
        set_catalogue(services[0], INITIAL_CATALOGUE.permissions)
        roles = [(company, create_role(company.service, company.account_id, "tools")) for company in companies]
        tasks: list[Callable[[], object]] = [
            partial(set_catalogue, services[0], WITHOUT),
            *(
                partial(create_role, service, company.account_id, WITHDRAWN, "tools")
                for company in companies
                for service in services
            ),
            *(
                partial(set_role, services[number % 2], company.account_id, role_id, WITHDRAWN)
                for number, (company, role_id) in enumerate(roles)
            ),
        ]
        results = run_concurrently(tasks)
        require_only(results, InvalidValue)
        query = "SELECT count(*) FROM account_roles WHERE %s = ANY (permissions)"
        assert fetch(database_url, query, [WITHDRAWN]) == [(0,)]
        for company in companies:
            own_roles = company.state().roles
            assert all(WITHDRAWN not in role.permissions for role in own_roles.values())
            for role_id in own_roles:
                company.service.commands.roles.delete(company.account_id, role_id, PORTAL)


def test_the_catalogue_changes_in_two_services(services: tuple[Service, Service], database_url: str) -> None:
    """Each change is decided on the one before, and times do not go backwards."""
    company = Company.register(services[0])
    create_role(services[0], company.account_id, WITHDRAWN)
    catalogues = [WITHOUT, INITIAL_CATALOGUE.permissions, WITHOUT[::-1], INITIAL_CATALOGUE.permissions[::-1]]
    results = run_concurrently(
        [partial(set_catalogue, service, catalogue) for catalogue in catalogues for service in services]
    )
    require_only(results)
    times = fetch(
        database_url,
        "SELECT convert_from(state, 'UTF8')::json ->> 'timestamp' FROM stored_events "
        "WHERE topic = 'PermissionCatalogueSet' ORDER BY originator_version",
    )
    assert times
    assert times == sorted(times)


def test_fifty_roles_at_most(services: tuple[Service, Service], database_url: str) -> None:
    company = Company.register(services[0])
    for _ in range(MAX_ROLES - 6):
        create_role(services[0], company.account_id, "tools")
    results = run_concurrently(
        [partial(create_role, services[number % 2], company.account_id, "tools") for number in range(16)]
    )
    require_only(results, RoleLimitReached)
    assert len(company.state().roles) == MAX_ROLES
    assert fetch(database_url, "SELECT count(*) FROM account_roles") == [(MAX_ROLES,)]


def test_a_thousand_grants_at_most(services: tuple[Service, Service], database_url: str) -> None:
    company = Company.register(services[0])
    sub_user = company.create_sub_user()
    replace_grants(sub_user, services[0], grants_on(MAX_GRANTS - 5))
    new_grants = [NewGrant(OPERATOR, Resource("tool", str(number))) for number in range(12)]
    results = run_concurrently(
        [
            partial(
                services[number % 2].commands.grants.grant, company.account_id, sub_user.sub_user_id, new_grant, PORTAL
            )
            for number, new_grant in enumerate(new_grants)
        ]
    )
    require_only(results, GrantLimitReached)
    assert fetch(database_url, "SELECT count(*) FROM role_grants") == [(MAX_GRANTS,)]
    assert company.state().grant_counts[sub_user.sub_user_id].total() == MAX_GRANTS


@pytest.mark.parametrize("rounds", ROUNDS)
def test_commands_on_the_same_grants_do_not_deadlock(
    services: tuple[Service, Service], database_url: str, rounds: int
) -> None:
    """Grants of a sub-user are replaced, revoked, and deleted with the sub-user, all at the same time."""
    company = Company.register(services[0])
    for _ in range(rounds):
        sub_user = company.create_sub_user()
        for number in range(30):  # rows that are changed often lie in another order than that of the grants
            replace_grants(sub_user, services[number % 2], grants_on(20, reverse=number % 2 == 0)[number % 3 :])
        grants = services[0].commands.grants.list(company.account_id, sub_user.sub_user_id)
        tasks: list[Callable[[], object]] = [
            partial(replace_grants, sub_user, services[0], []),
            partial(replace_grants, sub_user, services[1], grants_on(5)),
            sub_user.with_service(services[1]).delete,
            *(partial(revoke, sub_user, services[number % 2], grant.grant_id) for number, grant in enumerate(grants)),
        ]
        results = run_concurrently(tasks)
        require_only(results, SubUserNotFound, GrantNotFound)
        assert fetch(database_url, "SELECT count(*) FROM role_grants") == [(0,)]


def replace_grants(sub_user: SubUserHandle, service: Service, new_grants: list[NewGrant]) -> None:
    service.commands.grants.replace(sub_user.company.account_id, sub_user.sub_user_id, new_grants, PORTAL)


def revoke(sub_user: SubUserHandle, service: Service, grant_id: UUID) -> None:
    service.commands.grants.revoke(sub_user.company.account_id, sub_user.sub_user_id, grant_id, PORTAL)
