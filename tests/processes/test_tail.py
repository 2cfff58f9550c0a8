"""`subusers tail`: events on the operator's terminal, as they happen."""

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
from uuid import uuid4

import pytest
from rich.console import Console

from api.cli import tail
from application.errors import StoreUnavailable
from tests.postgres import cut_off
from tests.processes.deployment import SECONDS_TO_END
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap import Service
    from tests.people import Company
    from tests.processes.conftest import Running
    from tests.processes.deployment import Deployment, Program
    from tests.processes.portal import Company as Account

CREATED = "subusers.sub_user.created.v1"


@contextmanager
def tailing(deployment: Deployment, *arguments: str) -> Iterator[Program]:
    """Run it, and end it as Ctrl-C does: quietly, with exit code 0."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it
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


def account_of(company: Account) -> str:
    return company.path.rpartition("/")[2]


def events_of(program: Program) -> list[dict[str, Any]]:
    """Return the events that it has shown as JSON."""
    return [json.loads(line) for line in program.output.splitlines(keepends=True) if line.endswith("\n")]


def test_it_shows_what_there_is_and_what_comes(running: Running) -> None:
    """From a position on, one envelope a line, as the feed has them."""
    company = running.portal.register()
    with tailing(running.deployment, "--json", "--from", "0", "--account", account_of(company)) as program:
        eventually(lambda: len(events_of(program)) == 1)
        person = company.add()
        eventually(lambda: len(events_of(program)) == 2)
        shown = events_of(program)
        assert shown == running.portal.ask(200, "GET", f"{company.path}/events").json()["items"]
        assert shown[-1]["subject"] == person.sub_user_id


def test_it_begins_with_what_comes_next(running: Running) -> None:
    """Unless a position is given."""
    company = running.portal.register()
    with tailing(running.deployment, "--json", "--account", account_of(company)) as program:
        edits = 0

        def shows() -> bool:
            nonlocal edits
            edits += 1
            company.add().delete()
            return len(events_of(program)) > 0

        eventually(shows)
        assert all(event["accountversion"] > 1 for event in events_of(program))


def test_types_alone(running: Running) -> None:
    """In full or in short, several of them."""
    company = running.portal.register()
    company.add().change(visible=False)
    types = ("--type", CREATED, "--type", "sub_user.visibility_changed")
    account = ("--account", account_of(company))
    with tailing(running.deployment, "--json", "--from", "0", *types, *account) as program:
        eventually(lambda: len(events_of(program)) == 2)
        assert [event["type"] for event in events_of(program)] == [CREATED, "subusers.sub_user.visibility_changed.v1"]


def test_lines_for_people(running: Running) -> None:
    """One an event: where it stands, when it was, what, whose, about whom, by whom, and the facts."""
    company = running.portal.register()
    person = company.add()
    with tailing(running.deployment, "--from", "0", "--account", account_of(company)) as program:
        eventually(lambda: program.output.count("\n") >= 2)
        lines = [re.split(r" {1,}", line.strip()) for line in program.output.splitlines()]
    assert [line[3:5] for line in lines] == [
        ["main_account.registered.v1", account_of(company)],
        ["sub_user.created.v1", account_of(company)],
    ]
    assert lines[1][5:] == [person.sub_user_id, "main_account", "visible=true"]
    assert re.fullmatch(r"\d+ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", " ".join(lines[1][:3]))
    assert "\x1b" not in program.output


@pytest.mark.parametrize(
    ("word", "color"), [("sub_user.deleted", 35), ("sub_user.created", 32), ("sub_user.edited", 34)]
)
def test_colors_on_a_terminal(word: str, color: int) -> None:
    """What matters most stands out; words stand below one another."""
    shown = io.StringIO()
    event = {"position": 7, "time": "2026-11-23T21:09:34.4Z", "type": f"subusers.{word}.v1", "data": {"visible": True}}
    tail._print_line(Console(file=shown, force_terminal=True, color_system="standard", width=500), event)  # noqa: SLF001  # where there is no terminal it prints none
    assert f"\x1b[{color}m{word}.v1".ljust(tail.LONGEST_WORD + 5) in shown.getvalue()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--type", "sub_user.flew"), "there is no type"),
        (("--from", "-1"), "--from"),
        (("--from", "1000000000"), "the history ends at"),
        (("--account", "x"), "--account"),
    ],
)
def test_what_makes_no_sense_is_refused(running: Running, arguments: tuple[str, ...], said: str) -> None:
    program = running.deployment.run("tail", *arguments)
    assert program.process.returncode == 2
    assert said in program.errors


@pytest.mark.parametrize("account_id", ["all", "nobody"], ids=["while it writes", "while it waits"])
def test_it_ends_quietly_when_nobody_reads_any_more(running: Running, account_id: str) -> None:
    """As in `subusers tail --from 0 | head`, though there may be nothing to write."""
    running.portal.register()
    chosen = ["--account", str(uuid4())] if account_id == "nobody" else []
    with subprocess.Popen(
        [sys.executable, "-m", "api.cli", "tail", "--json", "--from", "0", *chosen],
        env=running.deployment.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if not chosen:
            json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.wait(SECONDS_TO_END) == 0
        assert process.stderr.read() == b""


def test_it_outlives_its_connections(
    deploy: Callable[..., Deployment], service: Service, company: Company, database_url: str
) -> None:
    """Cut off again and again, it misses nothing and shows nothing twice."""
    deployment = deploy(master_key=base64.b64encode(service.settings.master_keys[0]).decode())
    with tailing(deployment, "--json", "--from", "0") as program:
        for number in range(1, 4):
            eventually(lambda number=number: len(events_of(program)) == number)  # type: ignore[misc]  # a default keeps the loop's value
            cut_off(database_url)
            let_in(service, company)
        eventually(lambda: len(events_of(program)) == 4)
        positions = [event["position"] for event in events_of(program)]
        assert positions == sorted(set(positions))


def let_in(service: Service, company: Company) -> None:
    """Record an event, with the first connection that is not one of those that were cut."""
    before = eventually(lambda: end_of(service))
    while eventually(lambda: end_of(service)) == before:
        try:
            company.let_in()
        except StoreUnavailable:
            continue


def end_of(service: Service) -> int:
    """Return where the history ends, 0 if that cannot be asked now."""
    try:
        return service.event_feed.end()
    except StoreUnavailable:
        return 0
