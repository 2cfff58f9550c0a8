"""Commands for the key that signs checkpoints: show, generate and rotate."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from api.bootstrap import checkpoint_keys, config, signing_keys
from api.bootstrap.config import ConfigError
from api.bootstrap.signing_keys import SigningKeys, new_private_key
from api.cli.options import AsJson, JsonLines
from api.cli.output import echo, print_json, report
from api.cli.startup import open_service
from application.display_text import quantity
from projections.transparency.checkpointer import HistoryRewritten, KeyNotHeld, KeyRetired

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from application.transparency.signed_note import VerifierKey

signing_key = typer.Typer(help="Show, generate and rotate the key that signs checkpoints.", no_args_is_help=True)

NOT_HELD = "SUBUSERS_SIGNING_KEY does not hold the key that signs now: keep it in the list, after the new one"
ALREADY_CURRENT = "SUBUSERS_SIGNING_KEY begins with the key that signs now: put a new one before it"
RETIRED = "SUBUSERS_SIGNING_KEY begins with a key that was replaced by another: put a new one before it"


@signing_key.command()
def show(
    *,
    every: Annotated[bool, typer.Option("--all", help="Include former keys; the current one is last.")] = False,
    as_json: JsonLines = False,
) -> None:
    """Print the public key with which auditors verify checkpoints."""
    with open_service() as service:
        try:
            current = service.workers.checkpointer.verifier_key()
        except KeyNotHeld:  # no checkpoint exists, and no key is configured
            config.require_signing_key(service.settings)
            raise
        keys = service.queries.checkpoints.signing_keys() if every else []
    for key in keys:
        if as_json:
            print_json({"public_key": str(key.verifier_key), "since": key.since, "tree_size": key.tree_size})
        else:
            events = quantity(key.tree_size, "event")
            echo(f"{key.verifier_key}  since {key.since:%Y-%m-%d %H:%M:%S}, after {events}")
    if not every:
        if as_json:
            print_json({"public_key": str(current)})
        else:
            echo(str(current))


@signing_key.command()
def generate(*, as_json: AsJson = False) -> None:
    """Print a new private key. Put it first in SUBUSERS_SIGNING_KEY."""
    key = base64.b64encode(new_private_key()).decode()
    if as_json:
        print_json({"private_key": key})
    else:
        echo(key)


@signing_key.command()
def rotate(
    *,
    lost: Annotated[
        bool, typer.Option("--former-is-lost", help="Continue without the former key's signature.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Switch to the new key, with a checkpoint that both the former and the new key sign."""
    with open_service() as service:
        config.require_signing_key(service.settings)
        try:
            former = service.workers.checkpointer.verifier_key()
            if service.settings.signing_keys.private:
                _require_another(service, former)
            else:
                add_new_key(service, former)
            former, current = service.workers.checkpointer.rotate_key(without_former=lost)
        except KeyNotHeld:
            raise ConfigError(NOT_HELD) from None
        except KeyRetired:
            raise ConfigError(RETIRED) from None
        except HistoryRewritten as error:
            report(f"nothing is signed: {error}; run `subusers verify` for details")
            raise typer.Exit(1) from None
        if not service.settings.signing_keys.private:
            retire_former_keys(service, former)
    if as_json:
        print_json({"former": str(former), "current": str(current)})
    else:
        echo(f"former  {former}\ncurrent {current}")


def _require_another(service: Service, former: VerifierKey) -> None:
    if checkpoint_keys.public_keys(service.settings)[0] == former.public_key:
        raise ConfigError(ALREADY_CURRENT)


def add_new_key(service: Service, former: VerifierKey) -> None:
    """Add a new key at the front of the key file, unless an interrupted rotation has already done so."""
    held = checkpoint_keys.held_signing_keys(service.settings)
    if checkpoint_keys.public_keys(service.settings)[0] == former.public_key:
        added = replace(held, private=(new_private_key(), *held.private))
        signing_keys.replace(service.settings.signing_key_file, added)


def retire_former_keys(service: Service, former: VerifierKey) -> None:
    """Replace the former private keys in the key file by their public halves."""
    held = checkpoint_keys.held_signing_keys(service.settings)
    retired = SigningKeys(held.private[:1], tuple(dict.fromkeys([former, *held.public])))
    signing_keys.replace(service.settings.signing_key_file, retired)
