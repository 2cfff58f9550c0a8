"""CPU pinning of server processes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PIN_TO_CORE = """
import os, sys
from pathlib import Path
from api.runtime.processes import pin_to_core
pin_to_core(Path(sys.argv[1]))
print(*os.sched_getaffinity(0), flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs CPU affinity and at least two cores",
)


def start_pinned_process(folder: Path) -> subprocess.Popen[str]:
    """Start a process that pins itself to a core until its input ends."""
    command = [sys.executable, "-c", PIN_TO_CORE, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def read_cores(process: subprocess.Popen[str]) -> set[int]:
    """Return the cores on which a pinned process may run, as it prints them."""
    assert process.stdout is not None
    return {int(core) for core in process.stdout.readline().split()}


def test_each_process_is_pinned_to_a_core_of_its_own(tmp_path: Path) -> None:
    """A core becomes free when its process ends; a process without a free core is not pinned."""
    available = os.sched_getaffinity(0)
    first, *others = [start_pinned_process(tmp_path) for _ in available]
    cores_of_first, *cores_of_others = map(read_cores, [first, *others])
    assert sorted([cores_of_first, *cores_of_others], key=min) == [{core} for core in sorted(available)]
    with start_pinned_process(tmp_path) as unpinned:
        assert read_cores(unpinned) == available
        unpinned.communicate()
    first.kill()
    first.communicate()
    with start_pinned_process(tmp_path) as successor:
        assert read_cores(successor) == cores_of_first
        successor.communicate()
    for process in others:
        process.communicate()
