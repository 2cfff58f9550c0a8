"""Erasing on the command line: a whole account, and again what a restored backup has brought back."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

from typer.testing import CliRunner

from api import bootstrap
from api.cli import app
from tests.people import Company, kinds
from tests.postgres import ask, copy_of, for_service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from api.config import Settings

    Run = Callable[..., tuple[int, str]]


def test_an_account_is_erased_once_that_is_confirmed(run: Run, company: Company) -> None:
    """The question names the account; "no" changes nothing; --yes is not asked; it can be repeated."""
    company.let_in()
    account_id = str(company.account_id)

    asked = CliRunner().invoke(app, ["erase-account", account_id], input="n\n")
    assert (asked.exit_code, kinds(company)[-1]) == (1, "SubUserCreated")
    assert "Winds & Waves" in asked.output
    assert "Erase its 2 people for good?" in asked.output

    assert run("erase-account", account_id, "--yes") == (0, f"erased 2 people of {account_id}\n")
    assert run("erase-account", account_id) == (0, f"everybody in {account_id} has been erased before\n")
    assert run("erase-account", uuid4())[0] == 1


def test_erasures_are_applied_to_a_restored_backup(  # the whole procedure of docs/operating.md
    run: Run, settings: Settings, database_url: str, server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was erased after the backup was taken is erased in it; the file holds ids and times alone."""
    with closing(bootstrap.build(settings)) as service:
        company = Company.register(service)
        company.let_in(name="Canaryearlier").delete()
        later, stays = company.let_in("canary@company.example", name="Canarylater"), company.let_in()
    with copy_of(server_url, urlsplit(database_url).path.strip("/")) as backup:
        with closing(bootstrap.build(settings)) as service:
            later.seen_by(service).delete()
        file = tmp_path / "erasures.jsonl"
        assert run("erasures", "-o", file)[0] == 0
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert [line["sub_user_id"] for line in lines][1] == str(later.sub_user_id)
        assert "anary" not in file.read_text()

        monkeypatch.setenv("SUBUSERS_DATABASE_URL", for_service(backup))
        assert last_line(run("erase", "--reapply", file)) == "erased 1 again; of 1 there was nothing here"

        assert ask(backup, "SELECT count(*) FROM vault WHERE person_id = %s", later.sub_user_id) == [(0,)]
        assert ask(backup, "SELECT count(*) FROM vault WHERE person_id = %s", stays.sub_user_id) == [(1,)]
        assert last_line(run("erase", "--reapply", file)) == "erased 0 again; of 2 there was nothing here"


def last_line(came_to: tuple[int, str]) -> str:
    """Return the last line of what a command said that went well."""
    code, said = came_to
    assert code == 0, said
    return said.splitlines()[-1]


def test_published_events_will_do(run: Run, company: Company, tmp_path: Path) -> None:
    """As a consumer kept them, with events of other types among them; a line that is none is named."""
    one = company.let_in()
    file = tmp_path / "events.jsonl"
    event = {"specversion": "1.0", "type": "subusers.sub_user.created.v1", "accountid": str(company.account_id)}
    erased = {**event, "type": "subusers.sub_user.personal_data_erased.v1", "subject": str(one.sub_user_id)}
    file.write_text(json.dumps(event) + "\n" + json.dumps(erased) + "\n")

    assert last_line(run("erase", "--reapply", file)) == "erased 1 again; of 0 there was nothing here"

    file.write_text(json.dumps(event) + "\nnot even JSON\n")
    code, said = run("erase", "--reapply", file)
    assert (code, "line 2 names no erasure" in " ".join(said.split())) == (2, True)
    assert run("erase", "--reapply", tmp_path / "nothing")[0] == 2
