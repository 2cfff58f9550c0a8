"""Turns are taken in the order in which they were asked for, and none is lost."""

from __future__ import annotations

import threading
from functools import partial

from adapters.orderly_turns import OrderlyTurns
from tests.waiting import eventually

LONG = 60.0


def waits(turns: OrderlyTurns, number: int) -> bool:
    return turns.waiting == number


def test_who_waits_comes_before_who_comes_later() -> None:
    """Also before whoever ended a turn and asks again at once."""
    turns, order = OrderlyTurns(1), list[int]()

    def wait(number: int) -> None:
        assert turns.begin(LONG)
        order.append(number)

    assert turns.begin(0)
    threads = [threading.Thread(target=wait, args=[number]) for number in range(3)]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        assert eventually(partial(waits, turns, number))
    for number in range(1, 4):
        turns.end()
        assert not turns.begin(0)
        threads[number - 1].join()
    assert order == [0, 1, 2]


def test_so_many_at_once() -> None:
    """And as many again, once they have ended."""
    turns = OrderlyTurns(2)
    for _ in range(3):
        assert turns.begin(0)
        assert turns.begin(0)
        assert not turns.begin(0)
        turns.end()
        turns.end()


def test_who_gives_up_is_passed_over() -> None:
    """Their turn goes to the next, and is not lost."""
    turns = OrderlyTurns(1)
    assert turns.begin(0)
    assert not turns.begin(0.001)
    turns.end()
    assert turns.begin(0)
