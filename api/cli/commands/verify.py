"""`subusers verify`: check that history was not changed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import is_zipfile

import psycopg
import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from api.bootstrap import checkpoint_keys, config, maintenance
from api.bootstrap.config import ConfigError
from api.bootstrap.embedded_database import EmbeddedPostgresError
from api.cli.options import AsJson
from api.cli.output import echo, print_json, progress_bar, report
from api.cli.startup import existing_database
from application.display_text import quantity
from application.errors import ServiceError, StoreWentBack
from application.transparency.checkpoint import AcceptedLoss, loss_since
from application.transparency.evidence_manifest import SIGNED_SUMS
from application.transparency.export_verifier import signed_checkpoint, trusted_checkpoint, verify_export
from application.transparency.merkle import is_consistent
from application.transparency.signed_note import MalformedKey, VerifierKey
from application.transparency.tamper_locator import CannotVerify
from projections.audit_log.actions import ACTIONS
from projections.transparency.store_check import ExternalCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from application.transparency.checkpoint import Checkpoint
    from projections.transparency.store_check import Loss, Verdict

    TrustedKeys = Sequence[bytes | VerifierKey]

INTACT, TAMPERED, UNDETERMINED = 0, 1, 2
NAME_BY_EXIT_CODE = {INTACT: "intact", TAMPERED: "tampered", UNDETERMINED: "undetermined"}
UNDETERMINED_ERRORS = (
    CannotVerify,
    ConfigError,
    EmbeddedPostgresError,
    ServiceError,
    StoreWentBack,
    psycopg.Error,
    OSError,
)
"""Errors that prevent a check. Everywhere else some of them exit with 1, which means "tampered" here."""

OWN_KEY_TRUSTED = (
    "Not proven: that the key is the one you know. This machine's own key was trusted: give --public-key with a key "
    "that you got another way."
)
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
        help="A key to trust, as `signing-key show` prints it; repeat for more. No other key is trusted then. "
        "Default: the keys of SUBUSERS_SIGNING_KEY.",
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


@dataclass(frozen=True)
class Result:
    """Result of a check: exit code, the lines that describe it, and its facts for `--json`."""

    exit_code: int
    lines: Sequence[str]
    facts: Mapping[str, Any]


def verify(  # noqa: PLR0913  # one parameter per option
    checkpoint: Files = None,
    export: Export = None,
    consistency: Pair = None,
    public_key: Keys = None,
    succession: Successions = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check that history was not changed: the whole store, an export, or two checkpoints.

    Exits 0 if everything matches its signatures, 1 if not, 2 if it cannot be determined.
    """
    if sum(option is not None for option in (checkpoint or None, export, consistency)) > 1:
        raise typer.BadParameter("--checkpoint, --export and --consistency are different checks: give one of them")
    try:
        result = _verify(checkpoint or [], export, consistency, public_key or [], succession or [])
        if as_json:
            print_json({"result": NAME_BY_EXIT_CODE[result.exit_code], **result.facts})
        for line in result.lines if not as_json else ():
            echo(line)
    except UNDETERMINED_ERRORS as error:
        reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        report(f"could not tell: {reason}")
        if as_json:
            print_json({"result": NAME_BY_EXIT_CODE[UNDETERMINED], "reason": reason})
        raise typer.Exit(UNDETERMINED) from None
    raise typer.Exit(result.exit_code)


def _verify(
    checkpoints: Sequence[Path],
    export: Path | None,
    consistency: tuple[Path, Path] | None,
    public_keys: Sequence[str],
    succession_files: Sequence[Path],
) -> Result:
    trusted = _trusted_keys(public_keys)
    successions = [_read_note(file) for file in succession_files]
    if export is not None:
        return _verify_export(export, trusted, successions, has_given_key=bool(public_keys))
    if consistency is not None:
        return _verify_consistency(*consistency, trusted, successions)
    return _verify_store(checkpoints, trusted)


def _trusted_keys(public_keys: Sequence[str]) -> TrustedKeys:
    """Return the given keys alone, or those of this machine's settings if none is given."""
    if public_keys:
        return [_parse_key(text) for text in public_keys]
    return checkpoint_keys.trusted_keys(config.load(with_master_key=False))


def _verify_store(files: Sequence[Path], trusted: TrustedKeys) -> Result:
    external_checkpoints = [_read_external(file, trusted) for file in files]
    with existing_database(with_master_key=False) as ready, _progress_bar() as progress:
        verdict = maintenance.check_store(ready, trusted, external_checkpoints, progress)
    lines = [_loss_message(loss) for loss in verdict.losses]
    lines += [f"tampered: {finding}" for finding in verdict.findings[:MAX_FINDINGS]]
    if len(verdict.findings) > MAX_FINDINGS:
        lines.append(f"and {len(verdict.findings) - MAX_FINDINGS} more")
    if not verdict.findings:
        lines.append(_success_message(verdict, len(external_checkpoints) - len(verdict.lost_checkpoints)))
    lost_messages = [_lost_message(external.name, loss) for external, loss in verdict.lost_checkpoints]
    lines += [f"could not tell: {message}" for message in lost_messages]
    facts = {
        "events": verdict.events,
        "signed": verdict.signed,
        "checkpoints": verdict.roots,
        "kept_checkpoints": len(external_checkpoints),
        "findings": [str(finding) for finding in verdict.findings],
        "losses": [asdict(loss) for loss in verdict.losses],
        "checkpoints_of_lost_events": [external.name for external, _ in verdict.lost_checkpoints],
    }
    if lost_messages and not verdict.findings:
        return Result(UNDETERMINED, lines, facts | {"reason": "; ".join(lost_messages)})
    return Result(TAMPERED if verdict.findings else INTACT, lines, facts)


def _success_message(verdict: Verdict, compared_checkpoints: int) -> str:
    signed = quantity(verdict.signed, "event is as it was", "events are as they were")
    text = f"right: {signed} signed, in {quantity(verdict.roots, 'checkpoint')}"
    unsigned = verdict.events - verdict.signed
    text += f"; {quantity(unsigned, 'newer one has', 'newer ones have')} no checkpoint yet" if unsigned else ""
    if not compared_checkpoints:
        text += (
            "\nNo checkpoint that was kept elsewhere was compared: "
            "history that was signed again or cut off is not detected."
        )
    return text


def _loss_message(loss: Loss) -> str:
    accepted = f"accepted {loss.accepted_at:%Y-%m-%d %H:%M:%S} UTC" if loss.accepted_at else "not accepted yet"
    return (
        f"the store went back to position {loss.begun_position}, noticed {loss.begun_at:%Y-%m-%d %H:%M:%S} UTC: "
        f"it had reached position {loss.lost_position} before; {accepted}"
    )


def _lost_message(name: str, loss: AcceptedLoss) -> str:
    return (
        f"{name} has events that this store does not have. The service has signed that {loss}. Ask the "
        "operator what happened: this check cannot tell a loss from a deletion"
    )


def _verify_export(file: Path, trusted: TrustedKeys, successions: Sequence[str], *, has_given_key: bool) -> Result:
    if (file / SIGNED_SUMS).is_file() or (file.is_file() and is_zipfile(file)):
        raise CannotVerify(
            f"{file} is an evidence pack: verify it with `python3 tools/verify_export.py {file} --public-key KEY`"
        )
    with file.open("rb") as lines, _progress_bar() as progress:
        verdict = verify_export(
            lines, trusted, checkpoint_keys.verify_signature, ACTIONS, lambda done: progress(done, done), successions
        )
    checkpoint = verdict.checkpoint
    if verdict.finding is not None or checkpoint is None:
        return Result(TAMPERED, [f"tampered: {verdict.finding}"], {"findings": [str(verdict.finding)]})
    statements = [*verdict.statements, *([] if has_given_key else [OWN_KEY_TRUSTED])]
    at = f"{checkpoint.signed_at:%Y-%m-%d %H:%M:%S} UTC"
    facts = {
        "events": verdict.events,
        "findings": [],
        "statements": statements,
        "checkpoint": {"tree_size": checkpoint.tree_size, "signed_at": checkpoint.signed_at},
    }
    last_line = f"The checkpoint has {quantity(checkpoint.tree_size, 'event')}, signed {at}."
    return Result(INTACT, [*statements, last_line], facts)


def _verify_consistency(old_file: Path, new_file: Path, trusted: TrustedKeys, successions: Sequence[str]) -> Result:
    old, new = (_read_trusted(file, trusted, successions) for file in (old_file, new_file))
    if old.origin != new.origin:
        raise CannotVerify("the checkpoints are of different stores")
    loss = loss_since(old, new)
    if old.tree_size > new.tree_size:
        raise CannotVerify("OLD has more events than NEW" if loss is None else _discontinuity(loss))
    path: Sequence[bytes] | None = []
    if 0 < old.tree_size < new.tree_size:
        with existing_database(with_master_key=False) as ready:
            path = maintenance.consistency_proof(ready, old, new)
    facts: dict[str, Any] = {"old_tree_size": old.tree_size, "new_tree_size": new.tree_size, "findings": []}
    if path is None or not is_consistent(old.tree_size, old.root_hash, new.tree_size, new.root_hash, path):
        if loss is not None:
            raise CannotVerify(_discontinuity(loss))
        finding = f"NEW does not continue OLD, or the store was changed since: {quantity(old.tree_size, 'event')}"
        return Result(TAMPERED, [f"tampered: {finding}"], facts | {"findings": [finding]})
    events = quantity(new.tree_size, "event of NEW begins", "events of NEW begin")
    line = f"right: the {events} with the {old.tree_size} of OLD"
    return Result(INTACT, [line], facts)


def _discontinuity(loss: AcceptedLoss) -> str:
    return f"NEW does not continue OLD. NEW has signed that {loss}. Ask the operator what happened"


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


def _progress_bar() -> AbstractContextManager[Callable[[int, int], None]]:
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TextColumn("events"), TimeRemainingColumn())
    return progress_bar("verifying", *columns)
