"""Checking that nobody rewrote history."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from api import bootstrap, config
from application.errors import StoreUnavailable
from application.export_check import check_export, genuine
from application.first_bad import CannotTell
from application.merkle import is_consistent
from application.signed_notes import MalformedKey, VerifierKey
from projections.store_check import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from application.checkpoints import Checkpoint
    from projections.store_check import Verdict

    Trusted = Sequence[bytes | VerifierKey]

RIGHT, TAMPERED, COULD_NOT_TELL = 0, 1, 2
MOST_FINDINGS = 20
LARGEST_NOTE = 1_000_000

Files = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", help="A checkpoint that was kept elsewhere; may be given again.", metavar="FILE"),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--public-key",
        help="A key to trust, as `signing-key show` prints it; may be given again. "
        "Those of SUBUSERS_SIGNING_KEY are trusted, too.",
        metavar="KEY",
    ),
]
Export = Annotated[
    Path | None, typer.Option("--export", help="An export with proofs; the database is not asked.", metavar="FILE")
]
Pair = Annotated[
    tuple[Path, Path] | None,
    typer.Option(help="Two checkpoints: does NEW continue OLD, with nothing rewritten?", metavar="OLD NEW"),
]


def verify(checkpoint: Files = None, export: Export = None, consistency: Pair = None, public_key: Keys = None) -> None:
    """Check that nobody rewrote history: the whole store, an export, or two checkpoints.

    Exits 0 if all is as it was signed, 1 if something is not, 2 if it could not be told.
    """
    if sum(one is not None for one in (checkpoint or None, export, consistency)) > 1:
        raise typer.BadParameter("--checkpoint, --export and --consistency ask for different checks: give one of them")
    settings = config.load(with_master_key=False)
    try:
        trusted = [*bootstrap.trusted_keys(settings), *map(_key, public_key or [])]
        if export is not None:
            code = _export(export, trusted)
        elif consistency is not None:
            code = _consistency(*consistency, trusted)
        else:
            code = _store(checkpoint or [], trusted)
    except (CannotTell, StoreUnavailable, OSError) as error:
        typer.echo(f"subusers: could not tell: {error}", err=True)
        code = COULD_NOT_TELL
    raise typer.Exit(code)


def _store(files: Sequence[Path], trusted: Trusted) -> int:
    kept = [Kept(str(file), _checkpoint(file, trusted)) for file in files]
    with bootstrap.opened(config.load(with_master_key=False)) as ready, _bar("events") as progress:
        verdict = bootstrap.check_store(ready, trusted, kept, progress)
    for one in verdict.findings[:MOST_FINDINGS]:
        typer.echo(f"tampered: {one}")
    if len(verdict.findings) > MOST_FINDINGS:
        typer.echo(f"and {len(verdict.findings) - MOST_FINDINGS} more")
    if verdict.findings:
        return TAMPERED
    typer.echo(_right(verdict, kept))
    return RIGHT


def _right(verdict: Verdict, kept: Sequence[Kept]) -> str:
    text = f"right: {verdict.signed} events are as they were signed, in {verdict.roots} checkpoints"
    unsigned = verdict.events - verdict.signed
    text += f"; {unsigned} newer ones have no checkpoint yet" if unsigned else ""
    if not kept:
        text += "\nNo checkpoint that was kept elsewhere was given: what was signed anew, or cut off, would not show."
    return text


def _export(file: Path, trusted: Trusted) -> int:
    with file.open("rb") as lines, _bar("events") as progress:
        verdict = check_export(lines, trusted, bootstrap.verify_signature, lambda done: progress(done, done))
    if verdict.finding is not None:
        typer.echo(f"tampered: {verdict.finding}")
        return TAMPERED
    typer.echo(
        f"right: {verdict.events} events are in the checkpoint of {verdict.checkpoint.tree_size}, "
        f"signed {verdict.checkpoint.signed_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    return RIGHT


def _consistency(old_file: Path, new_file: Path, trusted: Trusted) -> int:
    old, new = _checkpoint(old_file, trusted), _checkpoint(new_file, trusted)
    if old.origin != new.origin:
        raise CannotTell("the two are of different stores")
    if old.tree_size > new.tree_size:
        raise CannotTell("OLD has more events than NEW")
    path: Sequence[bytes] | None = []
    if 0 < old.tree_size < new.tree_size:
        with bootstrap.opened(config.load(with_master_key=False)) as ready:
            path = bootstrap.consistency_proof(ready, old, new)
    if path is None or not is_consistent(old.tree_size, old.root_hash, new.tree_size, new.root_hash, path):
        typer.echo(f"tampered: NEW does not continue OLD, or the store has been altered since: {old.tree_size} events")
        return TAMPERED
    typer.echo(f"right: the {new.tree_size} events of NEW begin with the {old.tree_size} of OLD")
    return RIGHT


def _checkpoint(file: Path, trusted: Trusted) -> Checkpoint:
    try:
        with file.open(encoding="utf-8", newline="") as text:
            return genuine(text.read(LARGEST_NOTE), trusted, bootstrap.verify_signature)
    except UnicodeDecodeError:
        raise CannotTell(f"{file} is no text") from None
    except CannotTell as error:
        raise CannotTell(f"{file}: {error}") from None


def _key(text: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text)
    except MalformedKey:
        raise CannotTell(f"{text!r} is no public key as `subusers signing-key show` prints it") from None


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far it is, on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TextColumn(what), TimeRemainingColumn())
    with ProgressBar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, of: bar.update(task, completed=done, total=max(done, of, 1))
