"""Second factors of people, and the policy of an account on them."""

from __future__ import annotations

from enum import StrEnum

MAX_SECOND_FACTORS = 10
"""Maximum number of second factors of one person."""

RECOVERY_CODES = 10
"""Number of recovery codes that are issued together."""


class SecondFactorKind(StrEnum):
    """Kinds of second factor."""

    TOTP = "totp"
    PASSKEY = "passkey"


class VerificationMethod(StrEnum):
    """What a person proved a second factor with."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"


class SecondFactorPolicy(StrEnum):
    """Who in an account needs a second factor: those who have one, or everybody."""

    OPTIONAL = "optional"
    REQUIRED = "required"
