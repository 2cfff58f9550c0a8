"""Recording the outcome of a mail to a sub-user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.event_metadata import ActorType, Ciphertext, EventMetadata
from domain.events import CredentialsMailed, CredentialsMailFailed
from domain.main_account import MainAccount
from domain.sub_user import CredentialsMailState, Notice
from tests.domain.event_builders import (
    CLOSED,
    MARIA,
    REGISTERED,
    activated,
    created,
    deactivated,
    deleted,
    erased,
    password_changed,
    password_reset,
)
from tests.domain.given_when_then import EventSpec, event_spec, given, when

if TYPE_CHECKING:
    from domain.events import Event

ACTIVE = [REGISTERED, created(MARIA), activated(MARIA)]
ACTIVATION = 3
"""Version of the activation in `ACTIVE`, which requested the mail."""
SENT_AGAIN = password_reset(MARIA, credentials=2, notice=Notice.SEND_AGAIN)
MAILER = EventMetadata(ActorType.SYSTEM, "mailer")


def outcome(event_class: type[Event], notice: Notice, caused_by: int) -> EventSpec:
    return event_spec(event_class, sub_user_id=MARIA, notice=notice, caused_by=caused_by, reply=Ciphertext("a reply"))


def record_outcome(account: MainAccount, notice: Notice, caused_by: int, *, accepted: bool) -> list[EventSpec]:
    return when(
        account,
        MainAccount.record_mail_outcome,
        MARIA,
        notice,
        caused_by,
        Ciphertext("a reply"),
        accepted=accepted,
        by=MAILER,
    )


def mail_state(account: MainAccount) -> CredentialsMailState:
    return account.sub_user(MARIA).credentials_mail


def test_mail_is_pending_until_its_outcome_is_recorded() -> None:
    assert mail_state(given(*ACTIVE)) is CredentialsMailState.PENDING


def test_accepted_mail_is_sent() -> None:
    """The event has the server's reply and the version that requested the mail."""
    account = given(*ACTIVE)
    assert record_outcome(account, Notice.ACTIVATION, ACTIVATION, accepted=True) == [
        outcome(CredentialsMailed, Notice.ACTIVATION, ACTIVATION)
    ]
    assert mail_state(account) is CredentialsMailState.SENT


def test_rejected_mail_has_failed() -> None:
    """The main account sees it and can send the credentials again."""
    account = given(*ACTIVE)
    assert record_outcome(account, Notice.ACTIVATION, ACTIVATION, accepted=False) == [
        outcome(CredentialsMailFailed, Notice.ACTIVATION, ACTIVATION)
    ]
    assert mail_state(account) is CredentialsMailState.FAILED


@pytest.mark.parametrize("accepted", [True, False], ids=["sent", "failed"])
def test_outcome_of_an_outdated_mail_keeps_the_state(accepted: bool) -> None:
    """It is recorded, but the newer mail is still pending."""
    account = given(*ACTIVE, SENT_AGAIN)
    assert len(record_outcome(account, Notice.ACTIVATION, ACTIVATION, accepted=accepted)) == 1
    assert mail_state(account) is CredentialsMailState.PENDING


@pytest.mark.parametrize(
    "newer",
    [
        [SENT_AGAIN],
        [password_reset(MARIA, credentials=2, notice=Notice.RESET)],
        [deactivated(MARIA), activated(MARIA, credentials=2, notice=Notice.REACTIVATION)],
    ],
    ids=["sent again", "reset", "activated again"],
)
def test_new_credentials_wait_for_their_own_mail(newer: list[EventSpec]) -> None:
    """The outcome of an earlier mail does not count."""
    sent = outcome(CredentialsMailed, Notice.ACTIVATION, ACTIVATION)
    account = given(*ACTIVE, sent, *newer)
    assert mail_state(account) is CredentialsMailState.PENDING
    record_outcome(account, newer[-1].fields["notice"], account.version, accepted=True)
    assert mail_state(account) is CredentialsMailState.SENT


def test_password_without_a_mail_is_not_pending() -> None:
    """An inactive sub-user gets no mail until the activation."""
    account = given(REGISTERED, created(MARIA), password_reset(MARIA, credentials=2, notice=Notice.NONE))
    assert mail_state(account) is CredentialsMailState.NONE


@pytest.mark.parametrize("accepted", [True, False], ids=["sent", "failed"])
def test_other_mails_do_not_affect_the_credentials_mail(accepted: bool) -> None:
    """The notice of a changed password carries no credentials, and the change cancelled the pending mail."""
    account = given(*ACTIVE, password_changed(MARIA, credentials=2))
    record_outcome(account, Notice.PASSWORD_CHANGED, 4, accepted=accepted)
    assert mail_state(account) is CredentialsMailState.NONE


def test_outcome_for_a_deleted_sub_user_is_not_recorded() -> None:
    """The key for the server's reply no longer exists."""
    account = given(*ACTIVE, deleted(MARIA), erased(MARIA))
    assert record_outcome(account, Notice.ACTIVATION, ACTIVATION, accepted=True) == []


def test_deactivation_cancels_a_pending_mail() -> None:
    """The state of a sent or failed mail stays."""
    assert mail_state(given(*ACTIVE, deactivated(MARIA))) is CredentialsMailState.NONE
    sent = outcome(CredentialsMailed, Notice.ACTIVATION, ACTIVATION)
    assert mail_state(given(*ACTIVE, sent, deactivated(MARIA))) is CredentialsMailState.SENT
    failed = outcome(CredentialsMailFailed, Notice.ACTIVATION, ACTIVATION)
    assert mail_state(given(*ACTIVE, failed, deactivated(MARIA))) is CredentialsMailState.FAILED


@pytest.mark.parametrize("last", [deactivated(MARIA), CLOSED], ids=["inactive", "account closed"])
def test_outcome_is_recorded_after_access_was_lost(last: EventSpec) -> None:
    """The mail was sent, so the history must show it."""
    account = given(*ACTIVE, last)
    assert record_outcome(account, Notice.ACTIVATION, ACTIVATION, accepted=True) == [
        outcome(CredentialsMailed, Notice.ACTIVATION, ACTIVATION)
    ]


def test_repeated_outcome_is_recorded_twice() -> None:
    """After a crash a mail may be sent twice. The state stays."""
    account = given(*ACTIVE)
    first = record_outcome(account, Notice.ACTIVATION, ACTIVATION, accepted=True)
    assert record_outcome(account, Notice.ACTIVATION, ACTIVATION, accepted=True) == first
    assert mail_state(account) is CredentialsMailState.SENT


def test_mail_outcome_keeps_the_revision() -> None:
    """It does not conflict with an edit by the main account."""
    account = given(*ACTIVE)
    before = account.sub_user(MARIA).revision
    record_outcome(account, Notice.ACTIVATION, ACTIVATION, accepted=True)
    assert account.sub_user(MARIA).revision == before
