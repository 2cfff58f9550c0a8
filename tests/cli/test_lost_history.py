"""Verification across a loss of history that the operator accepted: it is reported, and is no tampering."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from adapters.ed25519 import Ed25519Signer
from application.transparency.checkpoint import AcceptedLoss, Checkpoint
from application.transparency.signed_note import SignedNote, sign
from tests.builders import Company, catch_up
from tests.postgres import fetch
from tools import verify_export

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.bootstrap.service import Service

    Run = Callable[..., tuple[int, str]]

GO_BACK = """
DELETE FROM stored_events WHERE notification_id > {position};
DELETE FROM merkle_leaves WHERE position > {position};
DELETE FROM merkle_nodes WHERE (node_index + 1) << level > (SELECT count(*) FROM merkle_leaves);
DELETE FROM checkpoints WHERE position > {position};
UPDATE followers SET position = least(position, {position})
"""
"""What the restore of a backup does to the tables of this test."""

INTACT, TAMPERED, UNDETERMINED = 0, 1, 2


@dataclass(frozen=True)
class Files:
    """Files with checkpoints: of the events that were kept, of those that were lost, and of the store afterwards."""

    common: Path
    lost: Path
    current: Path


def keep_checkpoint(service: Service, file: Path) -> Path:
    catch_up(service, "merkle-tree")
    service.workers.checkpointer.sign_due()
    service.workers.checkpointer.sign_now()
    newest = service.queries.checkpoints.newest()
    assert newest is not None
    file.write_text(newest.note)
    return file


def checkpoint_in(file: Path) -> Checkpoint:
    return Checkpoint.parse(SignedNote.parse(file.read_text()).text)


def go_back(service: Service, database_url: str, position: int) -> None:
    """Lose the events after a position, and let the service notice."""
    for statement in GO_BACK.format(position=position).split(";"):
        fetch(database_url, statement)
    with service.database.get_connection() as connection:
        service.lineage.check(connection)


def add_events(service: Service, number: int) -> None:
    for _ in range(number):
        Company.register(service)


@pytest.fixture
def files(service: Service, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Keep checkpoints before and after a loss that was accepted."""
    monkeypatch.setattr("application.transparency.checkpoint.LOSS_MARGIN", 0)
    monkeypatch.setattr(verify_export, "LOSS_MARGIN", 0)
    add_events(service, 4)
    common = keep_checkpoint(service, tmp_path / "common")
    add_events(service, 5)
    lost = keep_checkpoint(service, tmp_path / "lost")
    go_back(service, database_url, checkpoint_in(common).position)
    assert service.workers.checkpointer.sign_now() == 0
    assert service.accept_lost_history()
    return Files(common, lost, keep_checkpoint(service, tmp_path / "current"))


def verify_by_script(service: Service, old: Path, new: Path) -> tuple[int, str]:
    """Return the exit code and the message of the stand-alone verifier, called in this process."""
    key = verify_export.parse_key(str(service.workers.checkpointer.verifier_key()))
    sizes = [checkpoint_in(file).tree_size for file in (old, new)]
    path = service.queries.proofs.consistency(*sizes)
    proof = None
    if path is not None:
        encoded = [base64.b64encode(node).decode() for node in path]
        proof = {"first": sizes[0], "second": sizes[1], "path": encoded}
    try:
        return INTACT, verify_export.check_consistency(old.read_text(), new.read_text(), proof, [key], [])
    except verify_export.Tampered as error:
        return TAMPERED, str(error)
    except verify_export.CannotVerify as error:
        return UNDETERMINED, str(error)


def test_checkpoints_after_a_loss_name_it(service: Service, files: Files) -> None:
    """Also without new events: the first one has the size of the last common one. Later ones repeat the loss."""
    common, lost, current = map(checkpoint_in, (files.common, files.lost, files.current))
    assert (current.tree_size, current.root_hash) == (common.tree_size, common.root_hash)
    assert (common.losses, lost.losses) == ((), ())
    (loss,) = current.losses
    assert (loss.begun_position, loss.lost_position) == (common.position, lost.position)
    assert service.workers.checkpointer.sign_due() == service.workers.checkpointer.sign_now() == 0
    add_events(service, 3)
    assert checkpoint_in(keep_checkpoint(service, files.current.with_name("later"))).losses == (loss,)


@pytest.mark.parametrize("event_count", [0, 2, 20])
def test_loss_is_reported_and_is_no_tampering(run: Run, service: Service, files: Files, event_count: int) -> None:
    """Whether the store has fewer or more events than before. What was kept is proven as always."""
    if event_count:
        add_events(service, event_count)
    new = keep_checkpoint(service, files.current.with_name("new"))
    (loss,) = checkpoint_in(new).losses
    told = f"events after position {loss.begun_position} were lost, at least up to position {loss.lost_position}, which"

    for code, output in (
        run("verify", "--consistency", files.lost, new),
        run("verify", "--checkpoint", files.lost),
        run("verify", "--checkpoint", files.common, "--checkpoint", files.lost),
        verify_by_script(service, files.lost, new),
    ):
        assert (code, told in output, "tampered" in output) == (UNDETERMINED, True, False), output
    for code, output in (
        run("verify", "--consistency", files.common, new),
        run("verify", "--checkpoint", files.common, "--checkpoint", new),
        verify_by_script(service, files.common, new),
    ):
        assert code == INTACT, output
    result = json.loads(run("verify", "--checkpoint", files.lost, "--json")[1])
    assert (result["result"], told in result["reason"]) == ("undetermined", True)
    assert result["checkpoints_of_lost_events"] == [str(files.lost)]


def test_exports_and_packs_report_the_loss(run: Run, service: Service, files: Files, tmp_path: Path) -> None:
    """Their checkpoint names it. They are as they were signed."""
    company = Company.register(service)
    company.create_sub_user()
    export, pack = tmp_path / "export.jsonl", tmp_path / "pack.zip"
    key = service.workers.checkpointer.verifier_key()
    (loss,) = checkpoint_in(files.current).losses
    assert run("export", "--all", "-o", export)[0] == 0
    code, output = run("verify", "--export", export, "--public-key", key)
    assert (code, f"The checkpoint says that {loss}." in output) == (INTACT, True), output
    options = ("--account", company.account_id, "--since", "2000-01-01", "--until", "2099-01-01", "-o", pack)
    assert run("evidence", *options)[0] == 0
    for file in (export, pack):
        arguments = ["verify_export.py", str(file), "--public-key", str(key)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", arguments)
            assert verify_export.main() == INTACT
    verdict = verify_export.check_pack(pack, [verify_export.parse_key(str(key))], [])
    assert f"The checkpoint says that {loss}." in verdict
    assert str(loss) in verify_export.Pack(pack).text("report.html")


def test_loss_excuses_no_change_of_what_was_kept(
    run: Run, service: Service, files: Files, database_url: str, tmp_path: Path
) -> None:
    """An event before the loss was altered, with the tree: the kept checkpoint of it contradicts."""
    add_events(service, 20)
    new = keep_checkpoint(service, tmp_path / "new")
    fetch(database_url, "UPDATE stored_events SET state = state || ' ' WHERE notification_id = 2")
    assert run("verify", "--checkpoint", files.common, "--checkpoint", files.lost)[0] == TAMPERED
    fetch(database_url, "UPDATE merkle_leaves SET hash = sha256('other') WHERE leaf_index = 5")
    code, output = run("verify", "--consistency", files.common, new)
    assert (code, "does not continue" in output) == (TAMPERED, True), output
    assert verify_by_script(service, files.common, new)[0] == TAMPERED


def test_loss_excuses_no_checkpoint_that_knew_of_it(service: Service, run: Run, files: Files, tmp_path: Path) -> None:
    """Nor one that was signed after the acceptance."""
    add_events(service, 20)
    new = keep_checkpoint(service, tmp_path / "new")
    (loss,) = checkpoint_in(new).losses
    signer = Ed25519Signer(service.settings.signing_keys.private[0])
    lost = checkpoint_in(files.lost)
    for number, (signed_at, losses) in enumerate(
        [(lost.signed_at, (loss,)), (loss.accepted_at.replace(year=2098), ())]
    ):
        other = Checkpoint(lost.origin, lost.tree_size, lost.root_hash, lost.position, signed_at, None, losses)
        file = tmp_path / f"other-{number}"
        file.write_text(str(sign(other.text, other.origin, [signer])))
        assert run("verify", "--consistency", file, new)[0] == TAMPERED
        assert run("verify", "--checkpoint", file)[0] == TAMPERED
        assert verify_by_script(service, file, new)[0] == TAMPERED


def test_loss_that_no_checkpoint_has_signed_does_not_count(
    run: Run, service: Service, files: Files, database_url: str, tmp_path: Path
) -> None:
    """Anyone with the database can write its table of losses."""
    add_events(service, 20)
    before = keep_checkpoint(service, tmp_path / "before")
    position = checkpoint_in(before).position
    fetch(database_url, "UPDATE stored_events SET state = state || ' ' WHERE notification_id = %s", position)
    insert = (
        "INSERT INTO store_lineage "
        "(system_identifier, timeline, database_oid, begun_position, lost_position, accepted_at) SELECT "
        "system_identifier, timeline, database_oid, %s, %s, now() FROM store_lineage ORDER BY number LIMIT 1"
    )
    fetch(database_url, insert, position - 1, position)
    code, output = run("verify", "--checkpoint", before)
    assert (code, f"position {position}" in output) == (TAMPERED, True), output


@pytest.mark.parametrize(
    "line", ["lost 1", "lost 1 2 3", "lost 01 2 2026-05-01T00:00:00Z", "lost 1 2 2026-05-01T00:00:00Z "]
)
def test_malformed_loss_is_refused(service: Service, run: Run, files: Files, line: str) -> None:
    current = checkpoint_in(files.current)
    text = f"{replace(current, losses=()).text}{line}\n"
    files.current.write_text(str(sign(text, current.origin, [Ed25519Signer(service.settings.signing_keys.private[0])])))
    assert run("verify", "--checkpoint", files.current)[0] == UNDETERMINED
    with pytest.raises((verify_export.CannotVerify, ValueError)):
        verify_export.parse_checkpoint(files.current.read_text())


def test_losses_are_in_the_text_of_a_checkpoint(files: Files) -> None:
    """Both parsers agree."""
    current = checkpoint_in(files.current)
    second = AcceptedLoss(1042, 2001, current.losses[0].accepted_at)
    checkpoint = replace(current, losses=(*current.losses, second))
    assert Checkpoint.parse(checkpoint.text) == checkpoint
    note = f"{checkpoint.text}\n\u2014 {current.origin} AAAAAAAA\n"
    losses = verify_export.parse_checkpoint(note)[0].losses
    assert [str(loss) for loss in losses] == [str(loss) for loss in checkpoint.losses]
