"""What came of a mail to a sub-user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.cause import ActorType, Cause, Sealed
from domain.events import CredentialsMailed, CredentialsMailFailed
from domain.main_account import MainAccount
from domain.sub_user import CredentialsMailState, Notice
from tests.domain.facts import (
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
from tests.domain.given_when_then import Fact, fact, given, when

if TYPE_CHECKING:
    from domain.events import Event

ACTIVE = [REGISTERED, created(MARIA), activated(MARIA)]
ACTIVATION = 3
"""The version of that activation, which asked for a mail."""
SENT_AGAIN = password_reset(MARIA, credentials=2, notice=Notice.SEND_AGAIN)
MAILER = Cause(ActorType.SYSTEM, "mailer")


def outcome(event_class: type[Event], notice: Notice, caused_by: int) -> Fact:
    return fact(event_class, sub_user_id=MARIA, notice=notice, caused_by=caused_by, reply=Sealed("a reply"))


def noted(account: MainAccount, notice: Notice, caused_by: int, *, accepted: bool) -> list[Fact]:
    return when(
        account, MainAccount.note_mail, MARIA, notice, caused_by, Sealed("a reply"), accepted=accepted, by=MAILER
    )


def state(account: MainAccount) -> CredentialsMailState:
    return account.sub_user(MARIA).credentials_mail


def test_a_mail_is_pending_until_something_came_of_it() -> None:
    assert state(given(*ACTIVE)) is CredentialsMailState.PENDING


def test_a_mail_that_was_taken_is_sent() -> None:
    """The history keeps the server's reply, and which event asked for the mail."""
    account = given(*ACTIVE)
    assert noted(account, Notice.ACTIVATION, ACTIVATION, accepted=True) == [
        outcome(CredentialsMailed, Notice.ACTIVATION, ACTIVATION)
    ]
    assert state(account) is CredentialsMailState.SENT


def test_a_mail_that_was_refused_has_failed() -> None:
    """The main account can see it, and send the access data again."""
    account = given(*ACTIVE)
    assert noted(account, Notice.ACTIVATION, ACTIVATION, accepted=False) == [
        outcome(CredentialsMailFailed, Notice.ACTIVATION, ACTIVATION)
    ]
    assert state(account) is CredentialsMailState.FAILED


@pytest.mark.parametrize("accepted", [True, False], ids=["sent", "failed"])
def test_the_outcome_of_an_outdated_mail_is_recorded_and_changes_nothing(accepted: bool) -> None:
    """Another mail was asked for since, and that one is still pending."""
    account = given(*ACTIVE, SENT_AGAIN)
    assert len(noted(account, Notice.ACTIVATION, ACTIVATION, accepted=accepted)) == 1
    assert state(account) is CredentialsMailState.PENDING


@pytest.mark.parametrize(
    "newer",
    [
        [SENT_AGAIN],
        [password_reset(MARIA, credentials=2, notice=Notice.RESET)],
        [deactivated(MARIA), activated(MARIA, credentials=2, notice=Notice.REACTIVATION)],
    ],
    ids=["sent again", "reset", "activated again"],
)
def test_each_new_access_data_waits_for_a_mail_of_its_own(newer: list[Fact]) -> None:
    """That an earlier mail was sent says nothing of the next."""
    sent = outcome(CredentialsMailed, Notice.ACTIVATION, ACTIVATION)
    account = given(*ACTIVE, sent, *newer)
    assert state(account) is CredentialsMailState.PENDING
    noted(account, newer[-1].fields["notice"], account.version, accepted=True)
    assert state(account) is CredentialsMailState.SENT


def test_a_password_set_without_a_mail_waits_for_none() -> None:
    """Whoever is inactive is told of nothing until they are activated."""
    account = given(REGISTERED, created(MARIA), password_reset(MARIA, credentials=2, notice=Notice.NONE))
    assert state(account) is CredentialsMailState.NONE


@pytest.mark.parametrize("accepted", [True, False], ids=["sent", "failed"])
def test_a_mail_about_something_else_says_nothing_of_the_access_data(accepted: bool) -> None:
    """The warning that a password was changed is a mail as well, but carries none; what had not gone out does not."""
    account = given(*ACTIVE, password_changed(MARIA, credentials=2))
    noted(account, Notice.PASSWORD_CHANGED, 4, accepted=accepted)
    assert state(account) is CredentialsMailState.NONE


def test_of_a_deleted_sub_user_nothing_is_recorded() -> None:
    """There is nobody left whom it could be about, nor a key for the reply."""
    account = given(*ACTIVE, deleted(MARIA), erased(MARIA))
    assert noted(account, Notice.ACTIVATION, ACTIVATION, accepted=True) == []


def test_a_mail_to_somebody_deactivated_is_waited_for_no_more() -> None:
    """It does not go out any more; whatever had gone out stays as it was."""
    assert state(given(*ACTIVE, deactivated(MARIA))) is CredentialsMailState.NONE
    sent = outcome(CredentialsMailed, Notice.ACTIVATION, ACTIVATION)
    assert state(given(*ACTIVE, sent, deactivated(MARIA))) is CredentialsMailState.SENT
    failed = outcome(CredentialsMailFailed, Notice.ACTIVATION, ACTIVATION)
    assert state(given(*ACTIVE, failed, deactivated(MARIA))) is CredentialsMailState.FAILED


@pytest.mark.parametrize("last", [deactivated(MARIA), CLOSED], ids=["inactive", "account closed"])
def test_an_outcome_is_recorded_of_whoever_lost_access_meanwhile(last: Fact) -> None:
    """The mail went out: that it did belongs in the history."""
    account = given(*ACTIVE, last)
    assert noted(account, Notice.ACTIVATION, ACTIVATION, accepted=True) == [
        outcome(CredentialsMailed, Notice.ACTIVATION, ACTIVATION)
    ]


def test_the_same_outcome_twice_is_recorded_twice() -> None:
    """A mail may have been handed over again after a crash, and the history says so; the state stays."""
    account = given(*ACTIVE)
    first = noted(account, Notice.ACTIVATION, ACTIVATION, accepted=True)
    assert noted(account, Notice.ACTIVATION, ACTIVATION, accepted=True) == first
    assert state(account) is CredentialsMailState.SENT


def test_a_mail_leaves_the_revision_alone() -> None:
    """What the main account has read of a sub-user is not out of date because a mail arrived."""
    account = given(*ACTIVE)
    before = account.sub_user(MARIA).revision
    noted(account, Notice.ACTIVATION, ACTIVATION, accepted=True)
    assert account.sub_user(MARIA).revision == before
