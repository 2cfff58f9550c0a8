"""What a first start with an embedded Postgres comes with: an account to try things on, and keys to try them with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from application.api_keys import Scope
from application.origin import Origin
from domain.cause import ActorType

if TYPE_CHECKING:
    from uuid import UUID

    from api.bootstrap import Service

EMAIL = "owner@example.com"
COMPANY = "Example Voices"


@dataclass(frozen=True)
class Demo:
    """What was made. None of it can be shown again."""

    account_id: UUID
    email: str
    password: str = field(repr=False)
    keys: dict[Scope, str] = field(repr=False)


def create_demo(service: Service) -> Demo | None:
    """Make the demo account and a key of each scope, unless there are keys already."""
    if service.api_keys.list():
        return None
    password = "-".join(secrets.token_hex(3) for _ in range(4))
    origin = Origin(ActorType.SYSTEM, "demo")
    account = service.accounts.register(origin, email=EMAIL, company_name=COMPANY, password=password).value
    keys = {scope: service.api_keys.create(scope, f"demo {scope}", service.clock()) for scope in Scope}
    return Demo(account.account_id, EMAIL, password, keys)
