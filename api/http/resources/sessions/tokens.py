"""Session token in the header of a request."""

from __future__ import annotations

from flask import request

from api.http.authentication import api_key, require_account, service
from api.http.problems import unprocessable
from api.http.resources.sessions.schemas import MAX_TOKEN_LENGTH
from application.sign_in.new_session import token_hash


def session_token() -> str:
    """Return the session token. Raises a problem if it is missing, or the API key is not allowed for its account."""
    token = request.headers.get("Session-Token", "")
    if not 0 < len(token) <= MAX_TOKEN_LENGTH:
        raise unprocessable({"Session-Token": ["is missing"]})
    if api_key().limits.accounts is not None:
        session = service().queries.sessions.find(token_hash(token), service().clock())
        require_account(session.account_id if session is not None else None)
    return token
