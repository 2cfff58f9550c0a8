"""Schemas of changes of the account's e-mail."""

from __future__ import annotations

from marshmallow import fields, validate

from api.http.resources.password_resets.schemas import MAX_LINK_TOKEN_LENGTH
from api.http.schemas import Request


class LinkToken(Request):
    """The token of a mailed link."""

    token = fields.String(
        required=True,
        validate=validate.Length(1, MAX_LINK_TOKEN_LENGTH),
        metadata={"description": "The last part of the link's URL."},
    )
