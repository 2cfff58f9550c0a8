"""Commands over HTTP with two processes: each command decides on the current version of the account's stream."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tests.api.callers import Account, ApiClients, require_problem
from tests.application.gaps import GAPS, SOME_GAPS, pad
from tests.builders import Company

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from tests.api.callers import SubUser


@pytest.fixture(scope="module")
def processes(service_pair: tuple[Service, Service]) -> tuple[ApiClients, ApiClients]:
    """Return the HTTP interfaces of two processes on one database."""
    first, second = map(ApiClients.of, service_pair)
    return first, second


@pytest.fixture
def first_view(processes: tuple[ApiClients, ApiClients]) -> Account:
    """Return an account as the first process sees it, already loaded there."""
    account = processes[0].register_account()
    account.create_with_own_password()
    return account


@pytest.fixture
def second_view(first_view: Account, processes: tuple[ApiClients, ApiClients]) -> Account:
    """Return the same account as the second process sees it."""
    return replace(first_view, portal=processes[1].portal)


def record_in_second_process(second_view: Account, processes: tuple[ApiClients, ApiClients], events: int) -> None:
    """Record this number of events on the account in the second process."""
    pad(Company(processes[1].service, UUID(second_view.account_id), second_view.email), events)


def with_service(sub_user: SubUser, account: Account) -> SubUser:
    return replace(sub_user, account=account)


@pytest.mark.parametrize("gap", GAPS)
def test_deactivation_sees_an_activation_in_another_process(
    first_view: Account, second_view: Account, processes: tuple[ApiClients, ApiClients], gap: int
) -> None:
    """The events in between end with an activation, so deactivating must not return "already inactive"."""
    inactive = first_view.create_sub_user()
    inactive.change(name="Ada")
    record_in_second_process(second_view, processes, gap - 1)
    with_service(inactive, second_view).change(active=True)

    response = inactive.change(active=False)

    assert response.json["status"] == "inactive"  # type: ignore[index]
    assert response.headers["Event-Position"]
    assert with_service(inactive, second_view).log_in().status_code == 401


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_sub_user_and_revision_from_another_process_are_found(
    first_view: Account, second_view: Account, processes: tuple[ApiClients, ApiClients], gap: int
) -> None:
    """There is no false 404, and no false or missing 412."""
    sub_user = first_view.create_sub_user()
    sub_user.change(name="Ada")
    record_in_second_process(second_view, processes, gap - 2)
    created = second_view.create_sub_user()
    stale_etag, current_etag = change_and_return_etags(with_service(sub_user, second_view))

    assert with_service(created, first_view).change(name="Ada").status_code == 200
    refused = first_view.portal.patch(sub_user.path, json={"name": "Edith"}, headers={"If-Match": stale_etag})
    require_problem(refused, 412, "revision-mismatch")
    changed = first_view.portal.patch(sub_user.path, json={"name": "Edith"}, headers={"If-Match": current_etag})
    assert changed.status_code == 200, changed.text


def change_and_return_etags(sub_user: SubUser) -> tuple[str, str]:
    """Change a sub-user twice, and return both entity tags."""
    return sub_user.change(name="Grace").headers["ETag"], sub_user.change(name="Barbara").headers["ETag"]


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_login_sees_an_activation_in_another_process(
    first_view: Account, second_view: Account, processes: tuple[ApiClients, ApiClients], gap: int
) -> None:
    inactive = first_view.create_sub_user()
    inactive.log_in()
    record_in_second_process(second_view, processes, gap - 1)
    with_service(inactive, second_view).change(active=True)

    assert inactive.log_in().status_code == 201
