"""Rate limits of credentials mails, per sub-user and per account."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain.mails import MAILS_PER_ACCOUNT, MAILS_PER_RECIPIENT
from domain.main_account import MainAccount
from domain.refusals import TooManyMails
from domain.sub_user import SubUserEdit
from tests.domain.event_builders import MARIA, REGISTERED, activated, created
from tests.domain.given_when_then import NOW, given, then_refused, when

ACTIVATE, DEACTIVATE = SubUserEdit(active=True), SubUserEdit(active=False)
ACTIVE = [REGISTERED, created(MARIA), activated(MARIA)]


def send_again(account: MainAccount, times: int, at_minute: int = 0) -> None:
    for number in range(times):
        when(account, MainAccount.send_credentials_again, MARIA, at=NOW + timedelta(minutes=at_minute, seconds=number))


def test_mails_to_one_sub_user_are_limited_per_hour() -> None:
    """The refusal has the remaining time; an hour after the first mail, another one is sent."""
    account = given(REGISTERED, created(MARIA))
    when(account, MainAccount.edit_sub_user, MARIA, ACTIVATE, at=NOW)
    send_again(account, MAILS_PER_RECIPIENT - 1, at_minute=10)

    refusal = then_refused(
        TooManyMails, account, MainAccount.send_credentials_again, MARIA, at=NOW + timedelta(hours=0.5)
    )

    assert refusal.retry_after == 1800
    when(account, MainAccount.send_credentials_again, MARIA, at=NOW + timedelta(hours=1))


def test_activations_count_towards_the_mail_limit() -> None:
    """Each activation mails credentials."""
    account = given(REGISTERED, created(MARIA))
    for _ in range(MAILS_PER_RECIPIENT):
        when(account, MainAccount.edit_sub_user, MARIA, ACTIVATE, at=NOW)
        when(account, MainAccount.edit_sub_user, MARIA, DEACTIVATE, at=NOW)

    then_refused(TooManyMails, account, MainAccount.edit_sub_user, MARIA, ACTIVATE, at=NOW)


def test_change_beyond_the_mail_limit_is_refused_entirely() -> None:
    """An edit with a new password and another change applies neither."""
    account = given(*ACTIVE)
    send_again(account, MAILS_PER_RECIPIENT)

    edit = SubUserEdit(visible=False, new_password=True)
    then_refused(TooManyMails, account, MainAccount.edit_sub_user, MARIA, edit, at=NOW)

    assert account.sub_user(MARIA).visible


@pytest.mark.parametrize("edit", [SubUserEdit(visible=False), DEACTIVATE, SubUserEdit(active=False, new_password=True)])
def test_changes_without_a_mail_are_not_limited(edit: SubUserEdit) -> None:
    """Deactivation, in particular, is always possible."""
    account = given(*ACTIVE)
    send_again(account, MAILS_PER_RECIPIENT)

    assert when(account, MainAccount.edit_sub_user, MARIA, edit, at=NOW + timedelta(minutes=1))


def test_mails_of_one_account_are_limited_per_hour() -> None:
    """Deleting sub-users and creating others does not evade the limit."""
    sub_user_ids = [UUID(int=number) for number in range(MAILS_PER_ACCOUNT)]
    account = given(*ACTIVE, *map(created, sub_user_ids))
    for sub_user_id in sub_user_ids:
        when(account, MainAccount.edit_sub_user, sub_user_id, ACTIVATE, at=NOW)
        when(account, MainAccount.delete_sub_user, sub_user_id, at=NOW)

    then_refused(TooManyMails, account, MainAccount.send_credentials_again, MARIA, at=NOW + timedelta(minutes=59))
    when(account, MainAccount.send_credentials_again, MARIA, at=NOW + timedelta(minutes=60))
