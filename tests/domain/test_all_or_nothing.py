"""What is true of every account, whatever was asked of it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from hypothesis import given

from domain.refusals import Refusal
from tests.domain.facts import registered
from tests.domain.histories import histories

if TYPE_CHECKING:
    from tests.domain.histories import Command


@given(histories())
def test_a_command_does_all_that_it_asks_or_nothing(asked: list[Command]) -> None:
    """What was refused left no trace: no event, and no change (rule 2)."""
    account = registered()
    for minute, one in enumerate(asked):
        before = deepcopy(account)
        try:
            one.ask(account, minute)
        except Refusal:
            assert account == before
