"""The command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psycopg
import typer

from api import logs
from api.bootstrap import EmbeddedPostgresError, MigrationError
from api.cli import api_keys, erasing, export, master_keys, replay, running, signing_key, tail, verify, views
from api.config import ConfigError
from application.errors import ServiceError, StoreUnavailable
from domain.refusals import AccountNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG_SETTING = 2
FAILED = 1

app = typer.Typer(
    name="subusers",
    help="Sub-users of main accounts: who may in, and what they did.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(running.serve)
app.command()(running.api)
app.command()(running.work)
app.command()(running.migrate)
app.command()(views.status)
app.command()(views.rebuild)
app.command()(tail.tail)
app.command()(replay.replay)
app.command()(export.export)
app.command()(verify.verify)
app.command()(erasing.erase_account)
app.command()(erasing.erasures)
app.command()(erasing.erase)
app.command()(master_keys.rotate_master_key)
app.add_typer(api_keys.app, name="api-key")
app.add_typer(signing_key.app, name="signing-key")


def main() -> None:
    """Run the command that was given."""
    logs.configure()
    sys.exit(_exit_code(lambda: app(standalone_mode=True)))


def _exit_code(command: Callable[[], object]) -> int:
    """Run a command; what went wrong is told in one line."""
    try:
        command()
    except (ConfigError, EmbeddedPostgresError, MigrationError) as error:
        typer.echo(f"subusers: {error}", err=True)
        return WRONG_SETTING
    except AccountNotFound as error:
        typer.echo(f"subusers: {error}", err=True)
        return FAILED
    except ServiceError as error:
        _tell(error, error.__cause__)
        return FAILED
    except psycopg.OperationalError as error:  # of a connection that a command has of its own
        _tell(StoreUnavailable(), error)
        return FAILED
    return 0


def _tell(error: ServiceError, cause: BaseException | None) -> None:
    lines = str(cause or "").strip().splitlines()
    typer.echo(f"subusers: {error} {lines[0] if lines else ''}".rstrip(), err=True)
