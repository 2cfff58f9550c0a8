"""The command line."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import psycopg
import typer
from typer.core import TyperCommand, TyperGroup

from api import logs
from api.bootstrap import EmbeddedPostgresError, MigrationError
from api.config import ConfigError
from application.errors import ServiceError, StoreUnavailable
from domain.refusals import AccountNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG_SETTING = 2
FAILED = 1

LOADED_FROM = {
    "serve": "running",
    "api": "running",
    "work": "running",
    "migrate": "running",
    "status": "views",
    "rebuild": "views",
    "tail": "tail",
    "replay": "replay",
    "export": "export",
    "verify": "verify",
    "erase-account": "erasing",
    "erasures": "erasing",
    "erase": "erasing",
    "rotate-master-key": "master_keys",
    "api-key": "api_key",
    "signing-key": "signing_key",
}
"""Each command, and the module that has it under its own name: a function, or a `Typer` of several."""


class Commands(TyperGroup):
    """The commands, each loaded once it is asked for: what some need takes longer to load than others take to run."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands.update({name: TyperCommand(name) for name in LOADED_FROM})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # as the library calls it
        """Return a command by its name, if there is such a one."""
        if cmd_name not in LOADED_FROM:
            return None
        command = getattr(import_module(f"api.cli.{LOADED_FROM[cmd_name]}"), cmd_name.replace("-", "_"))
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
    """Sub-users of main accounts: who may in, and what they did."""


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
