"""Invalid settings end a command at startup with a one-line error that contains no secret."""

from __future__ import annotations

import json
import socket
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.processes.deployment import Deployment, deployed, master_key
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "s3cr3t"
NOWHERE = f"postgresql://user:{SECRET}@127.0.0.1:1/nothing"
"""Port 1 has no listener: errors reported with this URL are found without the database."""


def error_line(deployment: Deployment, *command: str, exit_code: int = 2) -> str:
    """Run a command that must fail; return its one-line error. Only a line that names the database may precede it."""
    program = deployment.run(*command)
    assert (program.process.returncode, program.output) == (exit_code, "")
    *lines_before, line = program.errors.splitlines()
    assert all("database: " in earlier or '"database.used"' in earlier for earlier in lines_before)
    assert len(lines_before) <= 1
    assert line.startswith("subusers: ")
    assert SECRET not in program.errors
    return line


def test_malformed_setting_is_refused(tmp_path: Path) -> None:
    """tests/cli/test_wrong_settings.py covers each kind of malformed setting."""
    with deployed(tmp_path, database_url=NOWHERE, master_key=SECRET) as deployment:
        assert "SUBUSERS_MASTER_KEY must be 32 random bytes in base64" in error_line(deployment, "serve")


def test_deprecated_setting_is_logged_once(tmp_path: Path) -> None:
    """The process that starts the others warns of it. tests/cli/test_wrong_settings.py covers each such setting."""
    with deployed(tmp_path, database_url=NOWHERE, master_key=master_key(), streams=2) as deployment:
        program = deployment.run("serve")
    *lines, _ = program.errors.splitlines()
    (warning,) = [line for line in map(json.loads, lines) if line["event"] == "setting.deprecated"]
    assert warning["level"] == "warning"
    assert (warning["setting"], warning["replacement"]) == ("SUBUSERS_STREAMS", "SUBUSERS_MAX_STREAMS")


def test_port_in_use_is_reported(tmp_path: Path) -> None:
    """The port is checked before the database."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with deployed(tmp_path, database_url=NOWHERE, master_key=master_key(), port=port) as deployment:
            lines = run_concurrently([partial(error_line, deployment, command) for command in ("serve", "api")])
    assert all(f"cannot listen on 127.0.0.1:{port}" in str(line) for line in lines)


@pytest.mark.parametrize("command", [["serve"], ["work"], ["migrate"], ["api-key", "list"]])
def test_unreachable_database_is_reported(tmp_path: Path, command: list[str]) -> None:
    """The failure may be temporary: the exit code is 1, and 2 for an invalid setting."""
    with deployed(tmp_path, database_url=NOWHERE, master_key=master_key()) as deployment:
        line = error_line(deployment, *command, exit_code=1)
    assert "The database cannot be reached just now" in line
    assert "Connection refused" in line


def test_refused_database_user_is_reported(deploy: Callable[..., Deployment], database_url: str) -> None:
    """The error quotes the database's message, but not the password."""
    parts = urlsplit(database_url)
    url_of_unknown_role = parts._replace(netloc=f"stranger:{SECRET}@{parts.hostname}:{parts.port}").geturl()
    assert "FATAL" in error_line(deploy(database_url=url_of_unknown_role, admin_database_url=""), "serve", exit_code=1)


def test_wrong_master_key_is_refused(deploy: Callable[..., Deployment]) -> None:
    """Every command that needs the master key checks it against the database."""
    deploy().api_key()
    deployment = deploy(master_key=master_key())
    lines = run_concurrently([partial(error_line, deployment, command) for command in ("serve", "api", "work")])
    assert set(lines) == {"subusers: SUBUSERS_MASTER_KEY is not the key that this database was set up with"}


def test_outdated_schema_is_refused(deploy: Callable[..., Deployment], empty_database_url: str) -> None:
    """Only `serve` and `migrate` change the schema; other commands tell the operator to run `migrate`."""
    deployment = deploy(database_url=empty_database_url)
    commands = [("api",), ("work",), ("api-key", "list"), ("rebuild", "audit-log")]
    lines = run_concurrently([partial(error_line, deployment, *command) for command in commands])
    assert set(lines) == {"subusers: the database's schema is not up to date: run `subusers migrate` first"}
