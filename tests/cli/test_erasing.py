"""Erasure on the command line: a whole account, and repeated erasures in a restored backup."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

from typer.testing import CliRunner

from api.bootstrap import composition_root
from api.cli.program import app
from tests.builders import Company, event_types
from tests.postgres import database_copy, fetch, service_role_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from api.bootstrap.config import Settings

    Run = Callable[..., tuple[int, str]]


def test_erase_account_asks_for_confirmation(run: Run, company: Company) -> None:
    """The question names the account. `--yes` skips it, and an erased account can be erased again."""
    company.create_sub_user()
    account_id = str(company.account_id)

    declined = CliRunner().invoke(app, ["erase-account", account_id], input="n\n")
    assert (declined.exit_code, event_types(company)[-1]) == (1, "SubUserCreated")
    assert "Winds & Waves" in declined.output
    assert "Erase 2 people for good?" in declined.output

    assert run("erase-account", account_id, "--yes") == (0, f"erased 2 people of {account_id}\n")
    assert run("erase-account", account_id) == (0, f"all people of {account_id} were erased before\n")
    assert run("erase-account", uuid4())[0] == 1


def test_erasures_are_applied_to_a_restored_backup(  # the complete procedure of docs/operating.md
    run: Run, settings: Settings, database_url: str, server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of erasures has ids and times only."""
    with closing(composition_root.build(settings)) as service:
        company = Company.register(service)
        company.create_sub_user(name="Canaryearlier").delete()
        erased_after_backup, not_erased = (
            company.create_sub_user("canary@company.example", name="Canarylater"),
            company.create_sub_user(),
        )
    with database_copy(server_url, urlsplit(database_url).path.strip("/")) as backup:
        with closing(composition_root.build(settings)) as service:
            erased_after_backup.with_service(service).delete()
        file = tmp_path / "erasures.jsonl"
        assert run("erasures", "-o", file)[0] == 0
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert [line["sub_user_id"] for line in lines][1] == str(erased_after_backup.sub_user_id)
        assert "canary" not in file.read_text().lower()

        monkeypatch.setenv("SUBUSERS_DATABASE_URL", service_role_url(backup))
        assert last_line(run("erase", "--reapply", file)) == "erased 1 again; skipped 1 without data in this database"

        assert fetch(backup, "SELECT count(*) FROM vault WHERE person_id = %s", erased_after_backup.sub_user_id) == [
            (0,)
        ]
        assert fetch(backup, "SELECT count(*) FROM vault WHERE person_id = %s", not_erased.sub_user_id) == [(1,)]
        assert last_line(run("erase", "--reapply", file)) == "erased 0 again; skipped 2 without data in this database"


def last_line(result: tuple[int, str]) -> str:
    """Require that a command succeeded, and return the last line of its output."""
    code, output = result
    assert code == 0, output
    return output.splitlines()[-1]


def test_erasures_can_be_read_from_published_events(run: Run, company: Company, tmp_path: Path) -> None:
    """A consumer's file may have events of other types; an invalid line is named."""
    sub_user = company.create_sub_user()
    file = tmp_path / "events.jsonl"
    event = {"specversion": "1.0", "type": "subusers.sub_user.created.v1", "accountid": str(company.account_id)}
    erasure = {**event, "type": "subusers.sub_user.personal_data_erased.v1", "subject": str(sub_user.sub_user_id)}
    file.write_text(json.dumps(event) + "\n" + json.dumps(erasure) + "\n")

    assert last_line(run("erase", "--reapply", file)) == "erased 1 again; skipped 0 without data in this database"

    file.write_text(json.dumps(event) + "\nnot even JSON\n")
    code, output = run("erase", "--reapply", file)
    assert (code, "line 2 names no erasure" in " ".join(output.split())) == (2, True)
    assert run("erase", "--reapply", tmp_path / "nothing")[0] == 2
