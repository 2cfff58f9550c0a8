"""Routes of API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.http.authentication import api_key
from api.http.resources.api_keys.schemas import ApiKeyAnswer
from api.http.responses import json_response
from api.http.routing import Routes
from application.commands.api_keys import Scope

if TYPE_CHECKING:
    from flask import Response

routes = Routes("api-keys", "API keys")
API_KEY = ApiKeyAnswer()


@routes.route("GET", "/v1/api-keys/current", *Scope, response=(200, ApiKeyAnswer))
def get_current_api_key() -> Response:
    """Get the API key of this request, to test that it works and what it may do."""
    key = api_key()
    networks, accounts = key.limits.allowed_addresses, key.limits.accounts
    return json_response(
        API_KEY.to_json(
            {
                "api_key_id": key.api_key_id,
                "name": key.name,
                "scope": key.scope,
                "expires_at": key.limits.expires_at,
                "allowed_addresses": sorted(map(str, networks)) if networks is not None else None,
                "accounts": sorted(accounts) if accounts is not None else None,
            }
        )
    )
