"""Ending sessions: commands that end access delete all sessions in the transaction of their event."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest

from application.errors import SessionEnded
from domain import mails
from domain.refusals import LoginRefused
from tests.builders import PORTAL, context_from
from tests.postgres import connect
from tests.waiting import eventually, run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from tests.builders import Company, SubUserHandle
    from tests.conftest import TravelingClock


def deactivate(sub_user: SubUserHandle) -> None:
    sub_user.change(active=False)


def delete(sub_user: SubUserHandle) -> None:
    sub_user.delete()


def reset(sub_user: SubUserHandle) -> None:
    sub_user.change(password="another phrase for now")


def send_again(sub_user: SubUserHandle) -> None:
    sub_user.company.service.commands.sub_users.send_credentials_again(
        sub_user.company.account_id, sub_user.sub_user_id, PORTAL
    )


def end_sessions(sub_user: SubUserHandle) -> None:
    sub_user.company.service.commands.sub_users.end_sessions(sub_user.company.account_id, sub_user.sub_user_id, PORTAL)


def choose_password(sub_user: SubUserHandle) -> None:
    sub_user.choose_password("yet another phrase of mine")


def change_email(sub_user: SubUserHandle) -> None:
    sub_user.change(email=f"corrected-{sub_user.email}")


def expire(sub_user: SubUserHandle) -> None:
    sub_user.change(changes_expiry=True, access_expires_at=sub_user.company.service.clock())


def close_account(sub_user: SubUserHandle) -> None:
    sub_user.company.service.commands.accounts.close(sub_user.company.account_id, PORTAL)


ENDING_COMMANDS = [
    *(deactivate, delete, reset, send_again, end_sessions, choose_password, change_email, expire, close_account),
]


@pytest.mark.parametrize("command", ENDING_COMMANDS)
def test_every_session_ends_in_every_process(
    build: Callable[..., Service], company: Company, command: Callable[[SubUserHandle], None]
) -> None:
    """Sessions of other sub-users stay open."""
    sub_user, other = company.create_with_own_password(), company.create_with_own_password()
    tokens = [sub_user.log_in().token for _ in range(3)]
    other_token = other.log_in().token
    other_service = build()
    assert all(other_service.commands.sub_user_sessions.current(token) for token in tokens)

    command(sub_user)

    for service in (company.service, other_service):
        assert not any(sub_user.with_service(service).has_session(token) for token in tokens)
        assert other.with_service(service).has_session(other_token) == (command is not close_account)


EVENT_BY_COMMAND: dict[Callable[[SubUserHandle], None], str] = {
    deactivate: "SubUserDeactivated",
    delete: "SubUserDeleted",
    reset: "SubUserPasswordReset",
    end_sessions: "SubUserLoggedOut",
    close_account: "MainAccountClosed",
}


@pytest.mark.parametrize("command", EVENT_BY_COMMAND)
def test_event_and_end_of_sessions_are_one_transaction(
    company: Company, database_url: str, command: Callable[[SubUserHandle], None]
) -> None:
    """No reader of the database sees one without the other."""
    sub_user = company.create_with_own_password()
    sub_user.log_in()
    observations: set[tuple[bool, bool]] = set()
    answered = threading.Event()
    query = (
        "SELECT EXISTS (SELECT FROM stored_events WHERE topic = %s), EXISTS (SELECT FROM sessions WHERE person_id = %s)"
    )
    with connect(database_url) as observer:

        def observe() -> None:
            (row,) = observer.execute(query, [EVENT_BY_COMMAND[command], sub_user.sub_user_id]).fetchall()
            observations.add((row[0], row[1]))

        def observe_repeatedly() -> None:
            while not answered.is_set():
                observe()

        thread = threading.Thread(target=observe_repeatedly)
        thread.start()
        eventually(lambda: observations)
        command(sub_user)
        answered.set()
        thread.join()
        observe()

    assert observations == {(False, True), (True, False)}


@pytest.mark.parametrize("command", [reset, end_sessions])
def test_sub_user_with_access_can_log_in_again(company: Company, command: Callable[[SubUserHandle], None]) -> None:
    sub_user = company.create_with_own_password()
    command(sub_user)

    token = sub_user.log_in("another phrase for now" if command is reset else None).token

    assert sub_user.has_session(token)


def test_logout_ends_one_session(company: Company) -> None:
    sub_user = company.create_with_own_password()
    first, second = sub_user.log_in().token, sub_user.log_in().token

    company.service.commands.sub_user_sessions.log_out(first, PORTAL)

    assert not sub_user.has_session(first)
    assert sub_user.has_session(second)
    with pytest.raises(SessionEnded):
        company.service.commands.sub_user_sessions.log_out(first, PORTAL)


def test_session_ends_when_access_expires(company: Company, clock: TravelingClock) -> None:
    """No command is needed. The session has the expiry of the access from the start."""
    end = clock() + timedelta(minutes=10)
    sub_user = company.create_with_own_password(access_expires_at=end)
    token = sub_user.log_in().token
    assert company.service.commands.sub_user_sessions.current(token).expires_at == end
    clock.advance(minutes=9)
    assert sub_user.has_session(token)
    clock.advance(minutes=1)

    assert not sub_user.has_session(token)


def test_earlier_expiry_applies_to_open_sessions(company: Company, clock: TravelingClock) -> None:
    sub_user = company.create_with_own_password()
    token = sub_user.log_in().token
    sub_user.change(changes_expiry=True, access_expires_at=clock() + timedelta(minutes=5))
    assert sub_user.has_session(token)
    clock.advance(minutes=6)

    assert not sub_user.has_session(token)


def test_later_expiry_keeps_open_sessions(company: Company, clock: TravelingClock) -> None:
    sub_user = company.create_with_own_password(access_expires_at=clock() + timedelta(minutes=5))
    token = sub_user.log_in().token
    sub_user.change(changes_expiry=True, access_expires_at=None)
    clock.advance(minutes=6)

    assert sub_user.has_session(token)


@pytest.mark.parametrize("end", ["passed", "set to the past"])
def test_ended_session_stays_ended(company: Company, clock: TravelingClock, end: str) -> None:
    """Renewed access requires a new login."""
    sub_user = company.create_with_own_password(access_expires_at=clock() + timedelta(minutes=5))
    token = sub_user.log_in().token
    if end == "passed":
        clock.advance(minutes=6)
    else:
        sub_user.change(changes_expiry=True, access_expires_at=clock() - timedelta(minutes=1))
    assert not sub_user.has_session(token)

    sub_user.change(changes_expiry=True, access_expires_at=None)

    assert not sub_user.has_session(token)
    assert sub_user.has_session(sub_user.log_in().token)


def test_idle_session_ends_after_an_hour(company: Company, clock: TravelingClock) -> None:
    """Each use restarts the hour."""
    sub_user = company.create_with_own_password()
    used, idle = sub_user.log_in().token, sub_user.log_in().token
    for _ in range(2):
        clock.advance(minutes=59)
        assert sub_user.has_session(used)
    assert not sub_user.has_session(idle)
    clock.advance(minutes=61)

    assert not sub_user.has_session(used)


def test_session_lasts_a_day_at_most(company: Company, clock: TravelingClock) -> None:
    """Using it does not extend it. Its expiry is known when it is opened."""
    sub_user = company.create_with_own_password()
    new_session = sub_user.log_in()
    for _ in range(47):
        clock.advance(minutes=30)
        assert sub_user.has_session(new_session.token)
    assert new_session.expires_at > clock()
    clock.advance(minutes=31)

    assert new_session.expires_at <= clock()
    assert not sub_user.has_session(new_session.token)


@pytest.mark.parametrize("token", ["", "no such token", "\x00", "\ud800", "x" * 1_000_000])
def test_malformed_token_opens_no_session(service: Service, token: str) -> None:
    with pytest.raises(SessionEnded):
        service.commands.sub_user_sessions.current(token)


def test_tokens_are_unique(company: Company) -> None:
    """Each has 256 random bits."""
    sub_user = company.create_with_own_password()
    tokens = {sub_user.log_in().token for _ in range(10)}

    assert len(tokens) == 10
    assert {len(token) for token in tokens} == {43}


class LoginLoad:
    """Concurrent logins and session look-ups that record wrongly accepted tokens."""

    def __init__(self, sub_user: SubUserHandle, services: list[Service]) -> None:
        self.sub_user = sub_user
        self.services = services
        self.tokens: list[str] = []
        self.ended_at: dict[str, float] = {}
        self.wrongly_accepted: list[str] = []
        self.lookups = 0
        self.stop = threading.Event()
        self.access_granted = threading.Event()
        self.numbers = count()

    def run(self) -> None:
        """Log in and look sessions up until stopped; wait for access after a refusal."""
        while not self.stop.is_set():
            number = next(self.numbers)
            sub_user = self.sub_user.with_service(self.services[number % 2])
            try:
                self.tokens.append(
                    sub_user.log_in(
                        context=context_from(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
                    ).token
                )
            except LoginRefused:
                self.access_granted.wait()
            for token in self.tokens[-20:]:
                self.check_token(self.services[number % 2], token)

    def check_token(self, service: Service, token: str) -> None:
        """Look a token up; record it if it was accepted although its session had ended before."""
        start = time.monotonic()
        accepted = self.sub_user.with_service(service).has_session(token)
        self.lookups += 1
        if accepted and start > self.ended_at.get(token, start):
            self.wrongly_accepted.append(token)


def test_tokens_stop_working_at_once_under_load(
    build: Callable[..., Service], company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen threads log in through two processes for three seconds, while access ends again and again."""
    monkeypatch.setattr(mails, "MAILS_PER_RECIPIENT", 10**6)
    monkeypatch.setattr(mails, "MAILS_PER_ACCOUNT", 10**6)
    sub_user = company.create_active()
    load = LoginLoad(sub_user, [company.service, build()])
    load.access_granted.set()

    def end_access(command: Callable[[SubUserHandle], None]) -> None:
        logins_before = len(load.tokens)
        eventually(lambda: len(load.tokens) >= logins_before + 8)
        old_tokens = list(load.tokens)
        if command is deactivate:
            load.access_granted.clear()
        command(sub_user)
        answered = time.monotonic()
        load.ended_at.update({token: answered for token in old_tokens if token not in load.ended_at})
        for token in old_tokens[-30:]:
            load.check_token(load.services[1], token)
        if command is deactivate:
            assert load.services[0].commands.sub_users.sessions(company.account_id, sub_user.sub_user_id) == []
            sub_user.change(active=True, password=sub_user.password)
            load.access_granted.set()

    def end_access_repeatedly() -> None:
        deadline, rounds = time.monotonic() + 3, 0
        try:
            while rounds < 2 or time.monotonic() < deadline:
                end_access(deactivate)
                end_access(end_sessions)
                rounds += 1
        finally:
            load.stop.set()
            load.access_granted.set()

    results = run_concurrently([end_access_repeatedly, *[load.run] * 16])

    assert results == [None] * 17
    assert load.wrongly_accepted == []
    assert len(load.ended_at) > 16
    assert load.lookups > len(load.tokens)
