"""Atomicity of commands: a refused command changes nothing (rule 2)."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from hypothesis import given

from domain.refusals import Refusal
from tests.domain.event_builders import registered
from tests.domain.histories import histories

if TYPE_CHECKING:
    from tests.domain.histories import Command


@given(histories())
def test_refused_command_changes_nothing(history: list[Command]) -> None:
    """A refused command records no events and changes no state."""
    account = registered()
    for minute, command in enumerate(history):
        before = deepcopy(account)
        try:
            command.run(account, minute)
        except Refusal:
            assert account == before
