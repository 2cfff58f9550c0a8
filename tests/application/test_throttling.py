"""Guessing passwords gets slower and slower, ends in a lock, and never keeps others out for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.postgres.throttle import PostgresThrottle
from application.attempts import attempt_keys
from application.errors import InvalidValue, TooManyAttempts
from domain.refusals import LoginRefused
from tests.people import PORTAL, client, kinds
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from tests.conftest import TravelingClock
    from tests.people import Collaborator, Company

HERE, THERE = client("192.0.2.1"), client("192.0.2.2")


def fail(one: Collaborator, times: int = 1, ip: str = "192.0.2.1") -> None:
    for _ in range(times):
        with pytest.raises(LoginRefused):
            one.log_in("not the right one", client(ip))


def fail_from_everywhere(one: Collaborator, times: int) -> None:
    """Count failures as logins from so many clients would, without the work of verifying a password each time."""
    service = one.company.service
    account, email = (service.fingerprints.email(text) for text in (one.company.email, one.email))
    throttle = PostgresThrottle(service.database)
    for n in range(times):
        throttle.failed(
            attempt_keys(service.fingerprints, account, email, f"10.1.{n // 250}.{n % 250}"), service.clock()
        )


def seconds_to_wait(one: Collaborator, ip: str = "192.0.2.1") -> float:
    """Return for how long a login must wait: even the right password is not tried."""
    with pytest.raises(TooManyAttempts) as too_many:
        one.log_in(origin=client(ip))
    return too_many.value.retry_after


def test_four_failures_cost_no_time(company: Company) -> None:
    """Anybody mistypes."""
    one = company.let_in_settled()
    fail(one, 4)

    assert one.log_in(origin=HERE).token


def test_from_the_fifth_failure_the_wait_doubles(company: Company, clock: TravelingClock) -> None:
    """One second, two, four, up to fifteen minutes; the next attempt after that is taken."""
    clock.stand_still()
    one = company.let_in_settled()
    fail(one, 4)
    waits = []
    for _ in range(13):
        fail(one)
        waits.append(seconds_to_wait(one))
        clock.advance(seconds=waits[-1] + 0.001)

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert one.log_in(origin=HERE).token


def test_a_wait_is_for_one_client(company: Company, clock: TravelingClock) -> None:
    """Who keeps guessing does not keep the sub-user out, who comes from elsewhere."""
    clock.stand_still()
    one = company.let_in_settled()
    fail(one, 5)

    assert seconds_to_wait(one) > 0
    assert one.log_in(origin=THERE).token


def test_a_wait_is_for_one_sub_user(company: Company) -> None:
    """A colleague behind the same address is not held up."""
    one, other = company.let_in_settled(), company.let_in_settled()
    fail(one, 5)

    assert other.log_in(origin=HERE).token


def test_guesses_at_the_same_moment_count_one_after_the_other(company: Company, clock: TravelingClock) -> None:
    """Twenty at once from one client are five guesses, and then a wait: no more than in a row."""
    clock.stand_still()
    one = company.let_in_settled()

    came_to = at_once([lambda: one.log_in("not the right one", HERE)] * 20)

    assert sum(isinstance(answer, LoginRefused) for answer in came_to) == 5
    assert sum(isinstance(answer, TooManyAttempts) for answer in came_to) == 15


def test_a_client_does_not_get_round_the_wait_with_another_address_of_its_own(
    company: Company, clock: TravelingClock
) -> None:
    """With IPv6 everybody has a whole network to choose from: it counts as one client."""
    clock.stand_still()
    one = company.let_in_settled()
    for n in range(5):
        fail(one, ip=f"2001:db8:1:2::{n:x}")

    assert seconds_to_wait(one, "2001:db8:1:2:ffff::1") > 0
    assert one.log_in(origin=client("2001:db8:1:3::1")).token


def test_a_success_ends_the_row(company: Company) -> None:
    """Failures count in a row only."""
    one = company.let_in_settled()
    fail(one, 4)
    one.log_in(origin=HERE)
    fail(one, 4)

    assert one.log_in(origin=HERE).token


def test_waiting_is_the_same_for_somebody_who_does_not_exist(company: Company, clock: TravelingClock) -> None:
    """An unknown e-mail, and an unknown account, meet the same delays: they tell nothing."""
    clock.stand_still()
    for account_email in (company.email, "nobody@company.example"):
        for _ in range(5):
            with pytest.raises(LoginRefused):
                company.service.sessions.log_in(account_email, "ghost@company.example", "a guess", HERE)
        with pytest.raises(TooManyAttempts):
            company.service.sessions.log_in(account_email, "ghost@company.example", "a guess", HERE)


def test_a_hundred_failures_lock(company: Company) -> None:
    """From wherever they came: then the right password is refused as well, and sessions end."""
    one = company.let_in_settled()
    token = one.log_in(origin=HERE).token
    fail_from_everywhere(one, 98)
    fail(one)
    assert one.has_session(token)
    assert not one.state().locked

    fail(one)

    assert one.state().locked
    assert not one.has_session(token)
    with pytest.raises(LoginRefused):
        one.log_in(origin=THERE)
    assert kinds(company).count("SubUserLockedOut") == 1


def test_ninety_nine_failures_and_a_success_do_not_lock(company: Company) -> None:
    """The row is over."""
    one = company.let_in_settled()
    fail_from_everywhere(one, 99)
    one.log_in(origin=HERE)
    fail(one)

    assert not one.state().locked


def reset(one: Collaborator) -> str:
    one.change(password="another phrase for now")
    return "another phrase for now"


def reactivate(one: Collaborator) -> str:
    one.change(active=False)
    one.change(active=True, password="another phrase for now")
    return "another phrase for now"


@pytest.mark.parametrize("way_out", [reset, reactivate])
def test_new_access_data_unlocks_and_forgives(company: Company, way_out: Callable[[Collaborator], str]) -> None:
    """The main account lets a locked sub-user in again, and it takes a hundred failures anew to lock them."""
    one = company.let_in_settled()
    fail_from_everywhere(one, 99)
    fail(one)
    assert one.state().locked

    password = way_out(one)

    assert not one.state().locked
    assert one.log_in(password, THERE).must_change_password
    fail(one, ip="192.0.2.3")
    assert not one.state().locked
    assert "SubUserUnlocked" in kinds(company)


def test_sending_access_data_again_unlocks_too(service: Service, company: Company) -> None:
    """Whatever issues new access data."""
    one = company.let_in_settled()
    fail_from_everywhere(one, 99)
    fail(one)

    service.sub_users.send_credentials_again(company.account_id, one.sub_user_id, PORTAL)

    assert not one.state().locked


def test_the_lock_takes_hold_in_another_process(build: Callable[..., Service], company: Company) -> None:
    """Failures are counted together, however many processes there are."""
    one = company.let_in_settled()
    elsewhere = one.seen_by(build())
    fail_from_everywhere(one, 98)
    fail(one)
    fail(elsewhere, ip="192.0.2.4")

    assert one.state().locked


def test_thirty_failures_a_minute_close_the_door_to_an_address(company: Company, clock: TravelingClock) -> None:
    """For everybody behind it, until the minute is over; others come and go."""
    clock.stand_still()
    one = company.let_in_settled()
    for n in range(30):
        with pytest.raises(LoginRefused):
            company.service.sessions.log_in(company.email, f"guess-{n}@company.example", "a guess", HERE)

    assert 0 < seconds_to_wait(one) <= 60
    assert one.log_in(origin=THERE).token
    clock.advance(seconds=seconds_to_wait(one) + 0.001)
    assert one.log_in(origin=HERE).token


def test_thirty_failures_in_more_than_a_minute_do_not(company: Company, clock: TravelingClock) -> None:
    """A busy office mistypes now and then."""
    one = company.let_in_settled()
    service = company.service
    throttle = PostgresThrottle(service.database)
    for n in range(60):
        clock.advance(seconds=2.2)
        throttle.failed(attempt_keys(service.fingerprints, "an account", f"hash {n}", "192.0.2.1"), clock())

    assert one.log_in(origin=HERE).token


def test_guessing_the_current_password_gets_slower_too(company: Company, clock: TravelingClock) -> None:
    """Who took over a session cannot try passwords without end either."""
    clock.stand_still()
    one = company.let_in_settled()
    token = one.log_in().token

    def guess() -> None:
        company.service.sessions.change_own_password(token, "a wrong guess", "a good new phrase", PORTAL)

    for _ in range(5):
        with pytest.raises(InvalidValue, match="current_password: is wrong"):
            guess()
    with pytest.raises(TooManyAttempts):
        guess()
    clock.advance(seconds=2)
    changed = company.service.sessions.change_own_password(token, one.password, "a good new phrase", PORTAL)
    assert changed.value.token


def test_a_changed_password_ends_the_row_of_wrong_guesses(company: Company) -> None:
    """As a successful login does."""
    one = company.let_in_settled()
    for password in ["a good new phrase", "an even better phrase"]:
        token = one.log_in().token
        for _ in range(4):
            with pytest.raises(InvalidValue):
                company.service.sessions.change_own_password(token, "a wrong guess", password, PORTAL)
        one = one.choose_password(password)

    with pytest.raises(InvalidValue):
        company.service.sessions.change_own_password(one.log_in().token, "a wrong guess", "yet another phrase", PORTAL)
