"""Logging: lines of concurrent threads stay whole, and messages of libraries are structured and redacted."""

from __future__ import annotations

import json
import os
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


LOG_REQUESTS = """
import structlog
from api.runtime import logs
logs.configure()
log = structlog.get_logger()
log.info("follower.leads", follower="usage")
for route, status in (("/v1/accounts", 200), ("/assets/<version>/<path:name>", 200), ("/readyz", 503)):
    log.info("request", method="GET", route=route, status=status, milliseconds=12.3, api_key="an id")
"""


def run_with_log_format(log_format: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SUBUSERS_LOG_FORMAT": log_format}
    program = [sys.executable, "-c", LOG_REQUESTS]
    return subprocess.run(program, capture_output=True, text=True, check=False, env=environment)


def test_text_has_requests_as_phrases_and_no_routine() -> None:
    lines = run_with_log_format("text").stderr.splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines] == [
        "[info] GET /v1/accounts 200 12.3 ms",
        "[info] GET /readyz 503 12.3 ms",
    ]


def test_json_has_everything() -> None:
    lines = [json.loads(line) for line in run_with_log_format("json").stderr.splitlines()]
    assert [line["event"] for line in lines] == ["follower.leads", "request", "request", "request"]
    assert lines[1] | {"timestamp": None} == {
        "event": "request",
        "level": "info",
        "timestamp": None,
        "method": "GET",
        "route": "/v1/accounts",
        "status": 200,
        "milliseconds": 12.3,
        "api_key": "an id",
    }


def test_another_format_is_refused() -> None:
    assert "ConfigError: SUBUSERS_LOG_FORMAT must be json or text" in run_with_log_format("xml").stderr
