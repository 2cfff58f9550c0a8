"""Commands for API keys: create, list, limit and revoke."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator  # noqa: TC003  # typer reads the annotations
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime  # as above
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID  # as above

import typer

from api.cli.options import AsJson, JsonLines, parse_id_option
from api.cli.output import cell, echo, print_json, print_records, report
from api.cli.startup import open_service
from api.cli.timestamps import parse_time
from application.command_context import CommandContext
from application.commands.api_keys import Limits, Network, Scope
from application.commands.audit_access import OPERATOR
from application.errors import InvalidValue
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from application.commands.api_keys import ApiKey

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
    list[UUID] | None,
    typer.Option(
        "--account", parser=parse_id_option, metavar="ID", help="Valid for this account, by id; repeat for more."
    ),
]
Id = Annotated[UUID, typer.Argument(parser=parse_id_option, help="The key's id, from `api-key list`.")]


@api_key.command()
def create(  # noqa: PLR0913  # one parameter per option
    scope: Annotated[Scope, typer.Option(help="Permissions of the key.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of its holder, for people.")],
    expires: Expires = None,
    allow: Allow = None,
    account: Account = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it. It is never shown again."""
    limits = _limits(expires, allow, account)
    with _invalid_values_by_option(), open_service() as service:
        key = service.commands.api_keys.create(scope, name, _operator(), limits)
    if as_json:
        print_json({"key": key, "scope": scope, "name": name, **limits.as_columns()})
    else:
        echo(key)


@api_key.command(name="list")
def list_keys(*, as_json: JsonLines = False) -> None:
    """List all keys, including revoked ones, without their secrets."""
    with open_service() as service:
        keys = service.commands.api_keys.list()
    if as_json:
        for key in keys:
            print_json(_as_json(key))
    else:
        _print_keys(keys)


def _as_json(key: ApiKey) -> dict[str, Any]:
    return {
        "api_key_id": key.api_key_id,
        "scope": key.scope,
        "name": key.name,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
        **key.limits.as_columns(),
    }


def _print_keys(keys: Iterable[ApiKey]) -> None:
    rows = []
    for key in keys:
        limits = key.limits.as_fields()
        last_used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else ""
        created, expires, revoked = map(_day, (key.created_at, key.limits.expires_at, key.revoked_at))
        networks, accounts = limits["allowed_addresses"] or "", limits["accounts"] or ""
        rows.append(
            (str(key.api_key_id), key.scope, created, last_used, expires, revoked, networks, accounts, key.name)
        )
    print_records(
        ("id", "scope", "created", "last used", "expires", "revoked", "from", "accounts", "name"),
        [[cell(text) for text in row] for row in rows],
    )


@api_key.command()
def limit(
    api_key_id: Id,
    expires: Expires = None,
    allow: Allow = None,
    account: Account = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Replace all limits of a key. Omitted limits are removed."""
    limits = _limits(expires, allow, account)
    with _invalid_values_by_option(), open_service() as service:
        key = service.commands.api_keys.change_limits(api_key_id, limits, _operator())
    if key is None:
        report("no such key, or it was revoked")
        raise typer.Exit(1)
    if as_json:
        print_json({"api_key_id": api_key_id, **limits.as_columns()})
    else:
        echo("changed")


@api_key.command()
def revoke(
    api_key_id: Id,
    hand_webhooks_to: Annotated[
        UUID | None,
        typer.Option(
            parser=parse_id_option, metavar="ID", help="Assign its webhooks to this key, by id; default: disable them."
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Revoke a key at once, for new requests and open streams."""
    with _invalid_values_by_option(), open_service() as service:
        revocation = service.commands.api_keys.revoke(api_key_id, _operator(), hand_webhooks_to=hand_webhooks_to)
    if revocation is None:
        report("no such key, or it was revoked before")
        raise typer.Exit(1)
    if as_json:
        print_json({"api_key_id": api_key_id, **asdict(revocation)})
        return
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
    except ValueError:
        message = f"{text!r} is neither an IP address nor a network such as 10.20.0.0/16"
        raise typer.BadParameter(message, param_hint="--allow") from None


@contextmanager
def _invalid_values_by_option() -> Iterator[None]:
    """Report a refused value under the command-line option that set it."""
    try:
        yield
    except InvalidValue as error:
        raise typer.BadParameter(error.reason, param_hint=OPTION_BY_FIELD.get(error.field)) from None


def _operator() -> CommandContext:
    return CommandContext(ActorType.SYSTEM, OPERATOR)
