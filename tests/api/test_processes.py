"""Server processes share the cores out among them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

KEEPS = """
import os, sys
from pathlib import Path
from api.processes import keep_to_a_core
keep_to_a_core(Path(sys.argv[1]))
print(*os.sched_getaffinity(0), flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="takes a system that tells of its cores, and two of them",
)


def keeper(folder: Path) -> subprocess.Popen[str]:
    """Start a process that keeps to a core until its input ends."""
    command = [sys.executable, "-c", KEEPS, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def cores(process: subprocess.Popen[str]) -> set[int]:
    assert process.stdout is not None
    return {int(core) for core in process.stdout.readline().split()}


def test_each_process_has_a_core_of_its_own(tmp_path: Path) -> None:
    """One that comes after another has ended gets its core; one too many is kept to none."""
    there = os.sched_getaffinity(0)
    first, others = keeper(tmp_path), [keeper(tmp_path) for _ in range(len(there) - 1)]
    kept = [cores(first), *map(cores, others)]
    assert sorted(kept, key=min) == [{core} for core in sorted(there)]
    with keeper(tmp_path) as too_many:
        assert cores(too_many) == there
        too_many.communicate()
    first.kill()
    first.communicate()
    with keeper(tmp_path) as after:
        assert cores(after) == kept[0]
        after.communicate()
    for process in others:
        process.communicate()
