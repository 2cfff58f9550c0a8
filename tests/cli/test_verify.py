"""`subusers verify` on a store, an export, or two checkpoints, and the cases that it cannot decide."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import psycopg
import pytest

from adapters.ed25519 import Ed25519Signer
from adapters.postgres.event_store.settled_reads import events_after
from api.bootstrap.config import ConfigError
from application.commands.activities import Activity
from application.errors import MerkleTreeDamaged, StoreWentBack
from application.transparency.checkpoint import Checkpoint
from application.transparency.signed_note import SignedNote, VerifierKey, sign
from application.transparency.verifiable_export import ExportSelection, end_line, with_digest
from projections.transparency.proofs import whole_lines
from tests.api.clients import ApiClients
from tests.builders import PORTAL, catch_up
from tests.postgres import connect, fetch
from tools import verify_export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api.bootstrap.service import Service
    from tests.builders import Company

    Run = Callable[..., tuple[int, str]]


def sign_checkpoint(service: Service, file: Path) -> Path:
    """Sign a checkpoint of everything recorded so far, and write it to a file."""
    catch_up(service, "merkle-tree")
    service.workers.checkpointer.sign_now()
    newest = service.queries.checkpoints.newest()
    assert newest is not None
    file.write_text(newest.note)
    return file


def record_activities(company: Company, times: int) -> None:
    sub_user = company.create_sub_user()
    company.service.commands.activities.record(
        company.account_id, [Activity(sub_user.sub_user_id, "tool.used", None, None, None)] * times, PORTAL
    )


@pytest.fixture
def kept_checkpoint(service: Service, company: Company, tmp_path: Path) -> Path:
    """Return a file with a checkpoint of 22 events."""
    record_activities(company, 20)
    return sign_checkpoint(service, tmp_path / "kept")


def test_untouched_store_is_valid(run: Run, kept_checkpoint: Path, company: Company) -> None:
    """The output counts events without a checkpoint, and says so if no kept checkpoint was given."""
    record_activities(company, 2)
    code, output = run("verify", "--checkpoint", kept_checkpoint)
    assert (code, output) == (
        0,
        "right: 22 events are as they were signed, in 2 checkpoints; 3 newer ones have no checkpoint yet\n",
    )
    code, output = run("verify")
    assert (code, "that was kept elsewhere was compared" in output) == (0, True)


def test_erasure_breaks_no_proof(run: Run, service: Service, kept_checkpoint: Path, company: Company) -> None:
    """Proofs cover the ciphertext, which stays when its data key is erased."""
    sub_user = company.create_active()
    later = sign_checkpoint(service, kept_checkpoint.with_name("later"))
    service.commands.sub_users.delete(company.account_id, sub_user.sub_user_id, PORTAL)
    assert run("verify", "--checkpoint", kept_checkpoint, "--checkpoint", later)[0] == 0


def test_altered_event_is_reported(run: Run, kept_checkpoint: Path, database_url: str) -> None:
    fetch(database_url, "UPDATE stored_events SET state = state || ' ' WHERE notification_id = 7")
    assert run("verify", "--checkpoint", kept_checkpoint) == (
        1,
        "tampered: position 7: the event is not what was recorded\n",
    )


def test_public_key_is_enough(run: Run, kept_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The master key and the signing key are not needed."""
    _, key = run("signing-key", "show")
    monkeypatch.delenv("SUBUSERS_MASTER_KEY")
    monkeypatch.delenv("SUBUSERS_SIGNING_KEY")
    assert run("verify", "--checkpoint", kept_checkpoint, "--public-key", key.strip())[0] == 0
    code, output = run("verify", "--checkpoint", kept_checkpoint)
    assert (code, "no key is trusted" in output) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--checkpoint", "nowhere"], "No such file"),
        (["--checkpoint", "a/folder"], "a/folder"),
        (["--checkpoint", "garbage"], "it is not a signed note"),
        (["--checkpoint", "bytes"], "is not a text file"),
        (["--checkpoint", "altered"], "is not of this text"),
        (["--checkpoint", "kept", "--public-key", "nobody"], "is not a public key"),
        (["--export", "garbage"], "line 1 is no JSON object"),
        (["--export", "kept"], "line 1 is no JSON object"),
        (["--consistency", "kept", "garbage"], "it is not a signed note"),
        (["--consistency", "later", "kept"], "OLD has more events"),
        (["--export", "kept", "--checkpoint", "kept"], "give one of them"),
    ],
)
def test_undecidable_cases_exit_with_2(
    run: Run,
    service: Service,
    kept_checkpoint: Path,
    company: Company,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    """A missing, unsuitable or altered file gives one clear line."""
    folder = kept_checkpoint.parent
    (folder / "garbage").write_text("garbage")
    (folder / "bytes").write_bytes(b"\xff\xfe")
    (folder / "altered").write_text(kept_checkpoint.read_text().replace("\n22\n", "\n23\n"))
    (folder / "a/folder").mkdir(parents=True)
    company.create_sub_user()
    sign_checkpoint(service, folder / "later")
    monkeypatch.chdir(folder)
    code, output = run("verify", *arguments)
    assert code == 2
    assert message in " ".join(output.replace("│", " ").split())


def test_unreachable_database_exits_with_2(run: Run, kept_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBUSERS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    code, output = run("verify", "--checkpoint", kept_checkpoint)
    assert (code, "could not tell: The database cannot be reached" in output) == (2, True)


def test_consistency_of_two_checkpoints(
    run: Run, service: Service, kept_checkpoint: Path, company: Company, database_url: str
) -> None:
    """The exit code is 1 if the store's tree cannot prove it."""
    record_activities(company, 40)
    later = sign_checkpoint(service, kept_checkpoint.with_name("later"))
    assert run("verify", "--consistency", kept_checkpoint, kept_checkpoint)[0] == 0
    assert run("verify", "--consistency", kept_checkpoint, later) == (
        0,
        "right: the 63 events of NEW begin with the 22 of OLD\n",
    )
    fetch(database_url, "UPDATE merkle_leaves SET hash = sha256('') WHERE leaf_index = 21")
    assert run("verify", "--consistency", kept_checkpoint, later)[0] == 1
    fetch(database_url, "DELETE FROM merkle_leaves WHERE leaf_index > 30")
    assert run("verify", "--consistency", kept_checkpoint, later)[0] == 1


def export_lines(service: Service, *, whole: bool) -> Iterator[dict[str, Any]]:
    """Yield the lines of an export of all events, or of some events with their proofs."""
    basis = service.queries.proofs.basis()
    assert basis is not None
    with connect(service.settings.database_url or "") as connection:
        events = events_after(connection, 0, 1000)
    chosen = events if whole else events[2:15]
    yield basis.header(ExportSelection(after=0 if whole else chosen[0].position - 1), whole=whole)
    yield from (
        whole_lines(chosen)
        if whole
        else service.queries.proofs.lines(basis, chosen, lambda _: {"in_words": "something"})
    )
    yield end_line(len(chosen))


def write(file: Path, lines: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


@pytest.mark.parametrize("whole", [True, False])
def test_export_is_verified_without_the_database(
    run: Run, service: Service, kept_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """The public key is enough; altered, missing and moved lines are detected."""
    lines = list(export_lines(service, whole=whole))
    export = write(kept_checkpoint.with_name("export"), lines)
    _, key = run("signing-key", "show")
    monkeypatch.setenv("SUBUSERS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.delenv("SUBUSERS_SIGNING_KEY")

    def verify() -> tuple[int, str]:
        """Run both verifiers, require that they agree, and return the command's result."""
        code, output = run("verify", "--public-key", key.strip(), "--export", export)
        monkeypatch.setattr(sys, "argv", ["verify_export.py", str(export), "--public-key", key.strip()])
        assert verify_export.main() == code
        return code, output

    code, output = verify()
    assert (code, f"right: {len(lines) - 2} events of all accounts" in output) == (0, True)
    assert "The checkpoint has 22 events, signed " in output

    tamperings = {
        "altered": [*lines[:3], {**lines[3], "topic": "SubUserDeleted"}, *lines[4:]],
        "moved": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "duplicated": [*lines[:3], lines[3], *lines[3:]],
    }
    for name, tampered in tamperings.items():
        write(export, tampered)
        assert verify()[0] == 1, name
    undecidable_exports = {
        "without the end line": lines[:-1],
        "with two end lines": [*lines, lines[-1]],
        "with a line without members": [*lines[:3], with_digest({"position": 99}), *lines[4:]],
        "with invalid base64": [*lines[:3], with_digest({**lines[3], "state": "?"}), *lines[4:]],
        "of another version": [{**lines[0], "subusers_export": 3}, *lines[1:]],
    }
    for name, undecidable in undecidable_exports.items():
        write(export, undecidable)
        assert verify()[0] == 2, name
    write(export, [*lines[:3], *lines[4:]])
    assert verify()[0] == 1


def test_given_public_keys_are_the_only_trusted_ones(
    run: Run, service: Service, kept_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of this machine's settings is trusted only if none is given, and the output then says so."""
    export = write(kept_checkpoint.with_name("export"), list(export_lines(service, whole=True)))
    origin = service.workers.checkpointer.verifier_key().name
    bogus = VerifierKey(origin, Ed25519Signer(b"another key that has 32 bytes...").public_key)
    checks = (
        ["--export", export],
        ["--checkpoint", kept_checkpoint],
        ["--consistency", kept_checkpoint, kept_checkpoint],
    )
    for arguments in checks:
        assert run("verify", *arguments)[0] == 0
        code, output = run("verify", *arguments, "--public-key", bogus)
        assert (code, "could not tell" in output) == (2, True), arguments
    own_key_only = "Not proven: that the key is the one you know. This machine's own key was trusted"
    assert own_key_only in run("verify", "--export", export)[1]
    key = service.workers.checkpointer.verifier_key()
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", "no key at all")  # the settings are not read
    code, output = run("verify", "--export", export, "--public-key", key)
    assert (code, own_key_only in output) == (0, False)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.UndefinedTable("relation does not exist"),
        StoreWentBack(uuid4(), None),
        MerkleTreeDamaged(),
        ConfigError("SUBUSERS_X is wrong"),
        PermissionError(13, "Permission denied"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_never_exit_with_1(run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """1 means tampered."""

    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr("api.bootstrap.maintenance.check_store", fail)
    code, output = run("verify")
    assert (code, f"could not tell: {error}" in output) == (2, True), output


def test_consistency_needs_the_store_of_the_checkpoints(
    run: Run, service: Service, kept_checkpoint: Path, company: Company, database_url: str
) -> None:
    """Another or an empty database proves nothing: the exit code is 2, not 1."""
    record_activities(company, 5)
    later = sign_checkpoint(service, kept_checkpoint.with_name("later"))
    another = VerifierKey("subusers/another", service.workers.checkpointer.verifier_key().public_key)
    for statement, message in (
        (f"UPDATE signing_keys SET verifier_key = '{another}'", "the database is not the store"),  # noqa: S608
        ("DELETE FROM signing_keys", "the database is not the store"),
        ("DELETE FROM schema_migrations", "schema is not up to date"),
    ):
        fetch(database_url, statement)
        code, output = run("verify", "--consistency", kept_checkpoint, later)
        assert (code, message in output) == (2, True), output


@pytest.mark.parametrize("old_events", [0, 1, 7, 8, 20])
def test_script_verifies_consistency_without_the_database(
    service: Service,
    company: Company,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    old_events: int,
) -> None:
    """With the proof that the API answers. A proof of other sizes is no proof; another tree is tampering."""
    record_activities(company, old_events)
    old = sign_checkpoint(service, tmp_path / "old")
    record_activities(company, 11)
    new = sign_checkpoint(service, tmp_path / "new")
    first, second = (int(file.read_text().splitlines()[1]) for file in (old, new))
    proof = tmp_path / "proof.json"
    key = str(service.workers.checkpointer.verifier_key())

    def verify(old: Path, new: Path) -> int:
        arguments = ["--consistency", str(old), str(new), "--proof", str(proof), "--public-key", key]
        monkeypatch.setattr(sys, "argv", ["verify_export.py", *arguments])
        return verify_export.main()

    answer: Any = ApiClients.of(service).auditor.get(f"/v1/audit/consistency?first={first}&second={second}")
    proof.write_bytes(answer.data)
    assert verify(old, new) == 0
    assert f"right: the {second} events of NEW begin with the {first} of OLD" in capsys.readouterr().out
    assert verify(new, old) == 2
    proof.write_text(json.dumps({**answer.json, "first": first + 1}))
    assert verify(old, new) == 2
    proof.write_text('{"type": "no-checkpoint-yet"}')
    assert verify(old, new) == 2
    assert "is not a consistency proof" in capsys.readouterr().err
    for path in ([], answer.json["path"][1:], [*answer.json["path"], answer.json["path"][0]]):
        proof.write_text(json.dumps({**answer.json, "path": path}))
        assert verify(old, new) == 1, path
    signer = Ed25519Signer(service.settings.signing_keys.private[0])
    checkpoint = Checkpoint.parse(SignedNote.parse(old.read_text()).text)
    forged = replace(checkpoint, root_hash=bytes(32))
    old.write_text(str(sign(forged.text, forged.origin, [signer])))
    proof.write_bytes(answer.data)
    assert verify(old, new) == 1
