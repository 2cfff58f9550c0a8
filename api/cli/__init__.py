"""The command line."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import psycopg
import typer
from typer.core import TyperCommand, TyperGroup

from api.bootstrap.config import ConfigError
from api.bootstrap.embedded_database import EmbeddedPostgresError
from api.bootstrap.maintenance import MigrationError
from api.cli.output import echo
from api.runtime import logs
from application.errors import ServiceError, StoreUnavailable, StoreWentBack
from domain.refusals import AccountNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG_SETTING = 2
FAILED = 1

LOADED_FROM = {
    "serve": "run",
    "api": "run",
    "work": "run",
    "migrate": "run",
    "status": "views",
    "rebuild": "views",
    "tail": "tail",
    "replay": "replay",
    "export": "export",
    "verify": "verify",
    "erase-account": "erasure",
    "erasures": "erasure",
    "erase": "erasure",
    "rotate-master-key": "master_keys",
    "api-key": "api_key",
    "signing-key": "signing_key",
    "accept-lost-history": "lineage",
}
"""Module of each command. The module has a function, or a `Typer` for several commands, of the command's name."""


class Commands(TyperGroup):
    """Loads each command on demand: imports of some commands take longer than others take to run."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands.update({name: TyperCommand(name) for name in LOADED_FROM})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # signature of the library
        """Return a command by its name, None if it does not exist."""
        if cmd_name not in LOADED_FROM:
            return None
        command = getattr(import_module(f"api.cli.commands.{LOADED_FROM[cmd_name]}"), cmd_name.replace("-", "_"))
        holder = typer.Typer()
        if isinstance(command, typer.Typer):
            holder.add_typer(command, name=cmd_name)
        else:
            holder.command(cmd_name)(command)
        return typer.main.get_group(holder).commands[cmd_name]


app = typer.Typer(
    cls=Commands, name="subusers", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)


@app.callback()
def _subusers() -> None:
    """Run and administer the subusers service."""


def main() -> None:
    """Run the command of the command line."""
    logs.configure()
    sys.exit(_exit_code(lambda: app(standalone_mode=True)))


def _exit_code(command: Callable[[], object]) -> int:
    """Run a command, report an error in one line, and return the exit code."""
    try:
        command()
    except (ConfigError, EmbeddedPostgresError, MigrationError) as error:
        echo(f"subusers: {error}", err=True)
        return WRONG_SETTING
    except AccountNotFound as error:
        echo(f"subusers: {error}", err=True)
        return FAILED
    except ServiceError as error:
        _report(error, error.__cause__)
        return FAILED
    except StoreWentBack as error:
        echo(f"subusers: the store has gone back or was replaced; its epoch is now {error.epoch}", err=True)
        return FAILED
    except psycopg.OperationalError as error:  # from a command's separate connection
        _report(StoreUnavailable(), error)
        return FAILED
    return 0


def _report(error: ServiceError, cause: BaseException | None) -> None:
    lines = str(cause or "").strip().splitlines()
    echo(f"subusers: {error} {lines[0] if lines else ''}".rstrip(), err=True)
