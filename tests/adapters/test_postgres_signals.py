"""Post-commit signals: delivery, coalescing, reconnection and shutdown."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters.postgres import signals as module
from adapters.postgres.signals import CHANNEL, Signals
from tests.postgres import connect, terminate_connections
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def signals(database_url: str) -> Iterator[Signals]:
    """Yield signals on the test database."""
    signals = Signals(lambda: connect(database_url))
    yield signals
    signals.close()


@pytest.fixture
def listener(database_url: str) -> Iterator[psycopg.Connection]:
    """Yield a connection that listens on the channel."""
    with connect(database_url) as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        yield connection


def signal_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "signals"}


def count_notifications(listener: psycopg.Connection, timeout: float) -> int:
    return len(list(listener.notifies(timeout=timeout)))


def test_signal_reaches_a_listener(signals: Signals, listener: psycopg.Connection) -> None:
    signals.signal()

    assert list(listener.notifies(timeout=10, stop_after=1))


def test_signals_of_many_commits_are_coalesced(signals: Signals, listener: psycopg.Connection) -> None:
    """A thousand commits in quick succession cause fewer than a hundred notifications."""
    for _ in range(1000):
        signals.signal()

    first = list(listener.notifies(timeout=20, stop_after=1))
    assert 1 <= len(first) + count_notifications(listener, 0.3) < 100


def test_signaling_does_not_block(database_url: str) -> None:
    """A connection that hangs and then fails does not delay commands; followers also poll."""
    connect_attempted, released = threading.Event(), threading.Event()

    def hang_and_fail() -> psycopg.Connection:
        connect_attempted.set()
        released.wait(timeout=10)
        raise psycopg.OperationalError

    signals = Signals(hang_and_fail)
    signals.signal()
    assert connect_attempted.wait(timeout=10)
    signals.signal()
    assert not released.is_set()
    released.set()
    signals.close()


def test_signals_resume_after_a_lost_connection(
    signals: Signals, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender reconnects after the server closes its connection."""
    monkeypatch.setattr(module, "RECONNECT_PAUSE_SECONDS", 0.01)
    signals.signal()
    eventually(lambda: terminate_connections(database_url))

    with connect(database_url) as listener:
        listener.execute(f"LISTEN {CHANNEL}")

        def signal_and_count() -> int:
            signals.signal()
            return count_notifications(listener, 0.02)

        eventually(signal_and_count)


def test_closing_signals_ends_the_thread(database_url: str) -> None:
    """It ends whether or not a signal was ever sent."""
    before = signal_threads()
    for used in (False, True):
        signals = Signals(lambda: connect(database_url))
        if used:
            signals.signal()
        signals.close()

    assert signal_threads() <= before
