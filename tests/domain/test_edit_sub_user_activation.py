"""Activating and deactivating a sub-user (rules 2, 3 and 6)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from domain.event_metadata import Ciphertext
from domain.main_account import MainAccount
from domain.refusals import AccessExpired, AccountIsClosed, SubUserNotFound
from domain.sub_user import CredentialsKind, CredentialsMailState, Notice, SubUserEdit
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
from tests.domain.given_when_then import EARLIER, LATER, NOW, EventSpec, given, then_refused, when

if TYPE_CHECKING:
    from datetime import datetime

INACTIVE = [REGISTERED, created(MARIA)]
ACTIVE = [*INACTIVE, activated(MARIA)]
DEACTIVATED = [*ACTIVE, deactivated(MARIA)]
ACTIVATE = SubUserEdit(active=True)
DEACTIVATE = SubUserEdit(active=False)


def edit_maria(account: MainAccount, edit: SubUserEdit) -> list[EventSpec]:
    return when(account, MainAccount.edit_sub_user, MARIA, edit)


def test_first_activation_mails_the_password_set_at_creation() -> None:
    """The credentials number stays the same, because no new password is issued."""
    assert edit_maria(given(*INACTIVE), ACTIVATE) == [activated(MARIA, credentials=1, notice=Notice.ACTIVATION)]


def test_first_activation_mails_the_latest_password() -> None:
    """A password replaced before the activation has a higher credentials number."""
    account = given(*INACTIVE, password_reset(MARIA, credentials=2, notice=Notice.NONE))
    assert edit_maria(account, ACTIVATE) == [activated(MARIA, credentials=2, notice=Notice.ACTIVATION)]


@pytest.mark.parametrize("history", [INACTIVE, DEACTIVATED], ids=["first activation", "later one"])
def test_invitation_replaces_the_password(history: list[EventSpec]) -> None:
    """Also the one that was set at the creation, which nobody is mailed."""
    account = given(*history)
    edit = SubUserEdit(active=True, credentials_kind=CredentialsKind.LINK)
    assert account.issues_credentials(MARIA, edit)
    assert edit_maria(account, edit) == [activated(MARIA, credentials=2, notice=Notice.INVITATION)]
    maria = account.sub_user(MARIA)
    assert (maria.credentials_kind, maria.must_change_password) == (CredentialsKind.LINK, True)
    assert (maria.credentials_mail, maria.mail_version) == (CredentialsMailState.PENDING, account.version)


def test_activation_after_an_invitation_mails_a_password() -> None:
    """The default of an activation is always a password."""
    account = given(*INACTIVE, activated(MARIA, credentials=2, notice=Notice.INVITATION), deactivated(MARIA))
    assert edit_maria(account, ACTIVATE) == [activated(MARIA, credentials=3, notice=Notice.REACTIVATION)]
    assert account.sub_user(MARIA).credentials_kind == CredentialsKind.PASSWORD


def test_activation_gives_access_and_requests_a_mail() -> None:
    account = given(*INACTIVE)
    edit_maria(account, ACTIVATE)
    maria = account.sub_user(MARIA)
    assert (maria.active, maria.was_activated, maria.must_change_password) == (True, True, True)
    assert (maria.credentials_mail, maria.mail_version) == (CredentialsMailState.PENDING, account.version)


def test_reactivation_issues_new_credentials() -> None:
    """The previous password no longer works, and the mail is a reactivation notice."""
    assert edit_maria(given(*DEACTIVATED), ACTIVATE) == [activated(MARIA, credentials=2, notice=Notice.REACTIVATION)]


def test_reactivation_replaces_an_own_password_with_a_temporary_one() -> None:
    """The sub-user must choose their own password again (rule 5)."""
    account = given(*ACTIVE, password_changed(MARIA, credentials=2), deactivated(MARIA))
    assert edit_maria(account, ACTIVATE) == [activated(MARIA, credentials=3, notice=Notice.REACTIVATION)]
    assert account.sub_user(MARIA).must_change_password is True


def test_activation_lifts_a_lock() -> None:
    """The first activation and any later one lift it."""
    assert edit_maria(given(*INACTIVE, locked_out(MARIA)), ACTIVATE) == [activated(MARIA), unlocked(MARIA)]
    assert edit_maria(given(*DEACTIVATED, locked_out(MARIA)), ACTIVATE) == [
        activated(MARIA, credentials=2, notice=Notice.REACTIVATION),
        unlocked(MARIA),
    ]


@pytest.mark.parametrize("history", [ACTIVE, [*ACTIVE, locked_out(MARIA)]], ids=["active", "active but locked"])
def test_activating_an_active_sub_user_records_no_event(history: list[EventSpec]) -> None:
    """It sends no mail and lifts no lock."""
    assert edit_maria(given(*history), ACTIVATE) == []


def test_deactivation_ends_access() -> None:
    account = given(*ACTIVE)
    assert edit_maria(account, DEACTIVATE) == [deactivated(MARIA)]
    assert account.sub_user(MARIA).active is False


@pytest.mark.parametrize("history", [INACTIVE, DEACTIVATED], ids=["never activated", "deactivated"])
def test_deactivating_an_inactive_sub_user_records_no_event(history: list[EventSpec]) -> None:
    assert edit_maria(given(*history), DEACTIVATE) == []


def test_deactivation_keeps_a_lock() -> None:
    """Only new credentials lift a lock."""
    assert edit_maria(given(*ACTIVE, locked_out(MARIA)), DEACTIVATE) == [deactivated(MARIA)]


NEW_PASSWORD = SubUserEdit(new_password=True)


@pytest.mark.parametrize("expiry", [EARLIER, NOW])
@pytest.mark.parametrize(
    ("history", "edit"),
    [
        (INACTIVE, ACTIVATE),
        (DEACTIVATED, ACTIVATE),
        (ACTIVE, ACTIVATE),
        (ACTIVE, NEW_PASSWORD),
        (ACTIVE, replace(NEW_PASSWORD, active=True)),
    ],
    ids=["first activation", "activation again", "active already", "new password", "both"],
)
def test_expired_sub_user_gets_no_access(history: list[EventSpec], edit: SubUserEdit, expiry: datetime) -> None:
    """The edit is refused, whether the expiry was set earlier or in the same edit."""
    then_refused(AccessExpired, given(*history, expiry_set(MARIA, expiry)), MainAccount.edit_sub_user, MARIA, edit)
    edit_with_expiry = replace(
        edit, changes_expiry=True, access_expires_at=expiry, name=Ciphertext("an encrypted name")
    )
    then_refused(AccessExpired, given(*history), MainAccount.edit_sub_user, MARIA, edit_with_expiry)


@pytest.mark.parametrize("expiry", [LATER, None])
def test_activation_may_set_a_later_expiry(expiry: datetime | None) -> None:
    account = given(*INACTIVE, expiry_set(MARIA, EARLIER))
    edit = replace(ACTIVATE, changes_expiry=True, access_expires_at=expiry)
    assert edit_maria(account, edit) == [expiry_set(MARIA, expiry), activated(MARIA)]


@pytest.mark.parametrize(
    "edit",
    [
        DEACTIVATE,
        SubUserEdit(visible=False),
        replace(NEW_PASSWORD, active=False),
        SubUserEdit(changes_expiry=True, access_expires_at=NOW),
    ],
    ids=["deactivation", "something else", "new password with a deactivation", "another expiry"],
)
def test_expired_sub_user_can_be_edited_without_gaining_access(edit: SubUserEdit) -> None:
    assert edit_maria(given(*ACTIVE, expiry_set(MARIA, EARLIER)), edit)


@pytest.mark.parametrize("edit", [ACTIVATE, DEACTIVATE], ids=["on", "off"])
def test_unknown_sub_user_cannot_be_toggled(edit: SubUserEdit) -> None:
    then_refused(SubUserNotFound, given(*ACTIVE), MainAccount.edit_sub_user, UNKNOWN_SUB_USER, edit)


@pytest.mark.parametrize(("history", "edit"), [(INACTIVE, ACTIVATE), (ACTIVE, DEACTIVATE)], ids=["on", "off"])
def test_sub_user_of_a_closed_account_cannot_be_toggled(history: list[EventSpec], edit: SubUserEdit) -> None:
    then_refused(AccountIsClosed, given(*history, CLOSED), MainAccount.edit_sub_user, MARIA, edit)


@pytest.mark.parametrize(
    ("history", "edit", "expected"),
    [
        (INACTIVE, ACTIVATE, False),
        (DEACTIVATED, ACTIVATE, True),
        (ACTIVE, ACTIVATE, False),
        (DEACTIVATED, DEACTIVATE, False),
        (DEACTIVATED, SubUserEdit(visible=False), False),
    ],
    ids=["first activation", "activation again", "already active", "deactivation", "something else"],
)
def test_only_reactivation_needs_new_credentials(history: list[EventSpec], edit: Any, expected: bool) -> None:
    """The service asks first, so that it hashes the password outside the account's lock."""
    assert given(*history).issues_credentials(MARIA, edit) is expected
