"""The Active toggle (rules 2, 3 and 6)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed, SubUserNotFound
from domain.sub_user import CredentialsMailState, Notice, SubUserEdit
from tests.domain.facts import (
    CLOSED,
    MARIA,
    NOBODY,
    REGISTERED,
    activated,
    created,
    deactivated,
    locked_out,
    password_changed,
    password_reset,
    unlocked,
)
from tests.domain.given_when_then import Fact, given, then_refused, when

INACTIVE = [REGISTERED, created(MARIA)]
ACTIVE = [*INACTIVE, activated(MARIA)]
DEACTIVATED = [*ACTIVE, deactivated(MARIA)]
ON = SubUserEdit(active=True)
OFF = SubUserEdit(active=False)


def toggled(account: MainAccount, edit: SubUserEdit) -> list[Fact]:
    return when(account, MainAccount.edit_sub_user, MARIA, edit)


def test_the_first_activation_mails_the_password_that_was_set() -> None:
    """No new access data is issued: the credentials are the ones from the start."""
    assert toggled(given(*INACTIVE), ON) == [activated(MARIA, credentials=1, notice=Notice.ACTIVATION)]


def test_the_first_activation_mails_the_latest_password_that_was_set() -> None:
    """Where it was replaced before the activation, the credentials are the newer ones."""
    account = given(*INACTIVE, password_reset(MARIA, credentials=2, notice=Notice.NONE))
    assert toggled(account, ON) == [activated(MARIA, credentials=2, notice=Notice.ACTIVATION)]


def test_an_activation_gives_access_and_asks_for_a_mail() -> None:
    account = given(*INACTIVE)
    toggled(account, ON)
    maria = account.sub_user(MARIA)
    assert (maria.active, maria.was_activated, maria.must_change_password) == (True, True, True)
    assert (maria.credentials_mail, maria.mail_version) == (CredentialsMailState.PENDING, account.version)


def test_every_later_activation_issues_new_access_data() -> None:
    """The password of before is out of date, and the mail says that it is not the first."""
    assert toggled(given(*DEACTIVATED), ON) == [activated(MARIA, credentials=2, notice=Notice.REACTIVATION)]


def test_a_password_of_their_own_is_out_of_date_after_another_activation() -> None:
    """They get a temporary one, and have to set another of their own (rule 5)."""
    account = given(*ACTIVE, password_changed(MARIA, credentials=2), deactivated(MARIA))
    assert toggled(account, ON) == [activated(MARIA, credentials=3, notice=Notice.REACTIVATION)]
    assert account.sub_user(MARIA).must_change_password is True


def test_an_activation_lifts_a_lock() -> None:
    """The first one as well as any other: whoever is let in can log in."""
    assert toggled(given(*INACTIVE, locked_out(MARIA)), ON) == [activated(MARIA), unlocked(MARIA)]
    assert toggled(given(*DEACTIVATED, locked_out(MARIA)), ON) == [
        activated(MARIA, credentials=2, notice=Notice.REACTIVATION),
        unlocked(MARIA),
    ]


@pytest.mark.parametrize("facts", [ACTIVE, [*ACTIVE, locked_out(MARIA)]], ids=["active", "active but locked"])
def test_activating_the_active_is_no_event(facts: list[Fact]) -> None:
    """A repeated command changes nothing, mails nothing and lifts no lock."""
    assert toggled(given(*facts), ON) == []


def test_a_deactivation_takes_access_away() -> None:
    account = given(*ACTIVE)
    assert toggled(account, OFF) == [deactivated(MARIA)]
    assert account.sub_user(MARIA).active is False


@pytest.mark.parametrize("facts", [INACTIVE, DEACTIVATED], ids=["never activated", "deactivated"])
def test_deactivating_the_inactive_is_no_event(facts: list[Fact]) -> None:
    """A repeated command changes nothing."""
    assert toggled(given(*facts), OFF) == []


def test_a_deactivation_leaves_a_lock() -> None:
    """Only new access data lifts it."""
    assert toggled(given(*ACTIVE, locked_out(MARIA)), OFF) == [deactivated(MARIA)]


@pytest.mark.parametrize("edit", [ON, OFF], ids=["on", "off"])
def test_nobody_is_toggled_where_there_is_nobody(edit: SubUserEdit) -> None:
    then_refused(SubUserNotFound, given(*ACTIVE), MainAccount.edit_sub_user, NOBODY, edit)


@pytest.mark.parametrize(("facts", "edit"), [(INACTIVE, ON), (ACTIVE, OFF)], ids=["on", "off"])
def test_nobody_is_toggled_in_a_closed_account(facts: list[Fact], edit: SubUserEdit) -> None:
    then_refused(AccountIsClosed, given(*facts, CLOSED), MainAccount.edit_sub_user, MARIA, edit)


@pytest.mark.parametrize(
    ("facts", "edit", "expected"),
    [
        (INACTIVE, ON, False),
        (DEACTIVATED, ON, True),
        (ACTIVE, ON, False),
        (DEACTIVATED, OFF, False),
        (DEACTIVATED, SubUserEdit(visible=False), False),
    ],
    ids=["first activation", "activation again", "already active", "deactivation", "something else"],
)
def test_only_another_activation_needs_a_new_password(facts: list[Fact], edit: Any, expected: bool) -> None:
    """It is known before, so that the password can be hashed while nobody waits."""
    assert given(*facts).needs_new_password(MARIA, edit) is expected
