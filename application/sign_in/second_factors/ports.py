"""Ports: stored second factors, and the verification of codes and passkeys."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.event_metadata import Ciphertext
    from domain.second_factor import SecondFactorKind


class ChallengePurpose(StrEnum):
    """What a challenge is good for."""

    ADD_TOTP = "add_totp"
    ADD_PASSKEY = "add_passkey"
    VERIFY_PASSKEY = "verify_passkey"
    SIGN_IN = "sign_in"


@dataclass(frozen=True)
class Challenge:
    """A challenge, good once: random bytes that a passkey signs. Those to sign in are nobody's.

    `secret` is the encrypted secret of a TOTP that is being added.
    """

    challenge_id: UUID
    purpose: ChallengePurpose
    person_id: UUID | None
    expires_at: datetime
    challenge: bytes = field(repr=False)
    secret: Ciphertext | None = field(default=None, repr=False)


@dataclass(frozen=True)
class PublicKeyCredential:
    """The public part of a passkey, as the service stores it. `is_verifying` means that it verified the user."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    transports: list[str]
    is_verifying: bool


@dataclass(frozen=True)
class StoredFactor:
    """A second factor of a person. A TOTP has a `secret` and the last time step used, a passkey a `credential`."""

    factor_id: UUID
    account_id: UUID
    person_id: UUID
    kind: SecondFactorKind
    name: Ciphertext = field(repr=False)
    secret: Ciphertext | None = field(repr=False)
    last_step: int | None
    credential: PublicKeyCredential | None
    created_at: datetime
    last_used_at: datetime | None


class SecondFactors(Protocol):
    """Second factors, recovery codes and challenges. Transactional writes change them."""

    def of_person(self, person_id: UUID) -> Sequence[StoredFactor]:
        """Return the second factors of a person, oldest first."""

    def find_passkey(self, credential_id: bytes) -> StoredFactor | None:
        """Return the passkey with this credential id."""

    def recovery_code_hashes(self, person_id: UUID) -> Sequence[bytes]:
        """Return the hashes of a person's unused recovery codes."""

    def add_challenge(self, challenge: Challenge) -> None:
        """Store a challenge."""

    def find_challenge(self, challenge_id: UUID, now: datetime) -> Challenge | None:
        """Return a challenge, unless it has been used or has expired."""


class TotpCodes(Protocol):
    """Time-based one-time passwords (RFC 6238)."""

    def new_secret(self) -> str:
        """Return a random secret in Base32."""

    def uri(self, secret: str, label: str) -> str:
        """Return the `otpauth` URI of a secret, which authenticator apps read from a QR code."""

    def find_step(self, secret: str, code: str, now: datetime) -> int | None:
        """Return the time step of a code: the current one or one of its neighbours. None for a wrong code."""


class InvalidPasskey(Exception):
    """The response of a passkey is malformed or does not match. The message gives the reason."""


class Passkeys(Protocol):
    """Passkeys (WebAuthn) of the service's own host."""

    def new_challenge(self) -> bytes:
        """Return random bytes for a passkey to sign."""

    def creation_options(
        self, challenge: bytes, person_id: UUID, label: str, existing: Sequence[PublicKeyCredential]
    ) -> dict[str, Any]:
        """Return the argument of `navigator.credentials.create`, as JSON."""

    def request_options(self, challenge: bytes, credentials: Sequence[PublicKeyCredential]) -> dict[str, Any]:
        """Return the argument of `navigator.credentials.get`, as JSON. Without credentials, any passkey can answer."""

    def register(self, response: dict[str, Any], challenge: bytes) -> PublicKeyCredential:
        """Return the credential that a response creates. Raises `InvalidPasskey`."""

    def credential_id(self, response: dict[str, Any]) -> bytes:
        """Return the credential id of a response. Raises `InvalidPasskey`."""

    def verify(
        self, response: dict[str, Any], challenge: bytes, credential: PublicKeyCredential, *, requires_user: bool
    ) -> int:
        """Return the new sign count after a valid response. Raises `InvalidPasskey`.

        If it `requires_user`, the passkey must have verified its user, with a PIN or a fingerprint for example.
        """
