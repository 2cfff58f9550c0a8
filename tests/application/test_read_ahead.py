"""What a command begins with may be read before it is run: what happens in between is not overlooked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from application.api_keys import Scope
from application.sub_users import SubUserChanges
from domain.refusals import SubUserNotFound
from tests.people import PORTAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from application.ahead import Ahead
    from tests.people import Collaborator, Company


def read_ahead(one: Collaborator) -> Ahead:
    """Read what a change of this sub-user begins with, as the doors do."""
    service, account_id = one.company.service, one.company.account_id
    api_key = service.api_keys.create(Scope.PORTAL, "a portal", datetime.now(UTC))
    known = service.main_accounts.at_hand(account_id)
    version = known.version if known is not None else None
    found, ahead = service.ahead.find(api_key, account_id, one.sub_user_id, version)
    assert found is not None
    assert ahead is not None
    return ahead


def rename(one: Collaborator, name: str, ahead: Ahead) -> tuple[str, str]:
    """Change the name, and return what the sub-user is called then."""
    company = one.company
    changes = SubUserChanges(name=name)
    details = company.service.sub_users.change(company.account_id, one.sub_user_id, changes, PORTAL, ahead).value
    return details.name, details.surname


def test_what_another_process_recorded_is_read_along(company: Company, build: Callable[[], Service]) -> None:
    """An account that this process knows already is brought up to date by what was read."""
    one = company.let_in()
    one.seen_by(build()).change(surname="Murray")
    assert rename(one, "Brewster", read_ahead(one)) == ("Brewster", "Murray")


def test_an_account_that_this_process_does_not_know_is_loaded(company: Company, build: Callable[[], Service]) -> None:
    """Then nothing was read of it."""
    one = company.let_in().seen_by(build())
    ahead = read_ahead(one)
    assert not ahead.newer
    assert rename(one, "Brewster", ahead) == ("Brewster", "Hopper")


def test_what_is_recorded_after_the_read_is_decided_on_anew(company: Company, build: Callable[[], Service]) -> None:
    """The store refuses what was decided on less than there is."""
    one = company.let_in()
    ahead = read_ahead(one)
    one.seen_by(build()).change(surname="Murray")
    assert rename(one, "Brewster", ahead) == ("Brewster", "Murray")


def test_nobody_is_changed_who_was_deleted_after_the_read(company: Company, build: Callable[[], Service]) -> None:
    """And nothing of them is written."""
    one = company.let_in()
    ahead = read_ahead(one)
    one.seen_by(build()).delete()
    with pytest.raises(SubUserNotFound):
        rename(one, "Brewster", ahead)


def test_a_revoked_key_finds_nothing(company: Company) -> None:
    """Neither itself nor what it asks about."""
    service, one = company.service, company.let_in()
    api_key = service.api_keys.create(Scope.PORTAL, "a portal", datetime.now(UTC))
    (found,) = service.api_keys.list()
    service.api_keys.revoke(found.api_key_id, datetime.now(UTC))
    assert service.ahead.find(api_key, company.account_id, one.sub_user_id, None) == (None, None)
    assert service.open_sessions.find_with_key(api_key, b"", datetime.now(UTC)) == (None, None)
