"""Builder for API keys in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from adapters.postgres.tables.api_keys import new_secret
from application.command_context import CommandContext
from application.commands.audit_access import OPERATOR
from application.transactional_writes import AddApiKey
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from application.commands.api_keys import Scope

BY_OPERATOR = CommandContext(ActorType.SYSTEM, OPERATOR)


def add_api_key(service: Service, scope: Scope, name: str = "a key") -> str:
    """Insert an API key without events, as releases before API key events did, and return its secret."""
    secret = new_secret(scope)
    limits: dict[str, Any] = dict.fromkeys(("expires_at", "allowed_addresses", "accounts"))
    row = AddApiKey(uuid4(), name, str(scope), secret.key_hash, service.clock(), version=0, **limits)
    service.main_accounts.save(writes=[row])
    return secret.text
