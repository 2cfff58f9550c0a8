"""Keys of checkpoints: those that sign, and those that an auditor trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.ed25519 import Ed25519Signer
from adapters.ed25519 import verify as verify_signature
from api.bootstrap.config import ConfigError, Settings
from api.bootstrap.signing_keys import SigningKeys, load_or_generate
from projections.transparency.checkpointer import KeyNotHeld

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.bootstrap.service import Service
    from application.transparency.signed_note import VerifierKey


__all__ = ["held_signing_keys", "public_keys", "require_key_of_store", "signers", "trusted_keys", "verify_signature"]


def require_key_of_store(service: Service) -> None:
    """Raise `ConfigError` unless this service can sign the checkpoints of its store."""
    try:
        service.workers.checkpointer.require_key()
    except KeyNotHeld:
        msg = "SUBUSERS_SIGNING_KEY is not the key that signs the checkpoints of this database"
        raise ConfigError(msg) from None


def held_signing_keys(settings: Settings) -> SigningKeys:
    """Return the current signing keys. With embedded PostgreSQL they may change while the service runs."""
    if settings.signing_keys.private or not settings.embedded:
        return settings.signing_keys
    return load_or_generate(settings.signing_key_file)


def public_keys(settings: Settings) -> Sequence[bytes]:
    """Return the public halves of the private keys, in the same order."""
    return [signer.public_key for signer in signers(settings)]


def trusted_keys(settings: Settings) -> Sequence[bytes | VerifierKey]:
    """Return the public keys that the operator configured; none with embedded PostgreSQL before its first signature."""
    if not settings.signing_keys.private and not settings.signing_key_file.exists():
        return ()
    return [*public_keys(settings), *held_signing_keys(settings).public]


def signers(settings: Settings) -> Sequence[Ed25519Signer]:
    """Return the signers of the private keys, the current one first."""
    return [Ed25519Signer(key) for key in held_signing_keys(settings).private]
