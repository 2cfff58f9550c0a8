"""Commands for API keys: create, list, limit and revoke."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator  # noqa: TC003  # typer reads the annotations
from contextlib import contextmanager
from datetime import datetime  # as above
from typing import Annotated
from uuid import UUID  # as above

import typer
from rich.table import Column, Table

from api.cli.output import echo, print_table
from api.cli.startup import open_service
from api.cli.timestamps import parse_time
from application.command_context import CommandContext
from application.commands.api_keys import Limits, Network, Scope
from application.commands.audit_access import OPERATOR
from application.errors import InvalidValue
from domain.event_metadata import ActorType

OPTION_BY_FIELD = {"expires": "--expires", "account": "--account", "hand_webhooks_to": "--hand-webhooks-to"}
"""Command-line option of each field that `InvalidValue` can name."""

api_key = typer.Typer(help="Create, list, limit and revoke API keys.", no_args_is_help=True)

Expires = Annotated[
    datetime | None,
    typer.Option("--expires", parser=parse_time, metavar="TIME", help="Valid until then, such as 2027-05-01."),
]
Allow = Annotated[
    list[str] | None, typer.Option("--allow", metavar="NETWORK", help="Valid from this network; repeat for more.")
]
Account = Annotated[
    list[UUID] | None, typer.Option("--account", help="Valid for this account, by id; repeat for more.")
]
Id = Annotated[UUID, typer.Argument(help="The key's id, from `api-key list`.")]


@api_key.command()
def create(
    scope: Annotated[Scope, typer.Option(help="Permissions of the key.")],
    name: Annotated[str, typer.Option(help="Name of its holder, for people.")],
    expires: Expires = None,
    allow: Allow = None,
    account: Account = None,
) -> None:
    """Create a key and print it. It is never shown again."""
    limits = _limits(expires, allow, account)
    with _invalid_values_by_option(), open_service() as service:
        echo(service.commands.api_keys.create(scope, name, _operator(), limits))


@api_key.command(name="list")
def list_keys() -> None:
    """List all keys, including revoked ones, without their secrets."""
    with open_service() as service:
        keys = service.commands.api_keys.list()
    table = Table(
        *(Column("id", min_width=36), "scope", "created", "last used", "expires", "revoked"),
        *(Column("from", overflow="fold"), Column("accounts", overflow="fold"), Column("name", overflow="fold")),
        box=None,
    )
    for key in keys:
        limits = key.limits.as_fields()
        last_used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else ""
        created, expires, revoked = map(_day, (key.created_at, key.limits.expires_at, key.revoked_at))
        networks, accounts = limits["allowed_addresses"] or "", limits["accounts"] or ""
        table.add_row(
            str(key.api_key_id), key.scope, created, last_used, expires, revoked, networks, accounts, key.name
        )
    print_table(table)


@api_key.command()
def limit(api_key_id: Id, expires: Expires = None, allow: Allow = None, account: Account = None) -> None:
    """Replace all limits of a key. Omitted limits are removed."""
    limits = _limits(expires, allow, account)
    with _invalid_values_by_option(), open_service() as service:
        key = service.commands.api_keys.change_limits(api_key_id, limits, _operator())
    echo("changed" if key else "no such key, or it was revoked", err=key is None)
    raise typer.Exit(0 if key else 1)


@api_key.command()
def revoke(
    api_key_id: Id,
    hand_webhooks_to: Annotated[
        UUID | None, typer.Option(help="Assign its webhooks to this key, by id; default: disable them.")
    ] = None,
) -> None:
    """Revoke a key at once, for new requests and open streams."""
    with _invalid_values_by_option(), open_service() as service:
        revocation = service.commands.api_keys.revoke(api_key_id, _operator(), hand_webhooks_to=hand_webhooks_to)
    if revocation is None:
        echo("no such key, or it was revoked before", err=True)
        raise typer.Exit(1)
    echo("revoked; its open streams and downloads end within seconds")
    echo(f"webhooks disabled: {revocation.webhooks_disabled}, handed over: {revocation.webhooks_handed_over}")
    if revocation.active_webhooks_without_key:
        echo(
            f"webhooks without a key continue: {revocation.active_webhooks_without_key}, created before webhooks "
            "belonged to keys; adopt or delete them with a key of this scope"
        )


def _day(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d}" if time else ""


def _limits(expires: datetime | None, allow: list[str] | None, account: list[UUID] | None) -> Limits:
    return Limits(
        expires_at=expires,
        allowed_addresses=tuple(_network(text) for text in allow) if allow else None,
        accounts=frozenset(account) if account else None,
    )


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--allow") from None


@contextmanager
def _invalid_values_by_option() -> Iterator[None]:
    """Report a refused value under the command-line option that set it."""
    try:
        yield
    except InvalidValue as error:
        raise typer.BadParameter(error.reason, param_hint=OPTION_BY_FIELD.get(error.field)) from None


def _operator() -> CommandContext:
    return CommandContext(ActorType.SYSTEM, OPERATOR)
