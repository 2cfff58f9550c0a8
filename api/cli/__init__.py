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
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

CANNOT_START, FAILED = 2, 1
"""Exit codes: wrong settings or a database that cannot be used; an error during the command."""

MODULE_BY_COMMAND = {
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
"""Module of each command in `api.cli.commands`. It defines a function, or a `Typer` with subcommands, of that name."""


class LazyCommands(TyperGroup):
    """Command group that imports a command's module only to run it: some imports take longer than other commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands.update({name: TyperCommand(name) for name in MODULE_BY_COMMAND})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # signature of the library
        """Return a command by its name; None if there is none."""
        if cmd_name not in MODULE_BY_COMMAND:
            return None
        command = getattr(import_module(f"api.cli.commands.{MODULE_BY_COMMAND[cmd_name]}"), cmd_name.replace("-", "_"))
        wrapper = typer.Typer()
        if isinstance(command, typer.Typer):
            wrapper.add_typer(command, name=cmd_name)
        else:
            wrapper.command(cmd_name)(command)
        return typer.main.get_group(wrapper).commands[cmd_name]


app = typer.Typer(
    cls=LazyCommands, name="subusers", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)


@app.callback()
def _subusers() -> None:
    """Run and administer the subusers service."""


def main() -> None:
    """Run the command in `sys.argv`, and exit with its code."""
    logs.configure()
    sys.exit(_exit_code(lambda: app(standalone_mode=True)))


def _exit_code(command: Callable[[], object]) -> int:
    """Run a command, report an error in one line, and return the exit code."""
    try:
        command()
    except (ConfigError, EmbeddedPostgresError, MigrationError) as error:
        echo(f"subusers: {error}", err=True)
        return CANNOT_START
    except Refusal as error:
        echo(f"subusers: {error}", err=True)
        return FAILED
    except ServiceError as error:
        _report(error, error.__cause__)
        return FAILED
    except StoreWentBack as error:
        echo(
            f"subusers: the store went back or was replaced (its epoch is now {error.epoch}): see `Recover from lost "
            "history` in docs/operating.md, then run the command again",
            err=True,
        )
        return FAILED
    except psycopg.OperationalError as error:  # from a command's separate connection
        _report(StoreUnavailable(), error)
        return FAILED
    return 0


def _report(error: ServiceError, cause: BaseException | None) -> None:
    lines = str(cause or "").strip().splitlines()
    echo(f"subusers: {error} {lines[0] if lines else ''}".rstrip(), err=True)
