"""What is wrong with the settings is told in one line, without a secret in it, before anything runs."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.processes.deployment import Deployment, deployed, master_key
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "s3cr3t"
NOWHERE = f"postgresql://user:{SECRET}@127.0.0.1:1/nothing"
"""Nobody listens on port 1: whatever is told of the settings was found out without the database."""


def complaint(deployment: Deployment, *command: str, exit_code: int = 2) -> str:
    """Return the one line that a command has to say before it exits."""
    program = deployment.run(*command)
    assert (program.process.returncode, program.output) == (exit_code, "")
    (line,) = program.errors.splitlines()
    assert line.startswith("subusers: ")
    assert SECRET not in line
    return line


def test_a_malformed_setting(tmp_path: Path) -> None:
    """It ends the process; tests/cli/test_wrong_settings.py has one of each kind."""
    with deployed(tmp_path, database_url=NOWHERE, master_key=SECRET) as deployment:
        assert "SUBUSERS_MASTER_KEY must be 32 random bytes in base64" in complaint(deployment, "serve")


def test_a_port_in_use(tmp_path: Path) -> None:
    """A port that somebody else listens on is told before the database is looked for."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with deployed(tmp_path, database_url=NOWHERE, master_key=master_key(), port=port) as deployment:
            lines = at_once([partial(complaint, deployment, command) for command in ("serve", "api")])
    assert all(f"cannot listen on 127.0.0.1:{port}" in str(line) for line in lines)


@pytest.mark.parametrize("command", [["serve"], ["work"], ["migrate"], ["api-key", "list"]])
def test_a_database_out_of_reach(tmp_path: Path, command: list[str]) -> None:
    """That no database answers may pass, and is told from a wrong setting by its exit code: 1."""
    with deployed(tmp_path, database_url=NOWHERE, master_key=master_key()) as deployment:
        line = complaint(deployment, *command, exit_code=1)
    assert "The database cannot be reached just now" in line
    assert "Connection refused" in line


def test_an_unknown_database_user(deploy: Callable[..., Deployment], database_url: str) -> None:
    """What the database says of a user whom it does not let in is told, and their password is not."""
    parts = urlsplit(database_url)
    stranger = parts._replace(netloc=f"stranger:{SECRET}@{parts.hostname}:{parts.port}").geturl()
    assert "FATAL" in complaint(deploy(database_url=stranger, admin_database_url=""), "serve", exit_code=1)


def test_a_wrong_master_key(deploy: Callable[..., Deployment]) -> None:
    """A master key that does not open this database stops every command that would use it."""
    deploy().api_key()
    deployment = deploy(master_key=master_key())
    lines = at_once([partial(complaint, deployment, command) for command in ("serve", "api", "work")])
    assert set(lines) == {"subusers: SUBUSERS_MASTER_KEY is not the key that this database was set up with"}


def test_a_schema_that_is_not_up_to_date(deploy: Callable[..., Deployment], empty_database_url: str) -> None:
    """Only `serve` and `migrate` change the schema; other commands say what to do first."""
    deployment = deploy(database_url=empty_database_url)
    commands = [("api",), ("work",), ("api-key", "list"), ("rebuild", "audit-log")]
    lines = at_once([partial(complaint, deployment, *command) for command in commands])
    assert set(lines) == {"subusers: the database's schema is not up to date: run `subusers migrate` first"}
