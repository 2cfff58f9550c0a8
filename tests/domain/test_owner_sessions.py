"""Sign-in events of the account's owner, which do not affect the account's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain import events
from domain.event_metadata import ActorType, Ciphertext, EventMetadata, Via
from domain.main_account import MainAccount
from domain.refusals import LoginRefused
from domain.snapshot import MainAccountSnapshot
from tests.domain.event_builders import CLOSED, MARIA, REGISTERED, SESSION, created
from tests.domain.given_when_then import EventSpec, event_spec, given, then_refused, when

if TYPE_CHECKING:
    from uuid import UUID

ANONYMOUS = EventMetadata(ActorType.ANONYMOUS, None, "request-8", Ciphertext("an ip"), Ciphertext("a user agent"), None)


def refused(why: str, failures: int) -> EventSpec:
    return event_spec(events.MainAccountLoginRefused, why=why, failures=failures)


def record_failure(account: MainAccount, failures: int, why: str = "wrong_password") -> list[EventSpec]:
    return when(account, MainAccount.record_refused_owner_login, why, failures, by=ANONYMOUS)


@pytest.mark.parametrize("via", Via)
def test_login_records_the_authentication_method(via: Via) -> None:
    """The method is a password, or a link from the portal."""
    assert when(given(REGISTERED), MainAccount.log_in_owner, SESSION, via) == [
        event_spec(events.MainAccountLoggedIn, session_id=SESSION, via=via)
    ]


@pytest.mark.parametrize("via", Via)
def test_login_to_a_closed_account_is_refused(via: Via) -> None:
    """Only the history has the reason."""
    refusal = then_refused(LoginRefused, given(REGISTERED, CLOSED), MainAccount.log_in_owner, SESSION, via)
    assert refusal.why == "account_closed"


@pytest.mark.parametrize("why", ["wrong_password", "locked"])
def test_refused_login_is_recorded_with_its_reason(why: str) -> None:
    """The owner can see the attempt."""
    assert record_failure(given(REGISTERED), 1, why) == [refused(why, 1)]


def test_failures_are_recorded_at_growing_intervals() -> None:
    """As for sub-users, an attacker cannot flood the history."""
    account = given(REGISTERED)
    recorded = [event for failures in range(1, 257) for event in record_failure(account, failures)]
    assert [event.fields["failures"] for event in recorded] == [1, 2, 3, 4, 5, 8, 16, 32, 64, 128, 256]


def test_refused_login_is_recorded_in_a_closed_account() -> None:
    """The login may have begun before the account was closed."""
    assert record_failure(given(REGISTERED, CLOSED), 1, "account_closed") == [refused("account_closed", 1)]


@pytest.mark.parametrize("session_id", [SESSION, None], ids=["one session", "all of them"])
@pytest.mark.parametrize("history", [[REGISTERED], [REGISTERED, CLOSED]], ids=["open", "closed"])
def test_ending_sessions_is_never_refused(session_id: UUID | None, history: list[EventSpec]) -> None:
    """Without a session id, all sessions of the owner end."""
    assert when(given(*history), MainAccount.log_out_owner, session_id) == [
        event_spec(events.MainAccountLoggedOut, session_id=session_id)
    ]


def test_owner_sign_in_changes_only_the_version() -> None:
    account = given(REGISTERED, created(MARIA))
    before, version = MainAccountSnapshot.take(account).state, account.version

    when(account, MainAccount.log_in_owner, SESSION, Via.LINK)
    record_failure(account, 1)
    when(account, MainAccount.log_out_owner, None)

    assert MainAccountSnapshot.take(account).state == before
    assert account.version == version + 3
