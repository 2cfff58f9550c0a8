"""Logging: lines of concurrent threads stay whole, and messages of libraries are structured and redacted."""

from __future__ import annotations

import json
import subprocess
import sys

LOG_FROM_THREADS = """
import structlog
from concurrent.futures import ThreadPoolExecutor
from api.runtime import logs
logs.configure(cached=True)
with ThreadPoolExecutor(8) as threads:
    list(threads.map(lambda number: structlog.get_logger().info("line", number=number), range(1000)))
"""

LOG_WITHOUT_READER = """
import os, structlog
from api.runtime import logs
logs.configure()
read_end, write_end = os.pipe()
os.dup2(write_end, 2)
os.close(read_end)
structlog.get_logger().info("line")
print("continues")
"""


def test_lines_of_concurrent_threads_are_whole() -> None:
    process = subprocess.run([sys.executable, "-c", LOG_FROM_THREADS], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in process.stderr.splitlines()]
    assert sorted(line["number"] for line in lines) == list(range(1000))


def test_missing_reader_does_not_fail_the_writer() -> None:
    process = subprocess.run([sys.executable, "-c", LOG_WITHOUT_READER], stdout=subprocess.PIPE, text=True, check=False)
    assert process.stdout == "continues\n"


LOG_FROM_LIBRARIES = """
import logging
from api.runtime import logs
logs.configure()
logging.getLogger("psycopg.pool").warning("error connecting in %r: %s", "pool-1", "connection refused")
message = "no login for a@b.example at amqp://user:pass@host/, password=hunter2\\nDETAIL:  Key (x)=(y)"
logging.getLogger("kombu").error(message)
"""


def test_library_messages_are_structured_and_redacted() -> None:
    process = subprocess.run([sys.executable, "-c", LOG_FROM_LIBRARIES], capture_output=True, text=True, check=True)
    first, second = map(json.loads, process.stderr.splitlines())
    assert first["event"] == "error connecting in 'pool-1': connection refused"
    assert (first["logger"], first["level"]) == ("psycopg.pool", "warning")
    assert second["event"] == "no login for [e-mail] at amqp://host/, password=[secret]"
