"""`subusers tail`: events on the operator's terminal as they are recorded."""

from __future__ import annotations

import base64
import io
import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from api.cli.commands import tail
from application.errors import StoreUnavailable
from tests.postgres import terminate_connections
from tests.processes.deployment import EXIT_TIMEOUT_SECONDS
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap.service import Service
    from tests.builders import Company
    from tests.processes.conftest import RunningService
    from tests.processes.deployment import Deployment, Program
    from tests.processes.portal import Company as Account

CREATED = "subusers.sub_user.created.v1"


@contextmanager
def tailing(deployment: Deployment, *arguments: str) -> Iterator[Program]:
    """Run `subusers tail`; end it with SIGINT and require exit code 0 without a traceback."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell makes background jobs ignore SIGINT
    program = deployment.start("tail", *arguments)
    signal.signal(signal.SIGINT, former)
    try:
        yield program
        program.process.send_signal(signal.SIGINT)
        assert program.wait() == 0, program.errors
        assert "Traceback" not in program.errors
        assert "Abort" not in program.errors + program.output
    finally:
        program.kill()


def account_id_of(company: Account) -> str:
    return company.path.rpartition("/")[2]


def events_of(program: Program) -> list[dict[str, Any]]:
    """Return the events printed so far as JSON lines."""
    return [json.loads(line) for line in program.output.splitlines(keepends=True) if line.endswith("\n")]


def test_tail_from_a_position_prints_stored_and_new_events(running_service: RunningService) -> None:
    """Each line is one envelope, equal to that of the event feed."""
    company = running_service.portal.register()
    with tailing(running_service.deployment, "--json", "--from", "0", "--account", account_id_of(company)) as program:
        eventually(lambda: len(events_of(program)) == 1)
        sub_user = company.add()
        eventually(lambda: len(events_of(program)) == 2)
        events = events_of(program)
        assert events == running_service.portal.call(200, "GET", f"{company.path}/events").json()["items"]
        assert events[-1]["subject"] == sub_user.sub_user_id


def test_tail_without_a_position_prints_only_new_events(running_service: RunningService) -> None:
    company = running_service.portal.register()
    with tailing(running_service.deployment, "--json", "--account", account_id_of(company)) as program:
        edits = 0

        def prints_after_an_edit() -> bool:
            nonlocal edits
            edits += 1
            company.add().delete()
            return len(events_of(program)) > 0

        eventually(prints_after_an_edit)
        assert all(event["accountversion"] > 1 for event in events_of(program))


def test_tail_filters_by_event_types(running_service: RunningService) -> None:
    """Types are accepted in full and in their short form."""
    company = running_service.portal.register()
    company.add().change(visible=False)
    types = ("--type", CREATED, "--type", "sub_user.visibility_changed")
    account = ("--account", account_id_of(company))
    with tailing(running_service.deployment, "--json", "--from", "0", *types, *account) as program:
        eventually(lambda: len(events_of(program)) == 2)
        assert [event["type"] for event in events_of(program)] == [CREATED, "subusers.sub_user.visibility_changed.v1"]


def test_tail_prints_a_readable_line_for_each_event(running_service: RunningService) -> None:
    """Position, time, type, account, sub-user, actor and data, without escape sequences outside a terminal."""
    company = running_service.portal.register()
    sub_user = company.add()
    with tailing(running_service.deployment, "--from", "0", "--account", account_id_of(company)) as program:
        eventually(lambda: program.output.count("\n") >= 2)
        lines = [re.split(r" {1,}", line.strip()) for line in program.output.splitlines()]
    assert [line[3:5] for line in lines] == [
        ["main_account.registered.v1", account_id_of(company)],
        ["sub_user.created.v1", account_id_of(company)],
    ]
    assert lines[1][5:] == [sub_user.sub_user_id, "main_account", "visible=true"]
    assert re.fullmatch(r"\d+ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", " ".join(lines[1][:3]))
    assert "\x1b" not in program.output


@pytest.mark.parametrize(
    ("event_name", "color"), [("sub_user.deleted", 35), ("sub_user.created", 32), ("sub_user.edited", 34)]
)
def test_tail_colors_event_types_on_a_terminal(event_name: str, color: int) -> None:
    """The type is colored by kind, and padded so that columns align."""
    output = io.StringIO()
    event = {
        "position": 7,
        "time": "2026-11-23T21:09:34.4Z",
        "type": f"subusers.{event_name}.v1",
        "data": {"visible": True},
    }
    tail._print_line(Console(file=output, force_terminal=True, color_system="standard", width=500), event)  # noqa: SLF001  # without a terminal the command prints no colors
    assert f"\x1b[{color}m{event_name}.v1".ljust(tail.TYPE_WIDTH + 5) in output.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--type", "sub_user.flew"), "there is no type"),
        (("--from", "-1"), "--from"),
        (("--from", "1_0"), "1_0 is not a position"),
        (("--from", "1000000000"), "the history ends at"),
        (("--account", "x"), "--account"),
    ],
)
def test_invalid_tail_options_are_refused(
    running_service: RunningService, arguments: tuple[str, ...], message: str
) -> None:
    program = running_service.deployment.run("tail", *arguments)
    assert program.process.returncode == 2
    assert message in program.errors


@pytest.mark.parametrize(
    "event_filter", [[], ["--type", "main_account.closed"]], ids=["while it writes", "while it waits"]
)
def test_tail_exits_quietly_when_its_pipe_is_closed(running_service: RunningService, event_filter: list[str]) -> None:
    """As in `subusers tail --from 0 | head`; tail exits even if it has nothing to write."""
    running_service.portal.register()
    with subprocess.Popen(
        [sys.executable, "-m", "api.cli", "tail", "--json", "--from", "0", *event_filter],
        env=running_service.deployment.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if not event_filter:
            json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.wait(EXIT_TIMEOUT_SECONDS) == 0
        (line,) = process.stderr.read().decode().splitlines()
        assert line.startswith("subusers: database: ")


def test_tail_survives_lost_database_connections(
    deploy: Callable[..., Deployment], service: Service, company: Company, database_url: str
) -> None:
    """Each event is printed exactly once although the connections are terminated repeatedly."""
    deployment = deploy(master_key=base64.b64encode(service.settings.master_keys[0]).decode())
    with tailing(deployment, "--json", "--from", "0") as program:
        for number in range(1, 4):
            eventually(lambda number=number: len(events_of(program)) == number)  # type: ignore[misc]  # a default keeps the loop's value
            terminate_connections(database_url)
            create_sub_user_despite_lost_connections(service, company)
        eventually(lambda: len(events_of(program)) == 4)
        positions = [event["position"] for event in events_of(program)]
        assert positions == sorted(set(positions))


def create_sub_user_despite_lost_connections(service: Service, company: Company) -> None:
    """Create a sub-user, retrying until a working connection is used."""
    before = eventually(lambda: last_position(service))
    while eventually(lambda: last_position(service)) == before:
        try:
            company.create_sub_user()
        except StoreUnavailable:
            continue


def last_position(service: Service) -> int:
    """Return the position of the last event, 0 if the store is unavailable."""
    try:
        return service.queries.events.end()
    except StoreUnavailable:
        return 0
