"""Followers are woken soon after a commit, by few signals for many commits, through lost connections."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters.postgres import signals as module
from adapters.postgres.signals import CHANNEL, Signals
from tests.postgres import connect, cut_off
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def signals(database_url: str) -> Iterator[Signals]:
    """Give signals on the test's database."""
    signals = Signals(lambda: connect(database_url))
    yield signals
    signals.close()


@pytest.fixture
def listener(database_url: str) -> Iterator[psycopg.Connection]:
    """Give a connection that listens."""
    with connect(database_url) as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        yield connection


def signaling() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "signals"}


def heard(listener: psycopg.Connection, timeout: float) -> int:
    return len(list(listener.notifies(timeout=timeout)))


def test_a_signal_is_heard(signals: Signals, listener: psycopg.Connection) -> None:
    """Whoever listens wakes up."""
    signals.signal()

    assert list(listener.notifies(timeout=10, stop_after=1))


def test_many_commits_share_a_signal(signals: Signals, listener: psycopg.Connection) -> None:
    """A thousand commits in a moment cost a few signals, not a thousand, and the last of them is heard too."""
    for _ in range(1000):
        signals.signal()

    first = list(listener.notifies(timeout=20, stop_after=1))
    assert 1 <= len(first) + heard(listener, 0.3) < 100


def test_signaling_waits_for_nothing(database_url: str) -> None:
    """A command is not held up where no signal can be sent; followers poll."""
    unreachable = threading.Event()

    def connect_in_vain() -> psycopg.Connection:
        unreachable.set()
        raise psycopg.OperationalError

    signals = Signals(connect_in_vain)
    signals.signal()
    assert unreachable.wait(timeout=10)
    signals.signal()
    signals.close()


def test_signals_go_on_after_a_lost_connection(
    signals: Signals, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the server cuts the connection, a new one is made."""
    monkeypatch.setattr(module, "RECONNECT_AFTER", 0.01)
    signals.signal()
    eventually(lambda: cut_off(database_url))

    with connect(database_url) as listener:
        listener.execute(f"LISTEN {CHANNEL}")

        def signal_and_hear() -> int:
            signals.signal()
            return heard(listener, 0.02)

        eventually(signal_and_hear)


def test_closing_ends_the_thread(database_url: str) -> None:
    """Nothing goes on afterwards, whether a signal was ever sent or not."""
    before = signaling()
    for used in (False, True):
        signals = Signals(lambda: connect(database_url))
        if used:
            signals.signal()
        signals.close()

    assert signaling() <= before
