"""Lines of the log are gathered for a moment, and none is lost."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import suppress

from api.logs import GatheredLines
from tests.waiting import eventually

LOGS = """
import structlog
from api import logs
logs.configure(gathered=True)
for number in range(1000):
    structlog.get_logger().info("line", number=number)
"""


def test_a_line_by_itself_is_written_at_once() -> None:
    """And one that comes soon after it, a moment later."""
    stream = io.StringIO()
    lines = GatheredLines(stream)
    lines.write("first\n")
    assert stream.getvalue() == "first\n"
    lines.write("second\n")
    assert eventually(lambda: stream.getvalue() == "first\nsecond\n")


def test_many_lines_are_written_soon_and_in_order() -> None:
    """Together, by a thread of their own."""
    stream = io.StringIO()
    lines = GatheredLines(stream)
    for number in range(100):
        lines.write(f"{number}\n")
    eventually(lambda: stream.getvalue().count("\n") == 100)
    assert stream.getvalue().split() == [str(number) for number in range(100)]


def test_nobody_has_to_read_them() -> None:
    """Where the reader is gone, lines are too, and whoever writes them goes on."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    lines = GatheredLines(stream)
    lines.write("first\n")
    lines.write("second\n")
    with suppress(OSError):
        stream.close()


def test_what_is_gathered_is_written_at_the_end() -> None:
    """Of a process that ends by itself, or because it was asked to."""
    done = subprocess.run([sys.executable, "-c", LOGS], capture_output=True, text=True, check=True)
    assert done.stderr.count('"event": "line"') == 1000
