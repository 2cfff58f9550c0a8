"""Throttling of sub-user logins: growing delays, temporary locks, and exemptions for known networks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from adapters.passwords import Argon2Passwords
from application.errors import InvalidValue, TooManyAttempts
from application.throttle_keys import sub_user_keys
from domain.refusals import LoginRefused
from tests.builders import PORTAL, context_from, event_types
from tests.throttling import count_failures, fail_as_sub_user
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from tests.builders import Company, SubUserHandle
    from tests.conftest import TravelingClock

CLIENT_A, CLIENT_B = context_from("192.0.2.1"), context_from("192.0.2.2")


def fail(sub_user: SubUserHandle, times: int = 1, ip: str = "192.0.2.1") -> None:
    for _ in range(times):
        with pytest.raises(LoginRefused):
            sub_user.log_in("not the right one", context_from(ip))


def fail_from_many_networks(sub_user: SubUserHandle, times: int) -> None:
    fail_as_sub_user(sub_user.company.service, sub_user.company.email, sub_user.email, times)


def seconds_to_wait(sub_user: SubUserHandle, ip: str = "192.0.2.1") -> float:
    """Return the delay of a throttled login, even with the correct password."""
    with pytest.raises(TooManyAttempts) as too_many:
        sub_user.log_in(context=context_from(ip))
    return too_many.value.retry_after


def test_four_failures_cause_no_delay(company: Company) -> None:
    sub_user = company.create_with_own_password()
    fail(sub_user, 4)

    assert sub_user.log_in(context=CLIENT_A).token


def test_delay_doubles_from_the_fifth_failure(company: Company, clock: TravelingClock) -> None:
    """It grows from one second to 15 minutes."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    fail(sub_user, 4)
    waits = []
    for _ in range(13):
        fail(sub_user)
        waits.append(seconds_to_wait(sub_user))
        clock.advance(seconds=waits[-1] + 0.001)

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert sub_user.log_in(context=CLIENT_A).token


def test_delay_applies_to_one_client(company: Company, clock: TravelingClock) -> None:
    """An attacker does not lock out the sub-user, who logs in from elsewhere."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    fail(sub_user, 5)

    assert seconds_to_wait(sub_user) > 0
    assert sub_user.log_in(context=CLIENT_B).token


def test_delay_applies_to_one_sub_user(company: Company) -> None:
    """A coworker with the same address is not delayed."""
    sub_user, other = company.create_with_own_password(), company.create_with_own_password()
    fail(sub_user, 5)

    assert other.log_in(context=CLIENT_A).token


def test_concurrent_guesses_are_counted_in_sequence(company: Company, clock: TravelingClock) -> None:
    """Of 20 concurrent guesses from one client, five are verified and the others throttled."""
    clock.freeze()
    sub_user = company.create_with_own_password()

    results = run_concurrently([lambda: sub_user.log_in("not the right one", CLIENT_A)] * 20)

    assert sum(isinstance(result, LoginRefused) for result in results) == 5
    assert sum(isinstance(result, TooManyAttempts) for result in results) == 15


@pytest.mark.parametrize(
    ("addresses", "failures", "refused", "admitted"),
    [
        ("2001:db8:1:2::{number:x}", 5, "2001:db8:1:2:ffff::1", "2001:db8:1:3::1"),
        ("2001:db8:1:{number:x}::1", 10, "2001:db8:1:ff::1", "2001:db8:1:100::1"),
        ("2001:db8:1:{number:x}00::1", 20, "2001:db8:1:ffff::1", "2001:db8:2::1"),
        ("198.51.100.{number}", 20, "198.51.100.250", "198.51.101.1"),
    ],
    ids=["/64", "/56", "/48", "/24"],
)
def test_delay_applies_to_the_whole_network_of_a_client(
    company: Company, clock: TravelingClock, addresses: str, failures: int, refused: str, admitted: str
) -> None:
    """An attacker may use a whole network, so each prefix length is counted. The adjacent network is not affected."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    for number in range(failures):
        fail(sub_user, ip=addresses.format(number=number))

    assert seconds_to_wait(sub_user, refused) > 0
    assert sub_user.log_in(context=context_from(admitted)).token


def test_success_resets_the_failures(company: Company) -> None:
    """Only consecutive failures count."""
    sub_user = company.create_with_own_password()
    fail(sub_user, 4)
    sub_user.log_in(context=CLIENT_A)
    fail(sub_user, 4)

    assert sub_user.log_in(context=CLIENT_A).token


def test_unknown_sub_user_has_the_same_delay(company: Company, clock: TravelingClock) -> None:
    """Delays do not reveal whether the sub-user or the account exists."""
    clock.freeze()
    for account_email in (company.email, "nobody@company.example"):
        for _ in range(5):
            with pytest.raises(LoginRefused):
                company.service.commands.sub_user_sessions.log_in(
                    account_email, "ghost@company.example", "a guess", CLIENT_A
                )
        with pytest.raises(TooManyAttempts):
            company.service.commands.sub_user_sessions.log_in(
                account_email, "ghost@company.example", "a guess", CLIENT_A
            )


def test_a_hundred_failures_lock_for_an_hour(company: Company, clock: TravelingClock) -> None:
    """The correct password is refused as well, from networks where the sub-user has not logged in."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    fail_from_many_networks(sub_user, 98)
    fail(sub_user, ip="203.0.113.1")
    assert not sub_user.state().locked

    fail(sub_user, ip="203.0.113.1")

    assert sub_user.state().locked
    with pytest.raises(LoginRefused) as refused:
        sub_user.log_in(context=context_from("198.51.100.1"))
    assert refused.value.why == "locked"
    clock.advance(hours=1, seconds=1)
    assert sub_user.log_in(context=context_from("198.51.100.1")).token
    assert not sub_user.state().locked
    assert event_types(company).count("SubUserLockedOut") == event_types(company).count("SubUserUnlocked") == 1


def test_one_attempt_an_hour_is_verified_after_a_lock(company: Company, clock: TravelingClock) -> None:
    """An attacker with many networks does not get another hundred attempts."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    fail_from_many_networks(sub_user, 100)
    clock.advance(hours=1, seconds=1)
    fail(sub_user, ip="203.0.113.1")

    with pytest.raises(LoginRefused) as refused:
        sub_user.log_in(context=context_from("198.51.100.1"))

    assert refused.value.why == "locked"
    assert event_types(company).count("SubUserLockedOut") == 1


def test_lock_ends_no_session(company: Company) -> None:
    """Otherwise anyone who knows both e-mail addresses could end sessions."""
    sub_user = company.create_with_own_password()
    token = sub_user.log_in(context=CLIENT_A).token
    fail_from_many_networks(sub_user, 99)

    fail(sub_user, ip="203.0.113.1")

    assert sub_user.state().locked
    assert sub_user.has_session(token)


def test_known_networks_are_exempt_from_a_lock(company: Company, clock: TravelingClock) -> None:
    """Known are the networks of successful logins within 30 days. The usual delays apply there."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    sub_user.log_in(context=CLIENT_B)
    fail_from_many_networks(sub_user, 200)

    assert sub_user.log_in(context=CLIENT_B).token
    fail_from_many_networks(sub_user, 200)
    fail(sub_user, 5, ip="192.0.2.2")
    assert seconds_to_wait(sub_user, "192.0.2.2") > 0

    clock.advance(days=31)
    fail_from_many_networks(sub_user, 200)
    with pytest.raises(LoginRefused):
        sub_user.log_in(context=CLIENT_B)


def test_guesses_from_one_prefix_do_not_lock(company: Company, clock: TravelingClock) -> None:
    """A /48 gets 20 guesses, and then one after each delay."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    guessed = 0
    for number in range(150):
        try:
            sub_user.log_in("not the right one", context_from(f"2001:db8:0:{number * 100:x}::1"))
        except LoginRefused:
            guessed += 1
        except TooManyAttempts:
            clock.advance(seconds=0.2)  # 104 guesses in 20 seconds leave 0.2 seconds between two

    assert guessed < 30
    assert not sub_user.state().locked
    assert sub_user.log_in(context=context_from("198.51.100.1")).token


def test_guesses_from_a_shared_network_do_not_block_known_users(company: Company, clock: TravelingClock) -> None:
    """The limit of 30 failures per minute does not apply to a sub-user who logged in from that address before."""
    clock.freeze()
    sub_user, other = company.create_with_own_password(), company.create_active()
    sub_user.log_in(context=CLIENT_B)
    for number in range(30):
        with pytest.raises(LoginRefused):
            company.service.commands.sub_user_sessions.log_in(
                company.email, f"guess-{number}@company.example", "a guess", CLIENT_B
            )

    assert seconds_to_wait(other, "192.0.2.2") > 0
    assert sub_user.log_in(context=CLIENT_B).token
    with pytest.raises(TooManyAttempts) as too_many:  # same delay as from an unknown network
        sub_user.log_in("not the right one", CLIENT_B)
    assert too_many.value.retry_after == seconds_to_wait(other, "192.0.2.2")


def test_99_failures_and_a_success_do_not_lock(company: Company) -> None:
    sub_user = company.create_with_own_password()
    fail_from_many_networks(sub_user, 99)
    sub_user.log_in(context=CLIENT_A)
    fail(sub_user)

    assert not sub_user.state().locked


def reset(sub_user: SubUserHandle) -> SubUserHandle:
    sub_user.change(password="another phrase for now")
    return replace(sub_user, password="another phrase for now")


def reactivate(sub_user: SubUserHandle) -> SubUserHandle:
    sub_user.change(active=False)
    sub_user.change(active=True, password="another phrase for now")
    return replace(sub_user, password="another phrase for now")


def reactivate_with_generated(sub_user: SubUserHandle) -> SubUserHandle:
    sub_user.change(active=False)
    sub_user.change(active=True)
    return with_generated_password(sub_user)


def send_again(sub_user: SubUserHandle) -> SubUserHandle:
    sub_user.company.service.commands.sub_users.send_credentials_again(
        sub_user.company.account_id, sub_user.sub_user_id, PORTAL
    )
    return with_generated_password(sub_user)


def with_generated_password(sub_user: SubUserHandle) -> SubUserHandle:
    entry = sub_user.company.service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id]
    assert entry.encrypted_password is not None
    return replace(sub_user, password=entry.key.decrypt("password", entry.encrypted_password))


@pytest.mark.parametrize("renew", [reset, reactivate, reactivate_with_generated, send_again])
def test_new_credentials_unlock_and_work_at_once(
    company: Company, clock: TravelingClock, renew: Callable[[SubUserHandle], SubUserHandle]
) -> None:
    """They work from any network, including the attacker's. Another hundred failures are needed for a lock."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    fail(sub_user, 5, ip="203.0.113.1")
    fail_from_many_networks(sub_user, 100)
    with pytest.raises(TooManyAttempts):
        sub_user.log_in(context=context_from("203.0.113.1"))

    renewed = renew(sub_user)

    assert not renewed.state().locked
    assert renewed.log_in(context=context_from("203.0.113.1")).must_change_password


@pytest.mark.parametrize("renew", [reactivate_with_generated, send_again])
def test_generated_password_works_during_an_attack(
    company: Company, clock: TravelingClock, renew: Callable[[SubUserHandle], SubUserHandle]
) -> None:
    """It works even from the attacker's network, because a password of 123 bits cannot be guessed."""
    clock.freeze()
    renewed = renew(company.create_with_own_password())
    fail_from_many_networks(renewed, 1000)
    for _ in range(5):
        fail(renewed, ip="203.0.113.1")
    # Wrong passwords are throttled as usual, so that the exemption does not reveal the sub-user.
    with pytest.raises(TooManyAttempts):
        renewed.log_in("not the right one", context_from("203.0.113.1"))

    assert renewed.log_in(context=context_from("203.0.113.1")).must_change_password


def test_exemption_ends_with_an_own_password(company: Company, clock: TravelingClock) -> None:
    """An own password may be guessable."""
    clock.freeze()
    sub_user = send_again(company.create_with_own_password()).choose_password("a password chosen by me")
    fail_from_many_networks(sub_user, 100)

    with pytest.raises(LoginRefused) as refused:
        sub_user.log_in(context=context_from("203.0.113.1"))

    assert refused.value.why == "locked"


def test_failures_count_across_processes(build: Callable[..., Service], company: Company) -> None:
    sub_user = company.create_with_own_password()
    sub_user_in_other_process = sub_user.with_service(build())
    fail_from_many_networks(sub_user, 98)
    fail(sub_user)
    fail(sub_user_in_other_process, ip="203.0.113.4")

    assert sub_user.state().locked


@pytest.mark.parametrize(
    ("attackers", "blocked", "admitted"),
    [
        ("203.0.113.1", "203.0.113.1", "203.0.113.2"),
        ("2001:db8:0:{number:x}::1", "2001:db8:0:ff::1", "2001:db8:0:100::1"),
    ],
    ids=["an address", "a /56"],
)
def test_thirty_failures_a_minute_block_a_client(
    company: Company, clock: TravelingClock, attackers: str, blocked: str, admitted: str
) -> None:
    """The block lasts a minute and affects no other client. All /64 networks of a /56 are one client."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    for number in range(30):
        with pytest.raises(LoginRefused):
            company.service.commands.sub_user_sessions.log_in(
                company.email,
                f"guess-{number}@company.example",
                "a guess",
                context_from(attackers.format(number=number)),
            )

    assert 0 < seconds_to_wait(sub_user, blocked) <= 60
    assert sub_user.log_in(context=context_from(admitted)).token
    clock.advance(seconds=seconds_to_wait(sub_user, blocked) + 0.001)
    assert sub_user.log_in(context=context_from(blocked)).token


def test_thirty_failures_in_more_than_a_minute_do_not_block(company: Company, clock: TravelingClock) -> None:
    """A shared office address has occasional failures."""
    sub_user = company.create_with_own_password()
    for number in range(60):
        clock.advance(seconds=2.2)
        keys = sub_user_keys(company.service.keyed_hasher, "an account", f"hash {number}", "203.0.113.1")
        count_failures(company.service, [keys])

    assert sub_user.log_in(context=context_from("203.0.113.1")).token


def test_guesses_at_the_current_password_are_throttled(company: Company, clock: TravelingClock) -> None:
    """A stolen session does not allow unlimited guesses."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    token = sub_user.log_in().token

    def guess() -> None:
        company.service.commands.sub_user_sessions.change_password(token, "a wrong guess", "a good new phrase", PORTAL)

    for _ in range(5):
        with pytest.raises(InvalidValue, match="current_password: is wrong"):
            guess()
    with pytest.raises(TooManyAttempts):
        guess()
    clock.advance(seconds=2)
    changed = company.service.commands.sub_user_sessions.change_password(
        token, sub_user.password, "a good new phrase", PORTAL
    )
    assert changed.value.token


def test_password_change_resets_the_failures(company: Company) -> None:
    sub_user = company.create_with_own_password()
    for password in ["a good new phrase", "an even better phrase"]:
        token = sub_user.log_in().token
        for _ in range(4):
            with pytest.raises(InvalidValue):
                company.service.commands.sub_user_sessions.change_password(token, "a wrong guess", password, PORTAL)
        sub_user = sub_user.choose_password(password)

    with pytest.raises(InvalidValue):
        company.service.commands.sub_user_sessions.change_password(
            sub_user.log_in().token, "a wrong guess", "yet another phrase", PORTAL
        )


def record_verified_passwords(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each verified password is appended."""
    verified: list[str] = []
    verify = Argon2Passwords.verify

    def record_and_verify(self: Argon2Passwords, password_hash: str | None, password: str) -> bool:
        verified.append(password)
        return verify(self, password_hash, password)

    monkeypatch.setattr(Argon2Passwords, "verify", record_and_verify)
    return verified


def test_concurrent_guesses_across_processes_are_counted_before_verification(
    build: Callable[..., Service], company: Company, clock: TravelingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 64 guesses in two processes, five are verified, as in sequence."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    processes = [sub_user, sub_user.with_service(build())]
    verified = record_verified_passwords(monkeypatch)

    results = run_concurrently(
        [partial(processes[number % 2].log_in, "a wrong guess", CLIENT_A) for number in range(64)]
    )

    assert len(verified) == 5
    assert sorted(type(result).__name__ for result in results) == ["LoginRefused"] * 5 + ["TooManyAttempts"] * 59


def test_concurrent_guesses_of_one_client_are_counted_before_verification(
    build: Callable[..., Service], company: Company, clock: TravelingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 64 guesses with different e-mails, 30 are verified."""
    clock.freeze()
    processes = [company.service, build()]
    verified = record_verified_passwords(monkeypatch)

    results = run_concurrently(
        [
            partial(
                processes[n % 2].commands.sub_user_sessions.log_in,
                company.email,
                f"guess-{n}@company.example",
                "a guess",
                CLIENT_B,
            )
            for n in range(64)
        ]
    )

    assert len(verified) == 30
    assert sorted(type(result).__name__ for result in results) == ["LoginRefused"] * 30 + ["TooManyAttempts"] * 34


def test_concurrent_guesses_at_the_current_password_are_counted_before_verification(
    build: Callable[..., Service], company: Company, clock: TravelingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 64 guesses in two processes, at most five are verified."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    token = sub_user.log_in().token
    processes = [company.service, build()]
    verified = record_verified_passwords(monkeypatch)

    results = run_concurrently(
        [
            partial(
                processes[n % 2].commands.sub_user_sessions.change_password,
                token,
                "a wrong guess",
                "a good new phrase",
                PORTAL,
            )
            for n in range(64)
        ]
    )

    assert 1 <= len(verified) <= 5
    assert {type(result) for result in results} == {InvalidValue, TooManyAttempts}


@pytest.mark.parametrize("times", [32, 64])
def test_concurrent_logins_with_the_correct_password_succeed(
    build: Callable[..., Service], company: Company, times: int
) -> None:
    """They wait for each other across processes instead of being throttled."""
    sub_user = company.create_with_own_password()
    processes = [sub_user, sub_user.with_service(build())]

    results = run_concurrently(
        [partial(processes[number % 2].log_in, sub_user.password, CLIENT_A) for number in range(times)]
    )

    assert len({getattr(result, "token", None) for result in results}) == times


def test_new_password_is_checked_before_expensive_work(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cheap checks come before hashing; the strength is estimated only if the current password is correct."""
    sub_user = company.create_with_own_password()
    token = sub_user.log_in().token
    verified = record_verified_passwords(monkeypatch)
    estimated: list[str] = []

    def record_and_estimate(password: str, **_: object) -> dict[str, int]:
        estimated.append(password)
        return {"guesses": 10**9}

    monkeypatch.setattr("zxcvbn.zxcvbn", record_and_estimate)
    change = partial(company.service.commands.sub_user_sessions.change_password, token)

    for new_password in ("short", f"my name is {sub_user.email}", sub_user.password):
        with pytest.raises(InvalidValue, match="new_password"):
            change(sub_user.password, new_password, PORTAL)
    assert (verified, estimated) == ([], [])
    with pytest.raises(InvalidValue, match="current_password"):
        change("a wrong guess", "a good new phrase", PORTAL)
    assert estimated == []


def test_password_changes_are_limited_per_hour(company: Company, clock: TravelingClock) -> None:
    """30 verifications an hour are allowed, even with the correct current password."""
    clock.freeze()
    sub_user = company.create_with_own_password()
    change = partial(
        company.service.commands.sub_user_sessions.change_password, sub_user.log_in().token, sub_user.password
    )
    for _ in range(29):  # choosing the first password took one
        with pytest.raises(InvalidValue, match="too common"):
            change("passwordpassword", PORTAL)

    with pytest.raises(TooManyAttempts) as too_many:
        change("a good new phrase", PORTAL)

    assert 3500 < too_many.value.retry_after <= 3600
