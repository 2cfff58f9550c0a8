"""Failed logins in the history: the first few, then ever fewer, and a lock after too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.cause import ActorType, Cause, Sealed
from domain.main_account import MainAccount
from tests.domain.facts import (
    CLOSED,
    LUCA,
    MARIA,
    NOBODY,
    REGISTERED,
    activated,
    created,
    deactivated,
    locked_out,
    login_refused,
)
from tests.domain.given_when_then import Fact, given, when

if TYPE_CHECKING:
    from uuid import UUID

ACTIVE = [REGISTERED, created(MARIA), activated(MARIA)]
SOMEBODY = Cause(ActorType.ANONYMOUS, None, "request-8", Sealed("an ip"), Sealed("a user agent"), None)


def noted(account: MainAccount, failures: int, why: str = "wrong_password") -> list[Fact]:
    return when(account, MainAccount.note_refused_login, MARIA, why, failures, by=SOMEBODY)


@pytest.mark.parametrize("why", ["wrong_password", "inactive", "expired", "locked", "temporary_password_expired"])
def test_a_refused_login_is_recorded_with_its_reason(why: str) -> None:
    """Whoever may read the history learns what nobody else is told."""
    assert noted(given(*ACTIVE), 1, why) == [login_refused(MARIA, why, 1)]


def test_only_the_first_few_in_a_row_are_recorded_and_then_each_doubling() -> None:
    """Somebody who guesses cannot fill the history: of 1,024 attempts it keeps thirteen, and the lock."""
    account = given(*ACTIVE)
    recorded = [one for failures in range(1, 1025) for one in noted(account, failures)]
    assert [one.fields["failures"] for one in recorded] == [1, 2, 3, 4, 5, 8, 16, 32, 64, 100, 128, 256, 512, 1024]
    assert [one.fields["failures"] for one in recorded if one.topic == "SubUserLockedOut"] == [100]


def test_after_ninety_nine_failures_nobody_is_locked() -> None:
    account = given(*ACTIVE)
    assert noted(account, 99) == []
    assert account.sub_user(MARIA).locked is False


def test_the_hundredth_failure_locks() -> None:
    """Until new access data is issued (NIST SP 800-63B-4, 3.2.2)."""
    account = given(*ACTIVE)
    assert noted(account, 100) == [locked_out(MARIA, failures=100)]
    assert account.sub_user(MARIA).locked is True


def test_a_failure_that_is_recorded_may_lock_as_well() -> None:
    """A hundred may have been passed unseen, by several attempts at once."""
    assert noted(given(*ACTIVE), 128) == [
        login_refused(MARIA, "wrong_password", 128),
        locked_out(MARIA, failures=128),
    ]


def test_whoever_is_locked_is_not_locked_again() -> None:
    """A repeated failure adds nothing to a lock."""
    assert noted(given(*ACTIVE, locked_out(MARIA)), 101, "locked") == []


@pytest.mark.parametrize(
    "facts",
    [[REGISTERED, created(MARIA)], [*ACTIVE, deactivated(MARIA)]],
    ids=["never activated", "deactivated"],
)
def test_whoever_is_inactive_is_locked_like_anybody_else(facts: list[Fact]) -> None:
    """From outside nobody can tell the difference, and activation lifts the lock."""
    assert noted(given(*facts), 100, "inactive") == [locked_out(MARIA)]


def test_only_the_one_whose_name_was_used_is_locked() -> None:
    account = given(*ACTIVE, created(LUCA), activated(LUCA))
    noted(account, 100)
    assert account.sub_user(LUCA).locked is False


@pytest.mark.parametrize("failures", [1, 8])
def test_a_login_with_an_unknown_email_is_recorded_of_nobody(failures: int) -> None:
    """The account's owner can see that somebody tried."""
    account = given(*ACTIVE)
    assert when(account, MainAccount.note_refused_login, None, "unknown", failures, by=SOMEBODY) == [
        login_refused(None, "unknown", failures)
    ]


@pytest.mark.parametrize("sub_user_id", [None, NOBODY], ids=["unknown e-mail", "deleted meanwhile"])
def test_nobody_is_locked_where_there_is_nobody(sub_user_id: UUID | None) -> None:
    """However many failures there were, and the account stays as it was."""
    account = given(*ACTIVE)
    before = dict(account.sub_users)
    assert when(account, MainAccount.note_refused_login, sub_user_id, "unknown", 100, by=SOMEBODY) == []
    assert account.sub_users == before


def test_refused_logins_are_seen_in_a_closed_account_too() -> None:
    """That somebody still tries is worth knowing."""
    assert noted(given(*ACTIVE, CLOSED), 1, "account_closed") == [login_refused(MARIA, "account_closed", 1)]


def test_a_refused_login_leaves_the_sub_user_as_they_were() -> None:
    account = given(*ACTIVE)
    before = account.sub_user(MARIA)
    noted(account, 1)
    assert account.sub_user(MARIA) == before
