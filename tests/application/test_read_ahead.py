"""What a command begins with may be read before it is run: what happens in between is not overlooked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest

from application.api_keys import Scope
from application.errors import TooManyAttempts
from application.sub_users import SubUserChanges
from domain.refusals import LoginRefused, SubUserNotFound
from tests.people import PORTAL
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from application.ahead import Ahead
    from application.sessions import LookedAhead, OpenedSession
    from tests.conftest import TravelingClock
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


def look_ahead(one: Collaborator, password: str | None = None) -> LookedAhead:
    """Read what logging in begins with, as the doors do; the second time a process does it knows whom it is about."""
    service = one.company.service
    api_key = service.api_keys.create(Scope.PORTAL, "a portal", datetime.now(UTC))
    sessions, address = service.sessions, PORTAL.ip
    found, looked = sessions.look_ahead(api_key, one.company.email, one.email, password or one.password, address)
    assert found is not None
    return looked


def log_in(one: Collaborator, looked: LookedAhead) -> OpenedSession:
    """Log in with what was read before."""
    password = looked.attempt.password
    return one.company.service.sessions.log_in(one.company.email, one.email, password, PORTAL, looked).value


def test_a_login_begins_with_what_was_read(company: Company, build: Callable[[], Service]) -> None:
    """Whether its process knew whom it was about, or not."""
    one = company.let_in_settled().seen_by(build())
    for known in (False, True):
        looked = look_ahead(one)
        assert (looked.guess is not None) == known
        assert one.has_session(log_in(one, looked).token)


def test_a_key_that_is_not_good_is_not_found(company: Company) -> None:
    """The rest is read all the same; the doors go no further."""
    one = company.let_in_settled()
    found, _ = company.service.sessions.look_ahead("no key", company.email, one.email, one.password, None)
    assert found is None


def test_many_guesses_that_were_looked_up_at_once_all_count(company: Company, clock: TravelingClock) -> None:
    """What was read before another one's turn is read again in one's own."""
    clock.stand_still()
    one = company.let_in_settled()
    looked = [look_ahead(one, f"guess number {number}") for number in range(8)]
    outcomes = at_once([partial(log_in, one, each) for each in looked])
    assert [type(outcome) for outcome in outcomes].count(LoginRefused) == 5
    assert [type(outcome) for outcome in outcomes].count(TooManyAttempts) == 3


@pytest.mark.parametrize(
    "happens",
    [
        lambda one: one.change(active=False),
        lambda one: one.change(password="another phrase for now"),
        lambda one: one.choose_password("a password that is newer"),
        lambda one: one.delete(),
    ],
    ids=["deactivated", "reset", "changed", "deleted"],
)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another process"])
def test_what_happens_before_a_login_ends_keeps_it_out(
    company: Company, build: Callable[[], Service], happens: Callable[[Collaborator], object], *, elsewhere: bool
) -> None:
    """Though the password was right when it was read."""
    one = company.let_in_settled()
    one.log_in()
    looked = look_ahead(one)
    assert looked.guess is not None
    happens(one.seen_by(build()) if elsewhere else one)
    with pytest.raises(LoginRefused):
        log_in(one, looked)


def test_a_login_goes_on_where_something_else_happens(company: Company, build: Callable[[], Service]) -> None:
    """As it is looked at again, and the password is the same."""
    one = company.let_in_settled()
    one.log_in()
    looked = look_ahead(one)
    one.seen_by(build()).change(name="Brewster")
    assert one.has_session(log_in(one, looked).token)


def test_somebody_else_with_the_same_address_is_not_taken_for_them(
    company: Company, build: Callable[[], Service]
) -> None:
    """Who was let in after the former one was deleted."""
    former = company.let_in_settled()
    former.log_in()
    elsewhere = company.seen_by(build())
    former.seen_by(elsewhere.service).delete()
    successor = elsewhere.let_in_settled(former.email)
    opened = replace(former, password=successor.password).log_in()
    assert opened.sub_user_id == successor.sub_user_id
