"""Data classes of second factors."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from subusers_client.models import NewSession


@dataclass(frozen=True, kw_only=True)
class TotpSecret:
    """A secret for an authenticator app. Show `qr_code`, an SVG document, and `secret` for typing."""

    challenge_id: UUID
    secret: str = field(repr=False)
    uri: str = field(repr=False)
    qr_code: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class PasskeyChallenge:
    """A challenge for a passkey. `options` are for `navigator.credentials` in the browser."""

    challenge_id: UUID
    options: dict[str, Any]
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class SecondFactor:
    """A second factor: `kind` is `totp` or `passkey`. A passkey that `signs_in_alone` also replaces the password."""

    factor_id: UUID
    kind: str
    name: str = field(repr=False)
    signs_in_alone: bool
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class SecondFactorList:
    """The second factors of a sub-user, and the number of unused recovery codes."""

    items: tuple[SecondFactor, ...]
    recovery_codes: int


@dataclass(frozen=True, kw_only=True)
class AddedSecondFactor:
    """A new second factor, the session that replaces the former one, and recovery codes with the first factor."""

    factor: SecondFactor
    session: NewSession
    recovery_codes: tuple[str, ...] | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class RecoveryCodes:
    """New recovery codes, good once each."""

    recovery_codes: tuple[str, ...] = field(repr=False)
