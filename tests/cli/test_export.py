"""`subusers export`: the file is either complete and verifiable, or has a temporary name."""

from __future__ import annotations

import json
import stat
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from uuid import uuid4

import duckdb
import pytest

from api.cli.commands import export as command
from projections.feed.pages import FeedFilter
from tests.builders import catch_up
from tests.postgres import fetch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.bootstrap.service import Service
    from tests.builders import Company
    from tests.conftest import TravelingClock

    Run = Callable[..., tuple[int, str]]


def test_export_is_written_and_verifies(run: Run, company: Company, tmp_path: Path) -> None:
    """No worker needs to run. Only the file's owner can read it, and the export is recorded."""
    company.create_sub_user()
    file = tmp_path / "export.jsonl"
    code, output = run("export", "--account", company.account_id, "-o", file)
    assert (code, output.splitlines()[-1]) == (0, f"subusers: {file} holds 2 events")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("verify", "--export", file)[0] == 0

    code, output = run("export", "--all", "--format", "csv", "--after", 2)
    assert code == 0
    (header, row) = output.splitlines()
    assert header.startswith("position,")
    assert row.startswith(f"3,{company.account_id},")
    assert "audit_log.exported,system,operator," in row

    code, output = run("export", "--all", "--format", "csv", "--bom", "--end-marker", "-o", file)
    assert code == 0
    lines = file.read_bytes().splitlines()
    assert lines[0].startswith(b"\xef\xbb\xbfposition,")
    assert lines[-1].startswith(b"end,")


@pytest.mark.parametrize("after", ["1_0", "-1", "+1", "1.0", "x", str(2**63)])
def test_export_after_something_else_than_a_position_is_refused(run: Run, after: str) -> None:
    """Python's own parser accepts `1_0` and `+1` as integers."""
    code, output = run("export", "--all", "--after", after)
    assert code == 2
    assert "--after" in output
    assert "is not a position" in output


def test_interrupted_export_keeps_its_temporary_name(
    run: Run, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_lines(*_: Any, **__: Any) -> Any:
        yield json.dumps({"subusers_export": 1}).encode()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "lines", broken_lines)
    file = tmp_path / "export.jsonl"
    code, output = run("export", "--account", company.account_id, "-o", file)
    assert (code, output.splitlines()[-1]) == (1, f"subusers: {file}: No space left on device")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("export")] == ["export.jsonl.part"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--all", "--account", uuid4()],
        ["--all", "--since", "yesterday"],
        ["--all", "--bom"],
        ["--all", "--end-marker"],
        ["--all", "--format", "parquet"],
        ["--all", "--format", "parquet", "-o", "files", "--since", "2026-01-01"],
    ],
)
def test_invalid_arguments_are_refused(run: Run, arguments: list[Any]) -> None:
    assert run("export", *arguments)[0] == 2


def read_parquet(folder: Path, columns: str) -> list[tuple[Any, ...]]:
    """Query the Parquet files of a folder as an analyst does."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(f"SELECT {columns} FROM '{folder}/*.parquet' ORDER BY position").fetchall()  # noqa: S608  # constants


def feed(service: Service, **criteria: Any) -> list[dict[str, Any]]:
    return service.queries.events.page(0, 1000, FeedFilter(**criteria)).items


def test_parquet_has_the_events_of_the_feed(
    run: Run, service: Service, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No personal data is in the files. Only their owner can read them, and the export is recorded."""
    monkeypatch.setenv("SUBUSERS_PUBLIC_URL", service.settings.public_url)
    company.create_active()
    expected = feed(service)
    folder = tmp_path / "events"
    code, output = run("export", "--all", "--format", "parquet", "-o", folder)
    assert (code, output.splitlines()[-1]) == (0, f"subusers: {folder} has {len(expected)} more events, in 1 new file")
    (file,) = folder.iterdir()
    assert file.name == f"{expected[0]['time'][:10]}-{expected[0]['position']:019}.parquet"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    names = ("position", "id", "type", "source", "subject", "accountid", "accountversion", "epoch")
    assert read_parquet(folder, ", ".join(names)) == [tuple(event.get(name) for name in names) for event in expected]
    assert [
        (time, json.loads(data), actor_type, actor_id)
        for time, data, actor_type, actor_id in read_parquet(folder, "time, data, actor_type, actor_id")
    ] == [
        (
            datetime.fromisoformat(event["time"]),
            event["data"],
            event["data"]["actor"]["type"],
            event["data"]["actor"].get("id"),
        )
        for event in expected
    ]
    exported = feed(service)[-1]
    assert (exported["type"], exported["data"]["format"]) == ("subusers.audit_log.exported.v1", "parquet")


def test_parquet_continues_after_the_last_file(
    run: Run, service: Service, company: Company, clock: TravelingClock, tmp_path: Path
) -> None:
    """Every event is in the files once. A new day begins a new file, and a clock that is behind does not go back."""
    folder = tmp_path / "events"
    arguments = ("export", "--account", company.account_id, "--format", "parquet", "-o", folder)
    assert run(*arguments)[0] == 0
    company.create_sub_user()
    clock.advance(days=1)
    company.create_sub_user()
    company.create_sub_user()
    assert run(*arguments)[0] == 0
    assert run(*arguments)[0] == 0  # adds the record of the second export, which has the earlier day
    catch_up(service)

    expected = feed(service, account_id=company.account_id)[:-1]  # without the record of the third export
    assert [(row_id,) for row_id in (event["id"] for event in expected)] == read_parquet(folder, "id")
    today, tomorrow = expected[0]["time"][:10], expected[-2]["time"][:10]
    assert expected[-1]["time"][:10] == today < tomorrow
    first_positions = [expected[index]["position"] for index in (0, 1, 3, 5)]
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{day}-{position:019}.parquet"
        for day, position in zip([today, today, tomorrow, tomorrow], first_positions, strict=True)
    ]


def test_interrupted_parquet_export_has_only_complete_files(
    run: Run, service: Service, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one writes what is missing."""
    company.create_sub_user()
    folder = tmp_path / "events"
    arguments = ("export", "--account", company.account_id, "--format", "parquet", "-o", folder)
    with monkeypatch.context() as patched:
        patched.setattr(
            "api.presentation.parquet_files.os.fsync", Mock(side_effect=OSError(28, "No space left on device"))
        )
        assert run(*arguments) == (1, f"subusers: {folder}: No space left on device\n")
    assert [path.suffix for path in folder.iterdir()] == [".part"]
    assert run(*arguments)[0] == 0
    assert len(read_parquet(folder, "id")) == 3


def test_parquet_folder_is_of_one_selection(run: Run, company: Company, tmp_path: Path) -> None:
    arguments = ("export", "--format", "parquet", "-o", tmp_path)
    assert run(*arguments, "--all")[0] == 0
    code, output = run(*arguments, "--account", company.account_id)
    assert (code, output) == (1, f"subusers: {tmp_path} has events of another selection: choose another folder\n")
    assert run(*arguments, "--all", "--after", 1)[0] == 2


def test_parquet_of_another_store_is_not_continued(
    run: Run, company: Company, database_url: str, tmp_path: Path
) -> None:
    """After a restore, other events could have the positions of those in the files."""
    arguments = ("export", "--all", "--format", "parquet", "-o", tmp_path)
    assert run(*arguments)[0] == 0
    fetch(database_url, "UPDATE store_lineage SET epoch = gen_random_uuid() RETURNING epoch")
    code, output = run(*arguments)
    assert code != 0
    assert "the store went back or was replaced" in output


def test_parquet_needs_pyarrow(run: Run, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert run("export", "--all", "--format", "parquet", "-o", tmp_path / "events") == (
        1,
        "subusers: Parquet needs pyarrow: install it, or subusers with the extra `parquet`.\n",
    )
    assert list(tmp_path.iterdir()) == []
