"""Locks by key: one holder of a key at a time, and no key waits for another."""

from __future__ import annotations

import threading
from contextlib import ExitStack

from application.keyed_locks import KeyedLocks


def test_keys_do_not_wait_for_each_other() -> None:
    locks = KeyedLocks()
    with ExitStack() as stack:
        for key in range(5000):
            stack.enter_context(locks.hold(key))


def test_one_key_has_one_holder_at_a_time() -> None:
    """Other threads begin and end their use of the key meanwhile."""
    locks, holders, max_holders = KeyedLocks(), 0, 0

    def hold_repeatedly() -> None:
        nonlocal holders, max_holders
        for _ in range(500):
            with locks.hold("account"):
                holders += 1
                max_holders = max(max_holders, holders)
                holders -= 1

    threads = [threading.Thread(target=hold_repeatedly) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max_holders == 1


def test_unused_keys_take_no_memory() -> None:
    locks = KeyedLocks()
    for key in range(1000):
        with locks.hold(key):
            pass
    assert not vars(locks)["_lock_by_key"]
