"""A sub-user opens a session (rules 4, 5 and 6). That the password was right is known before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.main_account import MainAccount
from domain.refusals import LoginRefused, SubUserNotFound
from domain.sub_user import Notice
from tests.domain.facts import (
    CLOSED,
    LUCA,
    MARIA,
    NOBODY,
    REGISTERED,
    SESSION,
    activated,
    created,
    deactivated,
    expiry_set,
    locked_out,
    logged_in,
    password_changed,
    password_reset,
    unlocked,
)
from tests.domain.given_when_then import EARLIER, LATER, NOW, Fact, given, then_refused, when

ACTIVE = [REGISTERED, created(MARIA), activated(MARIA)]
WITH_OWN_PASSWORD = [*ACTIVE, password_changed(MARIA, credentials=2)]
RESTRICTED = [logged_in(MARIA, with_temporary_password=True)]
UNRESTRICTED = [logged_in(MARIA, with_temporary_password=False)]


def why_refused(*facts: Fact) -> str:
    return then_refused(LoginRefused, given(*facts), MainAccount.log_in, MARIA, SESSION).why


def test_a_temporary_password_opens_a_restricted_session() -> None:
    """It is good for setting a password of one's own, and for nothing else (rule 5)."""
    account = given(*ACTIVE)
    assert when(account, MainAccount.log_in, MARIA, SESSION) == RESTRICTED
    assert account.sub_user(MARIA).last_login_at == NOW


def test_a_password_of_their_own_opens_an_unrestricted_session() -> None:
    assert when(given(*WITH_OWN_PASSWORD), MainAccount.log_in, MARIA, SESSION) == UNRESTRICTED


@pytest.mark.parametrize(
    "facts",
    [
        [password_reset(MARIA, credentials=3, notice=Notice.RESET)],
        [deactivated(MARIA), activated(MARIA, credentials=3, notice=Notice.REACTIVATION)],
    ],
    ids=["after a reset", "after another activation"],
)
def test_new_access_data_restricts_sessions_again(facts: list[Fact]) -> None:
    """Whatever replaces a password of their own is temporary."""
    assert when(given(*WITH_OWN_PASSWORD, *facts), MainAccount.log_in, MARIA, SESSION) == RESTRICTED


def test_logging_in_again_opens_another_session() -> None:
    """A repeated command is another login, and a session may stand beside another."""
    account = given(*WITH_OWN_PASSWORD, *UNRESTRICTED)
    assert when(account, MainAccount.log_in, MARIA, SESSION, at=LATER) == UNRESTRICTED
    assert account.sub_user(MARIA).last_login_at == LATER


def test_a_login_leaves_the_revision_alone() -> None:
    """What the main account has read of a sub-user is not out of date because they logged in."""
    account = given(*ACTIVE)
    before = account.sub_user(MARIA).revision
    when(account, MainAccount.log_in, MARIA, SESSION)
    assert account.sub_user(MARIA).revision == before


def test_whoever_was_never_activated_is_refused() -> None:
    assert why_refused(REGISTERED, created(MARIA)) == "inactive"


def test_whoever_was_deactivated_is_refused() -> None:
    assert why_refused(*ACTIVE, deactivated(MARIA)) == "inactive"


def test_whoever_is_locked_is_refused() -> None:
    assert why_refused(*ACTIVE, locked_out(MARIA)) == "locked"


def test_a_lock_is_the_sub_users_own() -> None:
    """Somebody else of the account is not concerned."""
    account = given(*ACTIVE, created(LUCA), activated(LUCA), locked_out(LUCA))
    assert when(account, MainAccount.log_in, MARIA, SESSION) == RESTRICTED


def test_whoever_was_unlocked_is_let_in() -> None:
    account = given(*ACTIVE, locked_out(MARIA), unlocked(MARIA))
    assert when(account, MainAccount.log_in, MARIA, SESSION) == RESTRICTED


@pytest.mark.parametrize("late", [timedelta(0), timedelta(days=1)], ids=["at that moment", "a day later"])
def test_whoever_has_expired_is_refused(late: timedelta) -> None:
    """Access ends at the moment given, not after it (rule 6)."""
    assert why_refused(*ACTIVE, expiry_set(MARIA, NOW - late)) == "expired"


def test_access_lasts_until_it_expires() -> None:
    account = given(*ACTIVE, expiry_set(MARIA, NOW + timedelta(microseconds=1)))
    assert when(account, MainAccount.log_in, MARIA, SESSION) == RESTRICTED


def test_an_expiry_from_the_start_holds_as_well() -> None:
    """Whether it was given at creation or later makes no difference."""
    assert why_refused(REGISTERED, created(MARIA, access_expires_at=EARLIER), activated(MARIA)) == "expired"


def test_an_expiry_that_was_lifted_ends_nothing() -> None:
    account = given(*ACTIVE, expiry_set(MARIA, EARLIER), expiry_set(MARIA, None))
    assert when(account, MainAccount.log_in, MARIA, SESSION) == RESTRICTED


def test_in_a_closed_account_everybody_is_refused() -> None:
    assert why_refused(*ACTIVE, CLOSED) == "account_closed"


def test_whoever_is_unknown_is_not_found() -> None:
    then_refused(SubUserNotFound, given(*ACTIVE), MainAccount.log_in, NOBODY, SESSION)


def test_the_answer_is_the_same_whatever_the_reason() -> None:
    """Nobody learns from it what was wrong (rule 4)."""
    refused = [*ACTIVE, deactivated(MARIA), locked_out(MARIA), expiry_set(MARIA, EARLIER), CLOSED]
    accounts = [given(*ACTIVE, one) for one in refused[len(ACTIVE) :]]
    answers = {str(then_refused(LoginRefused, account, MainAccount.log_in, MARIA, SESSION)) for account in accounts}
    assert answers == {str(LoginRefused("unknown"))}
