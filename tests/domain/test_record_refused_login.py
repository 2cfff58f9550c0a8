"""Recording refused logins: the first five, then at each doubling, and a lock after 100."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.event_metadata import ActorType, Ciphertext, EventMetadata
from domain.main_account import MainAccount
from tests.domain.event_builders import (
    CLOSED,
    LUCA,
    MARIA,
    REGISTERED,
    UNKNOWN_SUB_USER,
    activated,
    created,
    deactivated,
    locked_out,
    login_refused,
)
from tests.domain.given_when_then import EventSpec, given, when

if TYPE_CHECKING:
    from uuid import UUID

ACTIVE = [REGISTERED, created(MARIA), activated(MARIA)]
ANONYMOUS = EventMetadata(ActorType.ANONYMOUS, None, "request-8", Ciphertext("an ip"), Ciphertext("a user agent"), None)


def record_failure(account: MainAccount, failures: int, why: str = "wrong_password") -> list[EventSpec]:
    return when(account, MainAccount.record_refused_login, MARIA, why, failures, by=ANONYMOUS)


@pytest.mark.parametrize("why", ["wrong_password", "inactive", "expired", "locked", "temporary_password_expired"])
def test_refused_login_is_recorded_with_its_reason(why: str) -> None:
    """Only the history has the reason; the client does not learn it."""
    assert record_failure(given(*ACTIVE), 1, why) == [login_refused(MARIA, why, 1)]


def test_failures_are_recorded_at_growing_intervals() -> None:
    """An attacker cannot flood the history: 1,024 attempts leave 13 refusals and one lock."""
    account = given(*ACTIVE)
    recorded = [event for failures in range(1, 1025) for event in record_failure(account, failures)]
    assert [event.fields["failures"] for event in recorded] == [1, 2, 3, 4, 5, 8, 16, 32, 64, 100, 128, 256, 512, 1024]
    assert [event.fields["failures"] for event in recorded if event.topic == "SubUserLockedOut"] == [100]


def test_99_failures_do_not_lock() -> None:
    account = given(*ACTIVE)
    assert record_failure(account, 99) == []
    assert account.sub_user(MARIA).locked is False


def test_100th_failure_locks() -> None:
    """The lock lasts until new credentials are issued (NIST SP 800-63B-4, 3.2.2)."""
    account = given(*ACTIVE)
    assert record_failure(account, 100) == [locked_out(MARIA, failures=100)]
    assert account.sub_user(MARIA).locked is True


def test_recorded_failure_may_also_lock() -> None:
    """Concurrent attempts may skip the count of exactly 100."""
    assert record_failure(given(*ACTIVE), 128) == [
        login_refused(MARIA, "wrong_password", 128),
        locked_out(MARIA, failures=128),
    ]


def test_locked_sub_user_is_not_locked_again() -> None:
    assert record_failure(given(*ACTIVE, locked_out(MARIA)), 101, "locked") == []


@pytest.mark.parametrize(
    "history",
    [[REGISTERED, created(MARIA)], [*ACTIVE, deactivated(MARIA)]],
    ids=["never activated", "deactivated"],
)
def test_inactive_sub_user_is_locked_as_well(history: list[EventSpec]) -> None:
    """From outside, active and inactive sub-users look the same. The activation lifts the lock."""
    assert record_failure(given(*history), 100, "inactive") == [locked_out(MARIA)]


def test_lock_affects_only_the_attacked_sub_user() -> None:
    account = given(*ACTIVE, created(LUCA), activated(LUCA))
    record_failure(account, 100)
    assert account.sub_user(LUCA).locked is False


@pytest.mark.parametrize("failures", [1, 8])
def test_login_with_an_unknown_email_is_recorded_without_a_sub_user(failures: int) -> None:
    """The account's owner can see the attempt."""
    account = given(*ACTIVE)
    assert when(account, MainAccount.record_refused_login, None, "unknown", failures, by=ANONYMOUS) == [
        login_refused(None, "unknown", failures)
    ]


@pytest.mark.parametrize("sub_user_id", [None, UNKNOWN_SUB_USER], ids=["unknown e-mail", "deleted meanwhile"])
def test_unknown_sub_user_is_not_locked(sub_user_id: UUID | None) -> None:
    """The account does not change, even after 100 failures."""
    account = given(*ACTIVE)
    before = dict(account.sub_users)
    assert when(account, MainAccount.record_refused_login, sub_user_id, "unknown", 100, by=ANONYMOUS) == []
    assert account.sub_users == before


def test_refused_login_is_recorded_in_a_closed_account() -> None:
    assert record_failure(given(*ACTIVE, CLOSED), 1, "account_closed") == [login_refused(MARIA, "account_closed", 1)]


def test_refused_login_does_not_change_the_sub_user() -> None:
    account = given(*ACTIVE)
    before = account.sub_user(MARIA)
    record_failure(account, 1)
    assert account.sub_user(MARIA) == before
