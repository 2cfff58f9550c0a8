"""Sending access data again: it is new access data (rule 3)."""

from __future__ import annotations

from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed, SubUserIsInactive, SubUserNotFound
from domain.sub_user import CredentialsMailState, Notice
from tests.domain.facts import (
    CLOSED,
    MARIA,
    NOBODY,
    REGISTERED,
    activated,
    created,
    deactivated,
    expiry_set,
    locked_out,
    password_changed,
    password_reset,
    unlocked,
)
from tests.domain.given_when_then import EARLIER, given, then_refused, when

SENT_AGAIN = password_reset(MARIA, credentials=2, notice=Notice.SEND_AGAIN)


def test_new_access_data_is_issued_and_mailed() -> None:
    """The next credentials replace the earlier ones, and a mail is asked for."""
    account = given(REGISTERED, created(MARIA), activated(MARIA))
    assert when(account, MainAccount.send_credentials_again, MARIA) == [SENT_AGAIN]
    maria = account.sub_user(MARIA)
    assert (maria.credentials, maria.credentials_mail) == (2, CredentialsMailState.PENDING)
    assert maria.mail_version == account.version


def test_sending_again_and_again_issues_new_access_data_each_time() -> None:
    """A repeated command replaces what the one before issued."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), SENT_AGAIN)
    assert when(account, MainAccount.send_credentials_again, MARIA) == [
        password_reset(MARIA, credentials=3, notice=Notice.SEND_AGAIN)
    ]


def test_a_password_of_their_own_is_replaced_by_a_temporary_one() -> None:
    """They have to set another one of their own (rule 5)."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), password_changed(MARIA, credentials=2))
    assert account.sub_user(MARIA).must_change_password is False
    assert when(account, MainAccount.send_credentials_again, MARIA) == [
        password_reset(MARIA, credentials=3, notice=Notice.SEND_AGAIN)
    ]
    assert account.sub_user(MARIA).must_change_password is True


def test_new_access_data_lifts_a_lock() -> None:
    """A lock lasts until a reset, and this is one."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), locked_out(MARIA))
    assert when(account, MainAccount.send_credentials_again, MARIA) == [SENT_AGAIN, unlocked(MARIA)]
    assert account.sub_user(MARIA).locked is False


def test_access_data_goes_to_those_whose_access_has_run_out_too() -> None:
    """Whether access has an end is another matter: it can be set anew before they log in."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), expiry_set(MARIA, EARLIER))
    assert when(account, MainAccount.send_credentials_again, MARIA) == [SENT_AGAIN]


def test_somebody_never_activated_gets_no_access_data() -> None:
    then_refused(SubUserIsInactive, given(REGISTERED, created(MARIA)), MainAccount.send_credentials_again, MARIA)


def test_somebody_deactivated_gets_no_access_data() -> None:
    account = given(REGISTERED, created(MARIA), activated(MARIA), deactivated(MARIA))
    then_refused(SubUserIsInactive, account, MainAccount.send_credentials_again, MARIA)


def test_nobody_unknown_gets_access_data() -> None:
    then_refused(SubUserNotFound, given(REGISTERED), MainAccount.send_credentials_again, NOBODY)


def test_a_closed_account_sends_nothing() -> None:
    account = given(REGISTERED, created(MARIA), activated(MARIA), CLOSED)
    then_refused(AccountIsClosed, account, MainAccount.send_credentials_again, MARIA)
