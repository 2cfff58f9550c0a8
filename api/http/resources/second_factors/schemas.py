"""Schemas of second factors."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from api.http.fields.numbers import Id
from api.http.fields.texts import Password, Text
from api.http.fields.times import Time
from api.http.resources.sessions.schemas import OpenedSessionAnswer
from api.http.response_bodies import ResponseBody
from api.http.schemas import MAX_NAME_LENGTH, Request
from domain.second_factor import SecondFactorKind

MAX_CODE_LENGTH = 100


class Code(Password):
    """A code to verify: any text, since a wrong one is not a malformed one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators = [validate.Length(1, MAX_CODE_LENGTH)]


class PasskeyResponse(fields.Dict):
    """The response of a passkey, as `PublicKeyCredential.toJSON()` returns it in a browser."""

    def __init__(self, **kwargs: Any) -> None:
        description = "`PublicKeyCredential.toJSON()` of the credential that the browser returns."
        super().__init__(keys=fields.String(), metadata={"description": description}, **kwargs)


class SecondFactorProof(Request):
    """A code of an authenticator app, a recovery code, or the response of a passkey to a challenge."""

    code = Code()
    recovery_code = Code()
    passkey = PasskeyResponse()
    challenge_id = Id(metadata={"description": "The challenge that the passkey answers."})

    @validates_schema
    def require_one_proof(self, data: Any, **_: Any) -> None:
        """Refuse several proofs, none, or a passkey without its challenge."""
        _require_one_of(data, "code", "recovery_code", "passkey")
        _require_challenge_of_passkey(data)


class PasskeyLogin(Request):
    """The response of a passkey to a challenge."""

    challenge_id = Id(required=True)
    passkey = PasskeyResponse(required=True)


class SecondFactorName(Request):
    """The name of a second factor."""

    name = Text(
        max_length=MAX_NAME_LENGTH, required=True, metadata={"description": "A name by which the person knows it."}
    )


class NewSecondFactor(SecondFactorName):
    """What confirms a new second factor: a code of the authenticator app, or the response of the new passkey."""

    challenge_id = Id(required=True)
    code = Code()
    passkey = PasskeyResponse()

    @validates_schema
    def require_one_proof(self, data: Any, **_: Any) -> None:
        """Refuse two confirmations, or none."""
        _require_one_of(data, "code", "passkey")


class PasskeyChallengeAnswer(ResponseBody):
    """A challenge for a passkey, good once for ten minutes."""

    challenge_id = fields.UUID(required=True)
    options = fields.Dict(
        keys=fields.String(),
        required=True,
        metadata={
            "description": "For `PublicKeyCredential.parseCreationOptionsFromJSON()` or "
            "`parseRequestOptionsFromJSON()` in the browser."
        },
    )
    expires_at = Time(required=True)


class TotpOfferAnswer(ResponseBody):
    """A secret for an authenticator app. It counts once a code confirms it, within ten minutes."""

    challenge_id = fields.UUID(required=True)
    secret = fields.String(required=True, metadata={"description": "For typing, in Base32."})
    uri = fields.String(required=True, metadata={"description": "For authenticator apps: an `otpauth` URI."})
    qr_code = fields.String(required=True, metadata={"description": "The URI as a QR code: an SVG document."})
    expires_at = Time(required=True)


class SecondFactorAnswer(ResponseBody):
    """A second factor. A passkey that `signs_in_alone` can also replace the password."""

    factor_id = fields.UUID(required=True)
    kind = fields.Enum(SecondFactorKind, by_value=True, required=True)
    name = fields.String(required=True)
    signs_in_alone = fields.Boolean(required=True)
    created_at = Time(required=True)
    last_used_at = Time(required=True, allow_none=True)


class AddedSecondFactorAnswer(ResponseBody):
    """A new second factor, and the session that replaces the one of the request."""

    factor = fields.Nested(SecondFactorAnswer, required=True)
    session = fields.Nested(OpenedSessionAnswer, required=True)
    recovery_codes = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "With the first factor, ten codes that are good once each. They are not shown again."},
    )


class SecondFactorListAnswer(ResponseBody):
    """A person's second factors, and the number of unused recovery codes."""

    items = fields.List(fields.Nested(SecondFactorAnswer), required=True)
    recovery_codes = fields.Integer(required=True)


class RecoveryCodesAnswer(ResponseBody):
    """New recovery codes, good once each. They are not shown again."""

    recovery_codes = fields.List(fields.String(), required=True)


def _require_one_of(data: Any, *names: str) -> None:
    if sum(name in data for name in names) != 1:
        msg = f"send exactly one of {', '.join(names)}"
        raise ValidationError(msg, names[0])


def _require_challenge_of_passkey(data: Any) -> None:
    if ("challenge_id" in data) != ("passkey" in data):
        msg = "is required with passkey, and only then"
        raise ValidationError(msg, "challenge_id")
