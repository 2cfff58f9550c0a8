"""The commands of `subusers`: runs one of them, and reports its errors."""

from __future__ import annotations

import traceback
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from api.bootstrap import config
from api.bootstrap.config import ConfigError
from api.bootstrap.embedded_database import EmbeddedPostgresError
from api.bootstrap.maintenance import MigrationError
from api.cli import INTERNAL_ERROR
from api.cli.output import echo, report
from api.cli.usage_errors import usage_message
from api.runtime import logs
from application.errors import ServiceError, StoreUnavailable, StoreWentBack
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer import Context

FAILED, CANNOT_START = 1, 2
"""Exit codes: an error during the command; wrong options or settings, or a database that cannot be used."""

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
    "evidence": "evidence",
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

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name; None if there is none."""
        if cmd_name not in MODULE_BY_COMMAND:
            return None
        command = getattr(import_module(f"api.cli.commands.{MODULE_BY_COMMAND[cmd_name]}"), cmd_name.replace("-", "_"))
        wrapper = typer.Typer()
        if isinstance(command, typer.Typer):
            wrapper.add_typer(command, name=cmd_name)
        else:
            wrapper.command(cmd_name)(command)
        built = typer.main.get_group(wrapper).commands[cmd_name]
        _hide_types_of_flags(built, ctx)
        return built

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of the group."""
        _hide_types_of_flags(self, ctx)
        super().format_help(ctx, formatter)


def _hide_types_of_flags(command: Any, ctx: Any) -> None:
    """Keep typer from showing the type `<bool>` next to each flag in the help, also of subcommands."""
    for parameter in [*command.params, command.get_help_option(ctx)]:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    for subcommand in getattr(command, "commands", {}).values():
        if subcommand.name not in MODULE_BY_COMMAND:  # those are built when they are needed
            _hide_types_of_flags(subcommand, ctx)


app = typer.Typer(cls=LazyCommands, name="subusers", no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(is_requested: bool) -> None:  # noqa: FBT001  # called by typer
    if is_requested:
        echo(f"subusers {version('subusers')}")
        raise typer.Exit


@app.callback()
def _subusers(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run and administer the subusers service."""


def run() -> int:
    """Run the command in `sys.argv`, and return its exit code."""
    return exit_code_of(_run_command)


def _run_command() -> object:
    logs.configure_for_command()
    if config.colors_are_disabled():
        import typer.rich_utils  # noqa: PLC0415  # takes longer than some commands

        typer.rich_utils.COLOR_SYSTEM = None  # typer removes colors, but not bold and dim
    return app(prog_name="subusers", standalone_mode=False)


def exit_code_of(command: Callable[[], object]) -> int:
    """Run a command, report an error in one line, and return the exit code."""
    try:
        result = command()
    except TyperException as error:
        return _report_usage_error(error)
    except Exception as error:  # noqa: BLE001  # Python would exit with 1, which means "tampered" from `verify`
        message, code = _describe(error)
        report(message)
        return code
    return result if isinstance(result, int) else 0


def _describe(error: Exception) -> tuple[str, int]:
    """Return the message and the exit code of an error. For a fault of the program, first print the traceback."""
    match error:
        case typer.Abort():  # a question was answered with no
            message, code = "nothing was done", FAILED
        case ConfigError() | EmbeddedPostgresError() | MigrationError():
            message, code = str(error), CANNOT_START
        case Refusal():
            message, code = str(error), FAILED
        case ServiceError():
            message, code = _with_cause(error, error.__cause__), FAILED
        case psycopg.OperationalError():  # from a command's separate connection
            message, code = _with_cause(StoreUnavailable(), error), FAILED
        case StoreWentBack():
            where = "`Recover from lost history` in docs/operating.md"
            message = (
                f"the store went back or was replaced (its epoch is now {error.epoch}): see {where}, then repeat this"
            )
            code = FAILED
        case _:
            echo("".join(traceback.format_exception(error)), err=True, nl=False)
            message = f"internal error ({type(error).__name__}): report it with the lines above"
            code = INTERNAL_ERROR
    return message, code


def _report_usage_error(error: TyperException) -> int:
    """Report a wrong option or argument, and name the command whose help describes it. Return the exit code."""
    message = usage_message(error)
    context: Context | None = getattr(error, "ctx", None)
    if message:  # otherwise typer has printed the help
        report(f"{message} (see `{context.command_path if context is not None else 'subusers'} --help`)")
    return error.exit_code


def _with_cause(error: ServiceError, cause: BaseException | None) -> str:
    """Return an error's message with the first line of its cause."""
    lines = str(cause or "").strip().splitlines()
    return f"{error} {lines[0] if lines else ''}".rstrip()
