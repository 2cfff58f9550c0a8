"""Writes of second factors, recovery codes and challenges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.event_metadata import Ciphertext
    from domain.second_factor import SecondFactorKind


@dataclass(frozen=True)
class AddSecondFactor(TransactionalWrite):
    """Store a second factor. The fields after `encrypted_name` are those of a TOTP, then those of a passkey."""

    factor_id: UUID
    account_id: UUID
    person_id: UUID
    kind: SecondFactorKind
    created_at: datetime
    encrypted_name: Ciphertext = field(repr=False)
    encrypted_secret: Ciphertext | None = field(default=None, repr=False)
    last_step: int | None = None
    credential_id: bytes | None = None
    public_key: bytes | None = field(default=None, repr=False)
    sign_count: int | None = None
    transports: list[str] = field(default_factory=list)
    is_verifying: bool = False


@dataclass(frozen=True)
class RecordSecondFactorUse(TransactionalWrite):
    """Record the use of a second factor: the time step of a TOTP, or the sign count of a passkey."""

    factor_id: UUID
    at: datetime
    last_step: int | None = None
    sign_count: int | None = None


@dataclass(frozen=True)
class RemoveSecondFactor(TransactionalWrite):
    """Delete a second factor."""

    factor_id: UUID


@dataclass(frozen=True)
class RemoveSecondFactorsOfPerson(TransactionalWrite):
    """Delete all second factors, recovery codes and challenges of a person."""

    person_id: UUID


@dataclass(frozen=True)
class ReplaceRecoveryCodes(TransactionalWrite):
    """Replace the recovery codes of a person. Only keyed hashes are stored."""

    person_id: UUID
    hashes: list[bytes] = field(repr=False)


@dataclass(frozen=True)
class DeleteRecoveryCode(TransactionalWrite):
    """Delete a used recovery code."""

    person_id: UUID
    code_hash: bytes = field(repr=False)


@dataclass(frozen=True)
class DeleteChallenge(TransactionalWrite):
    """Delete a used challenge."""

    challenge_id: UUID


@dataclass(frozen=True)
class RequireSecondFactor(TransactionalWrite):
    """Restrict the sessions of an account that have not proved a second factor, or no longer restrict them."""

    account_id: UUID
    is_required: bool
