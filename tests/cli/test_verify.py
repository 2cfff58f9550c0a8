"""`subusers verify`: the whole store, an export, two checkpoints; and every way in which it cannot tell."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from application.activities import Activity
from application.proof_lines import end_line
from projections.event_log import events_after
from projections.proofs import whole_lines
from tests.people import PORTAL, catch_up
from tests.postgres import ask, connect
from tools import verify_export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api.bootstrap import Service
    from tests.people import Company

    Run = Callable[..., tuple[int, str]]


def signed(service: Service, file: Path) -> Path:
    """Sign a checkpoint of all there is, and keep it in a file."""
    catch_up(service, "merkle-tree")
    service.checkpointer.make_now()
    newest = service.checkpoints.newest()
    assert newest is not None
    file.write_text(newest.note)
    return file


def act(company: Company, times: int) -> None:
    one = company.let_in()
    company.service.activities.record(
        company.account_id, [Activity(one.sub_user_id, "tool.used", None, None, None)] * times, PORTAL
    )


@pytest.fixture
def kept(service: Service, company: Company, tmp_path: Path) -> Path:
    """Give a checkpoint of a company's first days, kept in a file."""
    act(company, 20)
    return signed(service, tmp_path / "kept")


def test_a_store_that_nobody_touched(run: Run, kept: Path, company: Company) -> None:
    """Against a checkpoint of before, with events that have none yet; and without one, with a word about that."""
    act(company, 2)
    code, told = run("verify", "--checkpoint", kept)
    assert (code, told) == (
        0,
        "right: 22 events are as they were signed, in 2 checkpoints; 3 newer ones have no checkpoint yet\n",
    )
    code, told = run("verify")
    assert (code, "that was kept elsewhere was given" in told) == (0, True)


def test_erasing_a_person_disturbs_no_proof(run: Run, service: Service, kept: Path, company: Company) -> None:
    """What is proven is ciphertext: it stays when the key to it goes."""
    someone = company.let_in_active()
    later = signed(service, kept.with_name("later"))
    service.sub_users.delete(company.account_id, someone.sub_user_id, PORTAL)
    assert run("verify", "--checkpoint", kept, "--checkpoint", later)[0] == 0


def test_an_event_that_was_altered(run: Run, kept: Path, database_url: str) -> None:
    ask(database_url, "UPDATE stored_events SET state = state || ' ' WHERE notification_id = 7")
    assert run("verify", "--checkpoint", kept) == (1, "tampered: position 7: the event is not what was recorded\n")


def test_an_auditor_needs_no_secret_key(run: Run, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The public key, as the service prints it, is enough: for the store, and for a file."""
    _, key = run("signing-key", "show")
    monkeypatch.delenv("SUBUSERS_MASTER_KEY")
    monkeypatch.delenv("SUBUSERS_SIGNING_KEY")
    assert run("verify", "--checkpoint", kept, "--public-key", key.strip())[0] == 0
    code, told = run("verify", "--checkpoint", kept)
    assert (code, "no key is trusted" in told) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--checkpoint", "nowhere"], "No such file"),
        (["--checkpoint", "a/folder"], "a/folder"),
        (["--checkpoint", "garbage"], "it is no signed note"),
        (["--checkpoint", "bytes"], "is no text"),
        (["--checkpoint", "altered"], "is not of this text"),
        (["--checkpoint", "kept", "--public-key", "nobody"], "is no public key"),
        (["--export", "garbage"], "line 1 is no JSON object"),
        (["--export", "kept"], "line 1 is no JSON object"),
        (["--consistency", "kept", "garbage"], "it is no signed note"),
        (["--consistency", "later", "kept"], "OLD has more events"),
        (["--export", "kept", "--checkpoint", "kept"], "give one of them"),
    ],
)
def test_what_cannot_be_told(
    run: Run,
    service: Service,
    kept: Path,
    company: Company,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    told: str,
) -> None:
    """A file that is missing, or is something else, or was altered: exit code 2, and one clear line."""
    folder = kept.parent
    (folder / "garbage").write_text("garbage")
    (folder / "bytes").write_bytes(b"\xff\xfe")
    (folder / "altered").write_text(kept.read_text().replace("\n22\n", "\n23\n"))
    (folder / "a/folder").mkdir(parents=True)
    company.let_in()
    signed(service, folder / "later")
    monkeypatch.chdir(folder)
    code, output = run("verify", *arguments)
    assert code == 2
    assert told in " ".join(output.replace("│", " ").split())


def test_a_database_that_cannot_be_reached(run: Run, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBUSERS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    code, told = run("verify", "--checkpoint", kept)
    assert (code, "could not tell: The database cannot be reached" in told) == (2, True)


def test_two_checkpoints(run: Run, service: Service, kept: Path, company: Company, database_url: str) -> None:
    """The later one continues the earlier one, unless the store cannot show it."""
    act(company, 40)
    later = signed(service, kept.with_name("later"))
    assert run("verify", "--consistency", kept, kept)[0] == 0
    assert run("verify", "--consistency", kept, later) == (0, "right: the 63 events of NEW begin with the 22 of OLD\n")
    ask(database_url, "UPDATE merkle_leaves SET hash = sha256('') WHERE leaf_index = 21")
    assert run("verify", "--consistency", kept, later)[0] == 1
    ask(database_url, "DELETE FROM merkle_leaves WHERE leaf_index > 30")
    assert run("verify", "--consistency", kept, later)[0] == 1


def lines_of(service: Service, *, whole: bool) -> Iterator[dict[str, Any]]:
    """Yield an export of everything, or of some events with their proofs."""
    basis = service.proofs.basis()
    assert basis is not None
    with connect(service.settings.database_url or "") as connection:
        events = events_after(connection, 0, 1000)
    chosen = events if whole else events[2:15:2]
    yield basis.header(whole=whole)
    yield from whole_lines(chosen) if whole else service.proofs.lines(basis, chosen, lambda _: {"action": "something"})
    yield end_line(len(chosen))


def write(file: Path, lines: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


@pytest.mark.parametrize("whole", [True, False])
def test_an_export_proves_itself(
    run: Run, service: Service, kept: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """Without the database, by the public key alone; and no line of it can be altered, taken out or moved."""
    lines = list(lines_of(service, whole=whole))
    export = write(kept.with_name("export"), lines)
    _, key = run("signing-key", "show")
    monkeypatch.setenv("SUBUSERS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.delenv("SUBUSERS_SIGNING_KEY")

    def verify() -> tuple[int, str]:
        """Have the service's own command and the script for auditors look at it: they have to agree."""
        code, told = run("verify", "--public-key", key.strip(), "--export", export)
        monkeypatch.setattr(sys, "argv", ["verify_export.py", str(export), "--public-key", key.strip()])
        assert verify_export.main() == code
        return code, told

    code, told = verify()
    assert (code, told.split(", signed")[0]) == (0, f"right: {len(lines) - 2} events are in the checkpoint of 22")

    tamperings = {
        "altered": [*lines[:3], {**lines[3], "topic": "SubUserDeleted"}, *lines[4:]],
        "moved": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "told twice": [*lines[:3], lines[3], *lines[3:]],
    }
    for name, tampered in tamperings.items():
        write(export, tampered)
        assert verify()[0] == 1, name
    cannot_tell = {
        "cut off": lines[:-1],
        "goes on": [*lines, lines[-1]],
        "something missing": [*lines[:3], {"position": 99}, *lines[4:]],
        "no base64": [*lines[:3], {**lines[3], "state": "?"}, *lines[4:]],
        "other version": [{**lines[0], "subusers_export": 2}, *lines[1:]],
    }
    for name, wrong in cannot_tell.items():
        write(export, wrong)
        assert verify()[0] == 2, name
    write(export, [*lines[:3], *lines[4:]])
    assert verify()[0] == (1 if whole else 2)  # its end counts the events: one of some is missing, or it was cut
