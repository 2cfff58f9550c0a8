"""Schemas of the health checks."""

from __future__ import annotations

from marshmallow import fields

from api.http.response_bodies import ResponseBody


class HealthAnswer(ResponseBody):
    """State of the service."""

    status = fields.String(required=True)
    warnings = fields.List(
        fields.String(),
        metadata={"description": "Conditions that need an operator's attention. The service still serves requests."},
    )
