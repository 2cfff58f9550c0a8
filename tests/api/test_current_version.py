"""Commands over HTTP to two services on one database: each decides on the current version of the account's stream."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tests.api.clients import Account, ApiClients, require_problem
from tests.application.gaps import GAPS, SOME_GAPS, pad
from tests.builders import Company

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from tests.api.clients import SubUser


@pytest.fixture(scope="module")
def clients_pair(service_pair: tuple[Service, Service]) -> tuple[ApiClients, ApiClients]:
    """Return clients of two services on one database."""
    first, second = map(ApiClients.of, service_pair)
    return first, second


@pytest.fixture
def first_account(clients_pair: tuple[ApiClients, ApiClients]) -> Account:
    """Return an account used through the first service, which has loaded it."""
    account = clients_pair[0].register_account()
    account.create_with_own_password()
    return account


@pytest.fixture
def second_account(first_account: Account, clients_pair: tuple[ApiClients, ApiClients]) -> Account:
    """Return the same account, used through the second service."""
    return replace(first_account, portal=clients_pair[1].portal)


def record_in_second_service(account: Account, clients_pair: tuple[ApiClients, ApiClients], event_count: int) -> None:
    """Record this number of events on the account in the second service."""
    pad(Company(clients_pair[1].service, UUID(account.account_id), account.email), event_count)


def through(account: Account, sub_user: SubUser) -> SubUser:
    """Return the sub-user, used through the service of this account."""
    return replace(sub_user, account=account)


@pytest.mark.parametrize("gap", GAPS)
def test_deactivation_sees_an_activation_in_another_service(
    first_account: Account, second_account: Account, clients_pair: tuple[ApiClients, ApiClients], gap: int
) -> None:
    """The last of the `gap` events is an activation, so deactivating must not be taken for a change of nothing."""
    inactive = first_account.create_sub_user()
    inactive.change(name="Ada")
    record_in_second_service(second_account, clients_pair, gap - 1)
    through(second_account, inactive).change(status="active")

    response = inactive.change(status="inactive")

    assert response.json["status"] == "inactive"  # type: ignore[index]
    assert response.headers["Event-Position"]
    assert through(second_account, inactive).log_in().status_code == 401


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_sub_user_and_revision_from_another_service_are_found(
    first_account: Account, second_account: Account, clients_pair: tuple[ApiClients, ApiClients], gap: int
) -> None:
    """There is no false 404, and no false or missing 412."""
    sub_user = first_account.create_sub_user()
    sub_user.change(name="Ada")
    record_in_second_service(second_account, clients_pair, gap - 2)
    created = second_account.create_sub_user()
    stale_etag, current_etag = change_twice(through(second_account, sub_user))

    assert through(first_account, created).change(name="Ada").status_code == 200
    refused = first_account.portal.patch(sub_user.path, json={"name": "Edith"}, headers={"If-Match": stale_etag})
    require_problem(refused, 412, "revision-mismatch")
    changed = first_account.portal.patch(sub_user.path, json={"name": "Edith"}, headers={"If-Match": current_etag})
    assert changed.status_code == 200, changed.text


def change_twice(sub_user: SubUser) -> tuple[str, str]:
    """Change a sub-user twice, and return both entity tags."""
    return sub_user.change(name="Grace").headers["ETag"], sub_user.change(name="Barbara").headers["ETag"]


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_login_sees_an_activation_in_another_service(
    first_account: Account, second_account: Account, clients_pair: tuple[ApiClients, ApiClients], gap: int
) -> None:
    inactive = first_account.create_sub_user()
    inactive.log_in()
    record_in_second_service(second_account, clients_pair, gap - 1)
    through(second_account, inactive).change(status="active")

    assert inactive.log_in().status_code == 201
