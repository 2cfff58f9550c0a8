"""Whatever takes access away ends every session at once: in the transaction that records it, for every process."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest

from adapters.postgres.throttle import PostgresThrottle
from application.attempts import attempt_keys
from application.errors import SessionEnded
from domain.refusals import LoginRefused
from tests.people import PORTAL, client
from tests.postgres import connect
from tests.waiting import at_once, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from tests.conftest import TravelingClock
    from tests.people import Collaborator, Company


def deactivate(one: Collaborator) -> None:
    one.change(active=False)


def delete(one: Collaborator) -> None:
    one.delete()


def reset(one: Collaborator) -> None:
    one.change(password="another phrase for now")


def send_again(one: Collaborator) -> None:
    one.company.service.sub_users.send_credentials_again(one.company.account_id, one.sub_user_id, PORTAL)


def end_sessions(one: Collaborator) -> None:
    one.company.service.sub_users.end_sessions(one.company.account_id, one.sub_user_id, PORTAL)


def choose_password(one: Collaborator) -> None:
    one.choose_password("yet another phrase of mine")


def let_expire(one: Collaborator) -> None:
    one.change(expiry_given=True, access_expires_at=one.company.service.clock())


def lock(one: Collaborator) -> None:
    service = one.company.service
    emails = [service.fingerprints.email(email) for email in (one.company.email, one.email)]
    for n in range(99):
        keys = attempt_keys(service.fingerprints, emails[0], emails[1], f"198.51.100.{n}")
        PostgresThrottle(service.database).failed(keys, service.clock())
    with pytest.raises(LoginRefused):
        one.log_in("not the right one", client("203.0.113.1"))


def close_account(one: Collaborator) -> None:
    one.company.service.accounts.close(one.company.account_id, PORTAL)


ENDINGS = [deactivate, delete, reset, send_again, end_sessions, choose_password, let_expire, lock, close_account]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_session_ends_everywhere(
    build: Callable[..., Service], company: Company, ending: Callable[[Collaborator], None]
) -> None:
    """Once the command has been answered, no process takes an old token; other people's sessions go on."""
    one, other = company.let_in_settled(), company.let_in_settled()
    tokens = [one.log_in().token for _ in range(3)]
    others = other.log_in().token
    elsewhere = build()
    assert all(elsewhere.sessions.current(token) for token in tokens)

    ending(one)

    for service in (company.service, elsewhere):
        assert not any(one.seen_by(service).has_session(token) for token in tokens)
        assert other.seen_by(service).has_session(others) == (ending is not close_account)


RECORDED: dict[Callable[[Collaborator], None], str] = {
    deactivate: "SubUserDeactivated",
    delete: "SubUserDeleted",
    reset: "SubUserPasswordReset",
    end_sessions: "SubUserLoggedOut",
    close_account: "MainAccountClosed",
    lock: "SubUserLockedOut",
}


@pytest.mark.parametrize("ending", RECORDED)
def test_the_event_and_the_end_of_the_sessions_are_one(
    company: Company, database_url: str, ending: Callable[[Collaborator], None]
) -> None:
    """Nobody who looks at the database, at any moment, sees the one without the other."""
    one = company.let_in_settled()
    one.log_in()
    seen: set[tuple[bool, bool]] = set()
    answered = threading.Event()
    query = (
        "SELECT EXISTS (SELECT FROM stored_events WHERE topic = %s), EXISTS (SELECT FROM sessions WHERE person_id = %s)"
    )
    with connect(database_url) as onlooker:

        def look() -> None:
            (row,) = onlooker.execute(query, [RECORDED[ending], one.sub_user_id]).fetchall()
            seen.add((row[0], row[1]))

        def keep_looking() -> None:
            while not answered.is_set():
                look()

        looking = threading.Thread(target=keep_looking)
        looking.start()
        eventually(lambda: seen)
        ending(one)
        answered.set()
        looking.join()
        look()

    assert seen == {(False, True), (True, False)}


@pytest.mark.parametrize("ending", [reset, end_sessions])
def test_a_sub_user_who_has_still_access_may_log_in_again(
    company: Company, ending: Callable[[Collaborator], None]
) -> None:
    """Ending sessions takes no more away than that."""
    one = company.let_in_settled()
    ending(one)

    token = one.log_in("another phrase for now" if ending is reset else None).token

    assert one.has_session(token)


def test_logging_out_ends_one_session(company: Company) -> None:
    """The sub-user's own, and no other."""
    one = company.let_in_settled()
    first, second = one.log_in().token, one.log_in().token

    company.service.sessions.log_out(first, PORTAL)

    assert not one.has_session(first)
    assert one.has_session(second)
    with pytest.raises(SessionEnded):
        company.service.sessions.log_out(first, PORTAL)


def test_a_session_ends_with_its_owners_access(company: Company, clock: TravelingClock) -> None:
    """To the moment, without anybody doing anything; and its own expiry says so from the start."""
    end = clock() + timedelta(minutes=10)
    one = company.let_in_settled(access_expires_at=end)
    token = one.log_in().token
    assert company.service.sessions.current(token).expires_at == end
    clock.advance(minutes=9)
    assert one.has_session(token)
    clock.advance(minutes=1)

    assert not one.has_session(token)


def test_an_end_that_is_brought_forward_applies_to_open_sessions(company: Company, clock: TravelingClock) -> None:
    """Access that is cut short cuts sessions short."""
    one = company.let_in_settled()
    token = one.log_in().token
    one.change(expiry_given=True, access_expires_at=clock() + timedelta(minutes=5))
    assert one.has_session(token)
    clock.advance(minutes=6)

    assert not one.has_session(token)


def test_an_end_that_is_put_off_lets_open_sessions_go_on(company: Company, clock: TravelingClock) -> None:
    """Access that is prolonged in time needs no new login."""
    one = company.let_in_settled(access_expires_at=clock() + timedelta(minutes=5))
    token = one.log_in().token
    one.change(expiry_given=True, access_expires_at=None)
    clock.advance(minutes=6)

    assert one.has_session(token)


@pytest.mark.parametrize("how", ["passed", "set to the past"])
def test_a_session_that_has_ended_never_comes_back(company: Company, clock: TravelingClock, how: str) -> None:
    """Giving access again opens the door to new logins, not to old tokens."""
    one = company.let_in_settled(access_expires_at=clock() + timedelta(minutes=5))
    token = one.log_in().token
    if how == "passed":
        clock.advance(minutes=6)
    else:
        one.change(expiry_given=True, access_expires_at=clock() - timedelta(minutes=1))
    assert not one.has_session(token)

    one.change(expiry_given=True, access_expires_at=None)

    assert not one.has_session(token)
    assert one.has_session(one.log_in().token)


def test_an_idle_session_ends_after_an_hour(company: Company, clock: TravelingClock) -> None:
    """Sixty minutes without use, while use keeps it open."""
    one = company.let_in_settled()
    used, idle = one.log_in().token, one.log_in().token
    for _ in range(2):
        clock.advance(minutes=59)
        assert one.has_session(used)
    assert not one.has_session(idle)
    clock.advance(minutes=61)

    assert not one.has_session(used)


def test_no_session_lasts_longer_than_a_day(company: Company, clock: TravelingClock) -> None:
    """Twenty-four hours, however much it is used, and just as was said when it was opened."""
    one = company.let_in_settled()
    opened = one.log_in()
    for _ in range(47):
        clock.advance(minutes=30)
        assert one.has_session(opened.token)
    assert opened.expires_at > clock()
    clock.advance(minutes=31)

    assert opened.expires_at <= clock()
    assert not one.has_session(opened.token)


@pytest.mark.parametrize("token", ["", "no such token", "\x00", "\ud800", "x" * 1_000_000])
def test_what_is_no_token_opens_nothing(service: Service, token: str) -> None:
    """Whatever somebody sends instead of one."""
    with pytest.raises(SessionEnded):
        service.sessions.current(token)


def test_tokens_are_never_the_same(company: Company) -> None:
    """A new one of 256 bits at every login."""
    one = company.let_in_settled()
    tokens = {one.log_in().token for _ in range(10)}

    assert len(tokens) == 10
    assert {len(token) for token in tokens} == {43}


class Crowd:
    """Logs in and looks sessions up, over and over, and remembers what was answered when."""

    def __init__(self, one: Collaborator, services: list[Service]) -> None:
        self.one = one
        self.services = services
        self.tokens: list[str] = []
        self.dead_since: dict[str, float] = {}
        self.wrongly_taken: list[str] = []
        self.lookups = 0
        self.stop = threading.Event()
        self.open = threading.Event()
        self.numbers = count()

    def be_busy(self) -> None:
        """Log in and look up until told to stop; after a refusal wait until the door is open again."""
        while not self.stop.is_set():
            number = next(self.numbers)
            at = self.one.seen_by(self.services[number % 2])
            try:
                self.tokens.append(
                    at.log_in(origin=client(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")).token
                )
            except LoginRefused:
                self.open.wait()
            for token in self.tokens[-20:]:
                self.look_up(self.services[number % 2], token)

    def look_up(self, service: Service, token: str) -> None:
        """Look one token up, and note it if it was taken though the command that ended it had been answered."""
        began = time.monotonic()
        taken = self.one.seen_by(service).has_session(token)
        self.lookups += 1
        if taken and began > self.dead_since.get(token, began):
            self.wrongly_taken.append(token)


def test_old_tokens_die_at_once_while_sixteen_go_in_and_out(build: Callable[..., Service], company: Company) -> None:
    """Three seconds of logins and look-ups through two processes, while access is taken away again and again."""
    one = company.let_in_active()
    crowd = Crowd(one, [company.service, build()])
    crowd.open.set()

    def take_away(ending: Callable[[Collaborator], None]) -> None:
        so_many = len(crowd.tokens)
        eventually(lambda: len(crowd.tokens) >= so_many + 8)
        old = list(crowd.tokens)
        if ending is deactivate:
            crowd.open.clear()
        ending(one)
        answered = time.monotonic()
        crowd.dead_since.update({token: answered for token in old if token not in crowd.dead_since})
        for token in old[-30:]:
            crowd.look_up(crowd.services[1], token)
        if ending is deactivate:
            assert crowd.services[0].sub_users.sessions(company.account_id, one.sub_user_id) == []
            one.change(active=True, password=one.password)
            crowd.open.set()

    def take_away_for_a_while() -> None:
        until, rounds = time.monotonic() + 3, 0
        try:
            while rounds < 2 or time.monotonic() < until:
                take_away(deactivate)
                take_away(end_sessions)
                rounds += 1
        finally:
            crowd.stop.set()
            crowd.open.set()

    came_to = at_once([take_away_for_a_while, *[crowd.be_busy] * 16])

    assert came_to == [None] * 17
    assert crowd.wrongly_taken == []
    assert len(crowd.dead_since) > 16
    assert crowd.lookups > len(crowd.tokens)
