"""`subusers verify`: check that history was not changed."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from api.bootstrap import checkpoint_keys, config, embedded_database, maintenance
from api.cli.output import console, echo
from application.errors import StoreUnavailable
from application.transparency.export_verifier import signed_checkpoint, trusted_checkpoint, verify_export
from application.transparency.merkle import is_consistent
from application.transparency.signed_note import MalformedKey, VerifierKey
from application.transparency.tamper_locator import CannotVerify
from projections.audit_log.actions import ACTIONS
from projections.transparency.store_check import ExternalCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from application.transparency.checkpoint import Checkpoint
    from projections.transparency.store_check import Loss, Verdict

    TrustedKeys = Sequence[bytes | VerifierKey]

INTACT, TAMPERED, UNDETERMINED = 0, 1, 2
MAX_FINDINGS = 20
"""Findings that are printed; the others are only counted."""

MAX_NOTE_LENGTH = 1_000_000
"""Characters that are read of a checkpoint file. A checkpoint has a few hundred."""

Files = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", help="A checkpoint that you kept elsewhere; repeat for more.", metavar="FILE"),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--public-key",
        help="A key to trust, as `signing-key show` prints it; repeat for more. "
        "The keys of SUBUSERS_SIGNING_KEY are trusted, too.",
        metavar="KEY",
    ),
]
Successions = Annotated[
    list[Path] | None,
    typer.Option(
        "--succession",
        help="A checkpoint that you kept in which one signing key replaced another; for --export and "
        "--consistency; repeat for more.",
        metavar="FILE",
    ),
]
Export = Annotated[
    Path | None, typer.Option("--export", help="An export with proofs, verified without the database.", metavar="FILE")
]
Pair = Annotated[
    tuple[Path, Path] | None,
    typer.Option(help="Two checkpoints: does NEW continue OLD without changes?", metavar="OLD NEW"),
]


def verify(
    checkpoint: Files = None,
    export: Export = None,
    consistency: Pair = None,
    public_key: Keys = None,
    succession: Successions = None,
) -> None:
    """Check that history was not changed: the whole store, an export, or two checkpoints.

    Exits 0 if everything matches its signatures, 1 if not, 2 if it cannot be determined.
    """
    if sum(option is not None for option in (checkpoint or None, export, consistency)) > 1:
        raise typer.BadParameter("--checkpoint, --export and --consistency are different checks: give one of them")
    settings = config.load(with_master_key=False)
    try:
        trusted = [*checkpoint_keys.trusted_keys(settings), *map(_parse_key, public_key or [])]
        successions = [_read_note(file) for file in succession or []]
        if export is not None:
            exit_code = _verify_export(export, trusted, successions)
        elif consistency is not None:
            exit_code = _verify_consistency(*consistency, trusted, successions)
        else:
            exit_code = _verify_store(checkpoint or [], trusted)
    except (CannotVerify, StoreUnavailable, OSError) as error:
        echo(f"subusers: could not tell: {error}", err=True)
        exit_code = UNDETERMINED
    raise typer.Exit(exit_code)


def _verify_store(files: Sequence[Path], trusted: TrustedKeys) -> int:
    external_checkpoints = [_read_external(file, trusted) for file in files]
    settings = config.load(with_master_key=False)
    with embedded_database.database_running(settings) as ready, _progress_bar("events") as progress:
        verdict = maintenance.check_store(ready, trusted, external_checkpoints, progress)
    for loss in verdict.losses:
        echo(_loss_message(loss))
    for finding in verdict.findings[:MAX_FINDINGS]:
        echo(f"tampered: {finding}")
    if len(verdict.findings) > MAX_FINDINGS:
        echo(f"and {len(verdict.findings) - MAX_FINDINGS} more")
    if verdict.findings:
        return TAMPERED
    echo(_success_message(verdict, external_checkpoints))
    return INTACT


def _success_message(verdict: Verdict, external_checkpoints: Sequence[ExternalCheckpoint]) -> str:
    text = f"right: {verdict.signed} events are as they were signed, in {verdict.roots} checkpoints"
    unsigned = verdict.events - verdict.signed
    text += f"; {unsigned} newer ones have no checkpoint yet" if unsigned else ""
    if not external_checkpoints:
        text += (
            "\nNo checkpoint that was kept elsewhere was given: "
            "history that was signed again or cut off is not detected."
        )
    return text


def _loss_message(loss: Loss) -> str:
    accepted = f"accepted {loss.accepted_at:%Y-%m-%d %H:%M:%S} UTC" if loss.accepted_at else "not accepted yet"
    return (
        f"the store went back to position {loss.begun_position}, noticed {loss.begun_at:%Y-%m-%d %H:%M:%S} UTC: "
        f"it had reached position {loss.lost_position} before; {accepted}"
    )


def _verify_export(file: Path, trusted: TrustedKeys, successions: Sequence[str]) -> int:
    with file.open("rb") as lines, _progress_bar("events") as progress:
        verdict = verify_export(
            lines, trusted, checkpoint_keys.verify_signature, ACTIONS, lambda done: progress(done, done), successions
        )
    checkpoint = verdict.checkpoint
    if verdict.finding is not None or checkpoint is None:
        echo(f"tampered: {verdict.finding}")
        return TAMPERED
    for statement in verdict.statements:
        echo(statement)
    at = f"{checkpoint.signed_at:%Y-%m-%d %H:%M:%S} UTC"
    echo(f"The checkpoint has {checkpoint.tree_size} events, signed {at}.")
    return INTACT


def _verify_consistency(old_file: Path, new_file: Path, trusted: TrustedKeys, successions: Sequence[str]) -> int:
    old, new = (_read_trusted(file, trusted, successions) for file in (old_file, new_file))
    if old.origin != new.origin:
        raise CannotVerify("the checkpoints are of different stores")
    if old.tree_size > new.tree_size:
        raise CannotVerify("OLD has more events than NEW")
    path: Sequence[bytes] | None = []
    if 0 < old.tree_size < new.tree_size:
        with embedded_database.database_running(config.load(with_master_key=False)) as ready:
            path = maintenance.consistency_proof(ready, old, new)
    if path is None or not is_consistent(old.tree_size, old.root_hash, new.tree_size, new.root_hash, path):
        echo(f"tampered: NEW does not continue OLD, or the store was changed since: {old.tree_size} events")
        return TAMPERED
    echo(f"right: the {new.tree_size} events of NEW begin with the {old.tree_size} of OLD")
    return INTACT


def _read_external(file: Path, trusted: TrustedKeys) -> ExternalCheckpoint:
    """Read a kept checkpoint. The store limits the trust in its key if another key replaced it."""
    text = _read_note(file)
    with _naming_file(file):
        checkpoint, signers = signed_checkpoint(text, trusted, checkpoint_keys.verify_signature)
    return ExternalCheckpoint(str(file), checkpoint, signers)


def _read_trusted(file: Path, trusted: TrustedKeys, successions: Sequence[str]) -> Checkpoint:
    text = _read_note(file)
    with _naming_file(file):
        return trusted_checkpoint(text, trusted, checkpoint_keys.verify_signature, successions)


def _read_note(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", newline="") as text:
            return text.read(MAX_NOTE_LENGTH)
    except UnicodeDecodeError:
        raise CannotVerify(f"{file} is not a text file") from None


@contextmanager
def _naming_file(file: Path) -> Iterator[None]:
    """Prefix the message of `CannotVerify` with the file's name."""
    try:
        yield
    except CannotVerify as error:
        raise CannotVerify(f"{file}: {error}") from None


def _parse_key(text: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text)
    except MalformedKey:
        raise CannotVerify(f"{text!r} is not a public key as printed by `subusers signing-key show`") from None


@contextmanager
def _progress_bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress if stderr is a terminal."""
    terminal = console(stderr=True)
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn())
    with ProgressBar(*columns, console=terminal, disable=not terminal.is_terminal, transient=True) as bar:
        task = bar.add_task(unit)
        yield lambda done, total: bar.update(task, completed=done, total=max(done, total, 1))
