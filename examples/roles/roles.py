"""Three uses of roles, and what each person may do then: see docs/roles.md.

Try it: `PORTAL_API_KEY=... PYTHONPATH=clients/python/src .venv/bin/python examples/roles/roles.py`
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from subusers_client import Account, Check, Client, NewGrant, Permission, Resource, Role, SubusersError

if TYPE_CHECKING:
    from collections.abc import Callable

NEW_PERMISSIONS = [
    Permission(name="assistants.edit", resource_type="assistant", labels={"en": "Edit an assistant"}),
    Permission(name="clients.configure", resource_type="client", labels={"en": "Configure a client's assistants"}),
]
NAMES = {"a-1": "Reception", "a-2": "Orders", "a-3": "Hotline"}
CLIENTS = {"a-1": "bakery", "a-2": "bakery", "a-3": "garage"}
"""The portal's own data: its assistants, and for which client each of them works."""


class Company:
    """A company with the portal, whose people sign in with their own passwords."""

    def __init__(self, client: Client) -> None:
        self.client, self.unique = client, uuid4().hex[:8]
        email = f"owner-{self.unique}@example.com"
        self.account: Account = client.accounts.register(email=email, company_name="Winds & Waves")
        self.tokens: dict[str, str] = {}

    def add(self, name: str, *grants: NewGrant) -> dict[str, object]:
        """Add a sub-user with exactly these roles, sign them in, and return their ids."""
        temporary, own = f"first phrase of {self.unique}", f"seven quiet rivers of {self.unique}"
        email = f"{name}-{self.unique}@example.com"
        sub_user = self.client.sub_users.create(
            account_id=self.account.account_id, email=email, name=name, surname="X", password=temporary, grants=grants
        )
        ids = {"account_id": self.account.account_id, "sub_user_id": sub_user.sub_user_id}
        self.client.sub_users.change(**ids, status="active")
        first = self.client.sessions.log_in(
            account_email=self.account.email, email=email, password=temporary, client_ip=None
        )
        session = self.client.sessions.change_password(token=first.token, current_password=temporary, new_password=own)
        self.tokens[name] = session.token
        return ids

    def role(self, name: str, *permissions: str) -> Role:
        return self.client.roles.create(account_id=self.account.account_id, name=name, permissions=permissions)

    def allowed(self, name: str, permission: str, resource_of: Callable[[str], Resource]) -> str:
        """Return the assistants for which a person has a permission, in one request, as a page of the portal would."""
        checks = [Check(permission=permission, resource=resource_of(assistant)) for assistant in NAMES]
        session = self.client.sessions.introspect(token=self.tokens[name], checks=checks)
        allowed = [NAMES[a] for a, check in zip(NAMES, session.checks, strict=True) if check.allowed]
        return ", ".join(allowed) or "nothing"


def assistant(assistant_id: str) -> Resource:
    return Resource(type="assistant", id=assistant_id, label=NAMES[assistant_id])


def client_of(assistant_id: str) -> Resource:
    return Resource(type="client", id=CLIENTS[assistant_id])


def play(client: Client, now: Callable[[], datetime], wait_until: Callable[[datetime], None]) -> None:
    known = client.permissions.get().permissions  # add permissions, so that earlier checks stay valid
    names = {permission.name for permission in known}
    client.permissions.replace(permissions=[*known, *(new for new in NEW_PERMISSIONS if new.name not in names)])
    company = Company(client)

    print("A support team: each operator manages the assistants they are responsible for.")
    support = company.role("Support", "assistants.edit")
    company.add("Ada", *(NewGrant(role_id=support.role_id, resource=assistant(name)) for name in ("a-1", "a-2")))
    ben = company.add("Ben", NewGrant(role_id=support.role_id, resource=assistant("a-3")))
    for name in ("Ada", "Ben"):
        print(f"  {name} may edit {company.allowed(name, 'assistants.edit', assistant)}")
    client.grants.give(**ben, role_id=support.role_id, resource=assistant("a-2"), reason="Ada is on holiday")
    print(f"  Ben, who stands in for Ada, may edit {company.allowed('Ben', 'assistants.edit', assistant)}")

    print("A salesperson configures one client's assistants, also those that are added later.")
    sales = company.role("Account manager", "clients.configure")
    bakery = Resource(type="client", id="bakery", label="The Bakery")
    company.add("Carla", NewGrant(role_id=sales.role_id, resource=bakery))
    print(f"  Carla may configure {company.allowed('Carla', 'clients.configure', client_of)}")
    print(f"  Carla may edit {company.allowed('Carla', 'assistants.edit', assistant)}")

    print("A consultant has temporary access, which ends by itself.")
    ends_at = now().replace(microsecond=0) + timedelta(seconds=6)
    roles = client.roles.list(account_id=company.account.account_id)
    operator = next(role for role in roles if role.built_in == "operator")
    company.add("Dora", NewGrant(role_id=operator.role_id, expires_at=ends_at))
    wait_until(ends_at - timedelta(seconds=1))
    print(f"  a second before, Dora may edit {company.allowed('Dora', 'assistants.edit', assistant)}")
    wait_until(ends_at)
    print(f"  at the second, Dora may edit {company.allowed('Dora', 'assistants.edit', assistant)}")


def sleep_until(at: datetime) -> None:
    time.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000", help="URL of the service")
    parser.add_argument("--api-key", default=os.environ.get("PORTAL_API_KEY", ""), help="default: PORTAL_API_KEY")
    arguments = parser.parse_args()
    try:
        with Client(base_url=arguments.url, api_key=arguments.api_key) as service:
            play(service, lambda: datetime.now(UTC), sleep_until)
    except SubusersError as error:
        sys.exit(f"cannot continue with {arguments.url}: {error}")
