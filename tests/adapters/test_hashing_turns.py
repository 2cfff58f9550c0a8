"""One hash a core at a time, over all processes, none of which can take a turn with it into its grave."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from adapters.hashing_turns import HashingTurns
from application.errors import TooBusy

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import pathlib, sys
from adapters.hashing_turns import HashingTurns
with HashingTurns(1, pathlib.Path(sys.argv[1])).one(5.0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_processes_that_share_a_folder_have_no_more_turns_than_cores(tmp_path: Path) -> None:
    """Each may use every core, and all of them together no more than there are."""
    one, other = HashingTurns(2, tmp_path), HashingTurns(2, tmp_path)
    with one.one(1.0), other.one(1.0), pytest.raises(TooBusy), other.one(0.01):
        pass
    with other.one(1.0), other.one(1.0):
        pass


def test_a_process_that_shares_nothing_has_its_own_turns() -> None:
    """So many as there are cores."""
    turns = HashingTurns(1, None)
    with turns.one(0.0), pytest.raises(TooBusy), turns.one(0.0):
        pass
    with turns.one(0.0):
        pass


def test_a_process_that_is_killed_leaves_its_turn_to_others(tmp_path: Path) -> None:
    """The lock is the process's own, and ends with it."""
    turns = HashingTurns(1, tmp_path)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(TooBusy), turns.one(0.01):
            pass
        holder.kill()
    with turns.one(5.0):
        pass
