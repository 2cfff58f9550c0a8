"""Commands about the key that signs checkpoints."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from api import bootstrap, config, signing_keys
from api.cli.ready import ready_service
from api.config import ConfigError
from api.signing_keys import SigningKeys, new_private_key
from projections.checkpointer import HistoryRewritten, KeyNotHeld

if TYPE_CHECKING:
    from api.bootstrap import Service
    from application.signed_notes import VerifierKey

signing_key = typer.Typer(
    help="The key that signs checkpoints: what auditors verify with, and a new one.", no_args_is_help=True
)

NOT_HELD = "SUBUSERS_SIGNING_KEY does not hold the key that signs now: keep it in the list, behind the new one"
SIGNS_ALREADY = "SUBUSERS_SIGNING_KEY begins with the key that signs already: put a new one before it"


@signing_key.command()
def show(
    *, every: Annotated[bool, typer.Option("--all", help="Former keys too, the current one last.")] = False
) -> None:
    """Print the public key by which auditors verify checkpoints."""
    with ready_service() as service:
        try:
            current = service.checkpointer.verifier_key()
        except KeyNotHeld:  # nothing has signed yet, and there is nothing to do it with
            config.require_signing_key(service.settings)
            raise
        keys = service.checkpoints.signing_keys() if every else []
    for one in keys:
        typer.echo(f"{one.verifier_key}  since {one.since:%Y-%m-%d %H:%M:%S}, after {one.tree_size} events")
    if not every:
        typer.echo(str(current))


@signing_key.command()
def generate() -> None:
    """Print a new private key, to be put first into SUBUSERS_SIGNING_KEY."""
    typer.echo(base64.b64encode(new_private_key()).decode())


@signing_key.command()
def rotate(
    *,
    lost: Annotated[bool, typer.Option("--former-is-lost", help="Go on without the former key's signature.")] = False,
) -> None:
    """Have the new key sign from now on, after a checkpoint that the former and the new one sign both."""
    with ready_service() as service:
        config.require_signing_key(service.settings)
        try:
            former = service.checkpointer.verifier_key()
            if service.settings.signing_keys.private:
                _require_another(service, former)
            else:
                prepare_file(service, former)
            former, current = service.checkpointer.hand_over(without_former=lost)
        except KeyNotHeld:
            raise ConfigError(NOT_HELD) from None
        except HistoryRewritten as error:
            typer.echo(f"subusers: nothing is signed: {error}; `subusers verify` tells more", err=True)
            raise typer.Exit(1) from None
        if not service.settings.signing_keys.private:
            retire_in_file(service, former)
    typer.echo(f"former  {former}\ncurrent {current}")


def _require_another(service: Service, former: VerifierKey) -> None:
    if bootstrap.public_keys(service.settings)[0] == former.public_key:
        raise ConfigError(SIGNS_ALREADY)


def prepare_file(service: Service, former: VerifierKey) -> None:
    """Put a new key first, unless a rotation that did not come to its end has done so."""
    held = bootstrap.held_signing_keys(service.settings)
    if bootstrap.public_keys(service.settings)[0] == former.public_key:
        added = replace(held, private=(new_private_key(), *held.private))
        signing_keys.replace(service.settings.signing_key_file, added)


def retire_in_file(service: Service, former: VerifierKey) -> None:
    """Keep of the former keys what verifies, and no more what signs."""
    held = bootstrap.held_signing_keys(service.settings)
    retired = SigningKeys(held.private[:1], tuple(dict.fromkeys([former, *held.public])))
    signing_keys.replace(service.settings.signing_key_file, retired)
