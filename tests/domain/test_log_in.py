"""A sub-user logs in (rules 4, 5 and 6). The password was verified before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.main_account import MainAccount
from domain.refusals import LoginRefused, SubUserNotFound
from domain.sub_user import Notice
from tests.domain.event_builders import (
    CLOSED,
    LUCA,
    MARIA,
    REGISTERED,
    SESSION,
    UNKNOWN_SUB_USER,
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
from tests.domain.given_when_then import EARLIER, LATER, NOW, EventSpec, given, then_refused, when

ACTIVE = [REGISTERED, created(MARIA), activated(MARIA)]
WITH_OWN_PASSWORD = [*ACTIVE, password_changed(MARIA, credentials=2)]
RESTRICTED = [logged_in(MARIA, with_temporary_password=True)]
UNRESTRICTED = [logged_in(MARIA, with_temporary_password=False)]


def refusal_reason(*history: EventSpec) -> str:
    return then_refused(LoginRefused, given(*history), MainAccount.log_in, MARIA, SESSION).why


def test_temporary_password_opens_a_restricted_session() -> None:
    """It only allows the sub-user to choose their own password (rule 5)."""
    account = given(*ACTIVE)
    assert when(account, MainAccount.log_in, MARIA, SESSION) == RESTRICTED
    assert account.sub_user(MARIA).last_login_at == NOW


def test_own_password_opens_an_unrestricted_session() -> None:
    assert when(given(*WITH_OWN_PASSWORD), MainAccount.log_in, MARIA, SESSION) == UNRESTRICTED


@pytest.mark.parametrize(
    "history",
    [
        [password_reset(MARIA, credentials=3, notice=Notice.RESET)],
        [deactivated(MARIA), activated(MARIA, credentials=3, notice=Notice.REACTIVATION)],
    ],
    ids=["after a reset", "after another activation"],
)
def test_new_credentials_restrict_later_sessions(history: list[EventSpec]) -> None:
    """A password that replaces the sub-user's own is temporary."""
    assert when(given(*WITH_OWN_PASSWORD, *history), MainAccount.log_in, MARIA, SESSION) == RESTRICTED


def test_each_login_opens_another_session() -> None:
    account = given(*WITH_OWN_PASSWORD, *UNRESTRICTED)
    assert when(account, MainAccount.log_in, MARIA, SESSION, at=LATER) == UNRESTRICTED
    assert account.sub_user(MARIA).last_login_at == LATER


def test_login_keeps_the_revision() -> None:
    """A login does not conflict with an edit by the main account."""
    account = given(*ACTIVE)
    before = account.sub_user(MARIA).revision
    when(account, MainAccount.log_in, MARIA, SESSION)
    assert account.sub_user(MARIA).revision == before


def test_never_activated_sub_user_is_refused() -> None:
    assert refusal_reason(REGISTERED, created(MARIA)) == "inactive"


def test_deactivated_sub_user_is_refused() -> None:
    assert refusal_reason(*ACTIVE, deactivated(MARIA)) == "inactive"


def test_correct_password_ends_a_lock() -> None:
    """The throttle decides which attempts a lock blocks, before the password is verified."""
    account = given(*ACTIVE, locked_out(MARIA))
    assert when(account, MainAccount.log_in, MARIA, SESSION) == [unlocked(MARIA), *RESTRICTED]
    assert account.sub_user(MARIA).locked is False


def test_lock_affects_one_sub_user() -> None:
    account = given(*ACTIVE, created(LUCA), activated(LUCA), locked_out(LUCA))
    assert when(account, MainAccount.log_in, MARIA, SESSION) == RESTRICTED


def test_unlocked_sub_user_logs_in() -> None:
    account = given(*ACTIVE, locked_out(MARIA), unlocked(MARIA))
    assert when(account, MainAccount.log_in, MARIA, SESSION) == RESTRICTED


@pytest.mark.parametrize("late", [timedelta(0), timedelta(days=1)], ids=["at that moment", "a day later"])
def test_expired_sub_user_is_refused(late: timedelta) -> None:
    """Access ends exactly at the expiry (rule 6)."""
    assert refusal_reason(*ACTIVE, expiry_set(MARIA, NOW - late)) == "expired"


def test_access_lasts_until_the_expiry() -> None:
    account = given(*ACTIVE, expiry_set(MARIA, NOW + timedelta(microseconds=1)))
    assert when(account, MainAccount.log_in, MARIA, SESSION) == RESTRICTED


def test_expiry_set_at_creation_applies() -> None:
    assert refusal_reason(REGISTERED, created(MARIA, access_expires_at=EARLIER), activated(MARIA)) == "expired"


def test_removed_expiry_does_not_apply() -> None:
    account = given(*ACTIVE, expiry_set(MARIA, EARLIER), expiry_set(MARIA, None))
    assert when(account, MainAccount.log_in, MARIA, SESSION) == RESTRICTED


def test_every_login_to_a_closed_account_is_refused() -> None:
    assert refusal_reason(*ACTIVE, CLOSED) == "account_closed"


def test_unknown_sub_user_is_not_found() -> None:
    then_refused(SubUserNotFound, given(*ACTIVE), MainAccount.log_in, UNKNOWN_SUB_USER, SESSION)


def test_every_refusal_has_the_same_message() -> None:
    """The message does not reveal the reason (rule 4)."""
    history = [*ACTIVE, deactivated(MARIA), expiry_set(MARIA, EARLIER), CLOSED]
    accounts = [given(*ACTIVE, event) for event in history[len(ACTIVE) :]]
    messages = {str(then_refused(LoginRefused, account, MainAccount.log_in, MARIA, SESSION)) for account in accounts}
    assert messages == {str(LoginRefused("unknown"))}
