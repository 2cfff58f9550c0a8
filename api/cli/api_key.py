"""API keys: made, listed and revoked by whoever runs the service."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID  # noqa: TC003  # typer reads the annotations

import typer
from rich.table import Column, Table

from api.cli.ready import ready_service
from api.cli.tables import show
from application.api_keys import Scope  # noqa: TC001  # as above

api_key = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@api_key.command()
def create(
    scope: Annotated[Scope, typer.Option(help="What the key is for.")],
    name: Annotated[str, typer.Option(help="Who has it, for people to recognize it by.")],
) -> None:
    """Make a key and print it. It is never shown again."""
    with ready_service() as service:
        typer.echo(service.api_keys.create(scope, name, service.clock()))


@api_key.command(name="list")
def list_keys() -> None:
    """List every key there ever was, without its secret."""
    with ready_service() as service:
        keys = service.api_keys.list()
    table = Table(Column("id", min_width=36), "scope", "created", "revoked", Column("name", overflow="fold"), box=None)
    for key in keys:
        created, revoked = (f"{time:%Y-%m-%d}" if time else "" for time in (key.created_at, key.revoked_at))
        table.add_row(str(key.api_key_id), key.scope, created, revoked, key.name)
    show(table)


@api_key.command()
def revoke(api_key_id: Annotated[UUID, typer.Argument(help="The key's id, from `api-key list`.")]) -> None:
    """Have a key open nothing any more, from now on."""
    with ready_service() as service:
        revoked = service.api_keys.revoke(api_key_id, service.clock())
    typer.echo("revoked" if revoked else "there is no such key, or it was revoked before", err=not revoked)
    raise typer.Exit(0 if revoked else 1)
