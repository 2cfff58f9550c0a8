"""Lines of the log are gathered for a moment, and none is lost."""

from __future__ import annotations

import io
import subprocess
import sys

from api.logs import GatheredLines
from tests.waiting import eventually

LOGS = """
import structlog
from api import logs
logs.configure(gathered=True)
for number in range(1000):
    structlog.get_logger().info("line", number=number)
"""


def test_lines_are_written_soon_and_in_order() -> None:
    """By a thread of their own."""
    stream = io.StringIO()
    lines = GatheredLines(stream)
    for number in range(100):
        lines.write(f"{number}\n")
    eventually(lambda: stream.getvalue().count("\n") == 100)
    assert stream.getvalue().split() == [str(number) for number in range(100)]


def test_what_is_gathered_is_written_at_the_end() -> None:
    """Of a process that ends by itself, or because it was asked to."""
    done = subprocess.run([sys.executable, "-c", LOGS], capture_output=True, text=True, check=True)
    assert done.stderr.count('"event": "line"') == 1000
