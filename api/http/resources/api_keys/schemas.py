"""Schemas of API keys."""

from __future__ import annotations

from marshmallow import fields, validate

from api.http.fields.times import Time
from api.http.response_bodies import ResponseBody
from application.commands.api_keys import Scope


class ApiKeyAnswer(ResponseBody):
    """An API key, without its secret."""

    api_key_id = fields.UUID(required=True)
    name = fields.String(required=True)
    scope = fields.String(required=True, validate=validate.OneOf(list(Scope)))
    expires_at = Time(required=True, allow_none=True)
    allowed_addresses = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "Networks from which the key may be used, in CIDR notation. Null: from anywhere."},
    )
    accounts = fields.List(
        fields.UUID(),
        required=True,
        allow_none=True,
        metadata={"description": "Accounts for which the key may be used. Null: for all."},
    )
