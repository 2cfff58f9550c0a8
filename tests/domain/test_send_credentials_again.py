"""Sending credentials again, which issues new ones (rule 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.main_account import MainAccount
from domain.refusals import AccessExpired, AccountIsClosed, SubUserIsInactive, SubUserNotFound
from domain.sub_user import CredentialsKind, CredentialsMailState, Notice
from tests.domain.event_builders import (
    CLOSED,
    MARIA,
    REGISTERED,
    UNKNOWN_SUB_USER,
    activated,
    created,
    deactivated,
    expiry_set,
    locked_out,
    password_changed,
    password_reset,
    unlocked,
)
from tests.domain.given_when_then import EARLIER, LATER, NOW, given, then_refused, when

if TYPE_CHECKING:
    from datetime import datetime

SENT_AGAIN = password_reset(MARIA, credentials=2, notice=Notice.SEND_AGAIN)


def test_new_credentials_are_issued_and_mailed() -> None:
    """They replace the earlier ones."""
    account = given(REGISTERED, created(MARIA), activated(MARIA))
    assert when(account, MainAccount.send_credentials_again, MARIA) == [SENT_AGAIN]
    maria = account.sub_user(MARIA)
    assert (maria.credentials_version, maria.credentials_mail) == (2, CredentialsMailState.PENDING)
    assert maria.mail_version == account.version


def test_each_repetition_issues_new_credentials() -> None:
    account = given(REGISTERED, created(MARIA), activated(MARIA), SENT_AGAIN)
    assert when(account, MainAccount.send_credentials_again, MARIA) == [
        password_reset(MARIA, credentials=3, notice=Notice.SEND_AGAIN)
    ]


def test_own_password_is_replaced_by_a_temporary_one() -> None:
    """The sub-user must choose their own password again (rule 5)."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), password_changed(MARIA, credentials=2))
    assert account.sub_user(MARIA).must_change_password is False
    assert when(account, MainAccount.send_credentials_again, MARIA) == [
        password_reset(MARIA, credentials=3, notice=Notice.SEND_AGAIN)
    ]
    assert account.sub_user(MARIA).must_change_password is True


@pytest.mark.parametrize(
    ("last", "kind", "notice"),
    [
        (Notice.INVITATION, None, Notice.INVITATION),
        (Notice.INVITATION, CredentialsKind.PASSWORD, Notice.SEND_AGAIN),
        (Notice.ACTIVATION, CredentialsKind.LINK, Notice.INVITATION),
    ],
)
def test_credentials_are_of_the_same_kind_as_the_last_ones_unless_requested(
    last: Notice, kind: CredentialsKind | None, notice: Notice
) -> None:
    account = given(REGISTERED, created(MARIA), activated(MARIA, notice=last))
    assert when(account, MainAccount.send_credentials_again, MARIA, kind) == [
        password_reset(MARIA, credentials=2, notice=notice)
    ]
    assert account.sub_user(MARIA).credentials_kind == CredentialsKind.in_mail(notice)


def test_new_credentials_lift_a_lock() -> None:
    account = given(REGISTERED, created(MARIA), activated(MARIA), locked_out(MARIA))
    assert when(account, MainAccount.send_credentials_again, MARIA) == [SENT_AGAIN, unlocked(MARIA)]
    assert account.sub_user(MARIA).locked is False


@pytest.mark.parametrize("expiry", [EARLIER, NOW])
def test_expired_sub_user_gets_no_credentials(expiry: datetime) -> None:
    """The sub-user could not sign in with them."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), expiry_set(MARIA, expiry))
    then_refused(AccessExpired, account, MainAccount.send_credentials_again, MARIA)


def test_credentials_are_sent_before_the_expiry() -> None:
    account = given(REGISTERED, created(MARIA), activated(MARIA), expiry_set(MARIA, LATER))
    assert when(account, MainAccount.send_credentials_again, MARIA) == [SENT_AGAIN]


def test_never_activated_sub_user_gets_no_credentials() -> None:
    then_refused(SubUserIsInactive, given(REGISTERED, created(MARIA)), MainAccount.send_credentials_again, MARIA)


def test_deactivated_sub_user_gets_no_credentials() -> None:
    account = given(REGISTERED, created(MARIA), activated(MARIA), deactivated(MARIA))
    then_refused(SubUserIsInactive, account, MainAccount.send_credentials_again, MARIA)


def test_unknown_sub_user_gets_no_credentials() -> None:
    then_refused(SubUserNotFound, given(REGISTERED), MainAccount.send_credentials_again, UNKNOWN_SUB_USER)


def test_closed_account_sends_no_credentials() -> None:
    account = given(REGISTERED, created(MARIA), activated(MARIA), CLOSED)
    then_refused(AccountIsClosed, account, MainAccount.send_credentials_again, MARIA)
