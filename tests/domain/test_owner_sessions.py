"""The owner of an account in person: logged in, refused, logged out. No decision of the account depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain import events
from domain.cause import ActorType, Cause, Sealed, Via
from domain.main_account import MainAccount
from domain.main_account_snapshot import MainAccountSnapshot
from domain.refusals import LoginRefused
from tests.domain.facts import CLOSED, MARIA, REGISTERED, SESSION, created
from tests.domain.given_when_then import Fact, fact, given, then_refused, when

if TYPE_CHECKING:
    from uuid import UUID

SOMEBODY = Cause(ActorType.ANONYMOUS, None, "request-8", Sealed("an ip"), Sealed("a user agent"), None)


def refused(why: str, failures: int) -> Fact:
    return fact(events.MainAccountLoginRefused, why=why, failures=failures)


def noted(account: MainAccount, failures: int, why: str = "wrong_password") -> list[Fact]:
    return when(account, MainAccount.note_refused_owner_login, why, failures, by=SOMEBODY)


@pytest.mark.parametrize("via", Via)
def test_a_login_says_how_the_owner_proved_who_they_are(via: Via) -> None:
    """By their password, or by a link of the portal's."""
    assert when(given(REGISTERED), MainAccount.log_in_owner, SESSION, via) == [
        fact(events.MainAccountLoggedIn, session_id=SESSION, via=via)
    ]


@pytest.mark.parametrize("via", Via)
def test_nobody_logs_in_to_a_closed_account(via: Via) -> None:
    """The history is told why, and whoever tried is not."""
    refusal = then_refused(LoginRefused, given(REGISTERED, CLOSED), MainAccount.log_in_owner, SESSION, via)
    assert refusal.why == "account_closed"


@pytest.mark.parametrize("why", ["wrong_password", "locked"])
def test_a_refused_login_is_recorded_with_its_reason(why: str) -> None:
    """The owner can see that somebody tried."""
    assert noted(given(REGISTERED), 1, why) == [refused(why, 1)]


def test_only_the_first_few_in_a_row_are_recorded_and_then_each_doubling() -> None:
    """As of a sub-user: somebody who guesses cannot fill the history."""
    account = given(REGISTERED)
    recorded = [one for failures in range(1, 257) for one in noted(account, failures)]
    assert [one.fields["failures"] for one in recorded] == [1, 2, 3, 4, 5, 8, 16, 32, 64, 128, 256]


def test_refused_logins_are_seen_in_a_closed_account_too() -> None:
    """Where somebody was about to log in while it was closed."""
    assert noted(given(REGISTERED, CLOSED), 1, "account_closed") == [refused("account_closed", 1)]


@pytest.mark.parametrize("session_id", [SESSION, None], ids=["one session", "all of them"])
@pytest.mark.parametrize("facts", [[REGISTERED], [REGISTERED, CLOSED]], ids=["open", "closed"])
def test_ending_sessions_is_never_refused(session_id: UUID | None, facts: list[Fact]) -> None:
    """None stands for every session of the owner's."""
    assert when(given(*facts), MainAccount.log_out_owner, session_id) == [
        fact(events.MainAccountLoggedOut, session_id=session_id)
    ]


def test_nothing_of_the_account_changes_but_its_version() -> None:
    """Whatever the owner's logins come to."""
    account = given(REGISTERED, created(MARIA))
    before, version = MainAccountSnapshot.take(account).state, account.version

    when(account, MainAccount.log_in_owner, SESSION, Via.LINK)
    noted(account, 1)
    when(account, MainAccount.log_out_owner, None)

    assert MainAccountSnapshot.take(account).state == before
    assert account.version == version + 3
