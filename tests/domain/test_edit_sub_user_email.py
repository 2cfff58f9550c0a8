"""The main account changes a sub-user's e-mail (rules 1, 2, 3, 6 and 11)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.event_metadata import Ciphertext
from domain.events import SubUserDetailsChanged
from domain.mails import MAILS_PER_RECIPIENT
from domain.main_account import MainAccount
from domain.refusals import AccessExpired, AccountIsClosed, SubUserEmailTaken, SubUserNotFound, TooManyMails
from domain.sub_user import CredentialsMailState, NewEmail, Notice, SubUserEdit
from tests.domain.event_builders import (
    CLOSED,
    LUCA,
    MARIA,
    REGISTERED,
    UNKNOWN_SUB_USER,
    activated,
    created,
    deactivated,
    deleted,
    email_changed,
    expiry_set,
    locked_out,
    password_changed,
    password_reset,
    sub_user_fields,
    unlocked,
)
from tests.domain.given_when_then import BY_OWNER, EARLIER, LATER, NOW, EventSpec, event_spec, given, then_refused, when

INACTIVE = [REGISTERED, created(MARIA)]
ACTIVE = [*INACTIVE, activated(MARIA)]
DEACTIVATED = [*ACTIVE, deactivated(MARIA)]
NEW = NewEmail(Ciphertext("new"), "hash of new")
NEW_EMAIL = SubUserEdit(email=NEW)
EMAIL_OF_LUCA = NewEmail(
    Ciphertext("e-mail of Luca"), "hash under Maria's key", frozenset({sub_user_fields(LUCA)["email_hash"]})
)


def edit_maria(account: MainAccount, edit: SubUserEdit = NEW_EMAIL, **changes: Any) -> list[EventSpec]:
    return when(account, MainAccount.edit_sub_user, MARIA, replace(edit, **changes))


@pytest.mark.parametrize(
    ("history", "credentials"),
    [(ACTIVE, 2), ([*ACTIVE, password_changed(MARIA, credentials=2)], 3)],
    ids=["temporary", "own"],
)
def test_active_sub_user_gets_new_credentials(history: list[EventSpec], credentials: int) -> None:
    """The new e-mail inherits no password (rule 11)."""
    account = given(*history)
    assert edit_maria(account) == [
        email_changed(MARIA, "new"),
        password_reset(MARIA, credentials=credentials, notice=Notice.SEND_AGAIN),
    ]
    maria = account.sub_user(MARIA)
    assert (maria.email, maria.email_hash) == (Ciphertext("new"), "hash of new")
    assert maria.must_change_password
    assert (maria.credentials_version, maria.credentials_mail) == (credentials, CredentialsMailState.PENDING)


@pytest.mark.parametrize("history", [INACTIVE, DEACTIVATED], ids=["never activated", "deactivated"])
def test_inactive_sub_user_gets_no_mail(history: list[EventSpec]) -> None:
    """The next activation mails credentials to the new e-mail."""
    account = given(*history)
    assert edit_maria(account) == [email_changed(MARIA, "new")]
    assert account.sub_user(MARIA).credentials_mail == CredentialsMailState.NONE
    assert account.recent_mails == given(*history).recent_mails


@pytest.mark.parametrize(
    ("history", "edit", "expected"),
    [
        (ACTIVE, SubUserEdit(new_password=True), password_reset(MARIA, credentials=2, notice=Notice.RESET)),
        (INACTIVE, SubUserEdit(new_password=True), password_reset(MARIA, credentials=2, notice=Notice.NONE)),
        (ACTIVE, SubUserEdit(active=False), deactivated(MARIA)),
        (INACTIVE, SubUserEdit(active=True), activated(MARIA)),
        (DEACTIVATED, SubUserEdit(active=True), activated(MARIA, credentials=2, notice=Notice.REACTIVATION)),
    ],
    ids=["password", "password while inactive", "deactivation", "first activation", "reactivation"],
)
def test_email_changes_together_with_access(history: list[EventSpec], edit: SubUserEdit, expected: EventSpec) -> None:
    """One edit issues credentials once (rule 2)."""
    assert edit_maria(given(*history), edit, email=NEW) == [email_changed(MARIA, "new"), expected]


def test_email_changes_before_the_names() -> None:
    """The mail to the former e-mail has the former names."""
    renamed = event_spec(SubUserDetailsChanged, sub_user_id=MARIA, name="Mary", surname=None)
    assert edit_maria(given(*INACTIVE), name=Ciphertext("Mary")) == [email_changed(MARIA, "new"), renamed]


def test_new_credentials_lift_a_lock() -> None:
    assert edit_maria(given(*ACTIVE, locked_out(MARIA)))[1:] == [
        password_reset(MARIA, credentials=2, notice=Notice.SEND_AGAIN),
        unlocked(MARIA),
    ]


def test_former_activation_cannot_be_repeated_with_the_former_password() -> None:
    """A sub-user who was deactivated, given a new e-mail and activated again has new credentials."""
    account = given(*DEACTIVATED, email_changed(MARIA, "new"))
    assert account.issues_credentials(MARIA, SubUserEdit(active=True))
    assert edit_maria(account, SubUserEdit(active=True)) == [
        activated(MARIA, credentials=2, notice=Notice.REACTIVATION)
    ]


def test_outcome_of_a_mail_to_the_former_email_does_not_count() -> None:
    account = given(*ACTIVE, deactivated(MARIA), email_changed(MARIA, "new"))
    activation_version = len(ACTIVE)
    account.record_mail_outcome(
        MARIA,
        Notice.ACTIVATION,
        activation_version,
        Ciphertext("250 OK"),
        accepted=True,
        at=NOW,
        metadata=BY_OWNER,
    )
    assert account.sub_user(MARIA).credentials_mail == CredentialsMailState.NONE


@pytest.mark.parametrize("history", [INACTIVE, ACTIVE, DEACTIVATED], ids=["never activated", "active", "deactivated"])
def test_email_of_another_sub_user_is_refused(history: list[EventSpec]) -> None:
    """E-mails are unique within the account (rule 1), under whichever key they are hashed."""
    account = given(*history, created(LUCA))
    then_refused(SubUserEmailTaken, account, MainAccount.edit_sub_user, MARIA, SubUserEdit(email=EMAIL_OF_LUCA))


def test_email_of_a_deleted_sub_user_is_free() -> None:
    account = given(*INACTIVE, created(LUCA), deleted(LUCA))
    assert [spec.topic for spec in edit_maria(account, email=EMAIL_OF_LUCA)] == ["SubUserEmailChanged"]


def test_former_email_is_free() -> None:
    """Another sub-user can get it at once."""
    account = given(*INACTIVE, email_changed(MARIA, "new"))
    luca = {**sub_user_fields(LUCA), "email_hash": sub_user_fields(MARIA)["email_hash"]}
    assert when(account, MainAccount.create_sub_user, **luca) == [created(LUCA, email_hash=luca["email_hash"])]


def test_new_email_is_reserved() -> None:
    account = given(*INACTIVE, email_changed(MARIA, "new"))
    luca = {**sub_user_fields(LUCA), "email_hash": "hash of new"}
    then_refused(SubUserEmailTaken, account, MainAccount.create_sub_user, **luca)


def test_mails_to_new_emails_are_limited() -> None:
    """The owner chooses the recipient, so the limit of credentials mails applies."""
    account = given(*ACTIVE)
    for number in range(MAILS_PER_RECIPIENT):  # the activation was a day earlier
        edit_maria(account, email=NewEmail(Ciphertext(f"new {number}"), f"hash {number}"))
    then_refused(TooManyMails, account, MainAccount.edit_sub_user, MARIA, NEW_EMAIL)
    assert edit_maria(account, active=False) == [email_changed(MARIA, "new"), deactivated(MARIA)]  # needs no mail


def test_expired_sub_user_needs_another_expiry() -> None:
    """Their new credentials could not be used."""
    account = given(*ACTIVE, expiry_set(MARIA, EARLIER))
    then_refused(AccessExpired, account, MainAccount.edit_sub_user, MARIA, NEW_EMAIL)
    assert edit_maria(account, changes_expiry=True, access_expires_at=LATER) == [
        email_changed(MARIA, "new"),
        expiry_set(MARIA, LATER),
        password_reset(MARIA, credentials=2, notice=Notice.SEND_AGAIN),
    ]


def test_unknown_sub_user_gets_no_email() -> None:
    then_refused(SubUserNotFound, given(*ACTIVE), MainAccount.edit_sub_user, UNKNOWN_SUB_USER, NEW_EMAIL)


def test_sub_user_of_a_closed_account_gets_no_email() -> None:
    then_refused(AccountIsClosed, given(*ACTIVE, CLOSED), MainAccount.edit_sub_user, MARIA, NEW_EMAIL)
