"""The demo account and API keys that the first start with embedded PostgreSQL creates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from api.bootstrap.demo_marker import mark_demo
from api.demo import company, people
from api.demo.company import Company, random_password
from api.demo.month import report_month
from api.demo.roles import create_roles
from application.command_context import CommandContext
from application.commands.api_keys import Scope
from application.commands.audit_access import OPERATOR
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from uuid import UUID

    from api.bootstrap.service import Service


@dataclass(frozen=True)
class SubUserLogin:
    """Credentials of a sub-user of the demo."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Demo:
    """Credentials of a new demo, which cannot be shown again. With a mail server, there is no sub-user."""

    account_id: UUID
    email: str
    password: str = field(repr=False)
    sub_user: SubUserLogin | None
    keys: dict[Scope, str] = field(repr=False)


def create_demo(service: Service) -> Demo | None:
    """Create the demo, and a key of each scope, in an empty store. Return None if the store is not empty."""
    if service.queries.progress.settled_position() or service.commands.api_keys.list():
        return None
    password = random_password()
    account = Company.register(service, password)
    mark_demo(service.settings, account.account_id)
    sub_user = _add_sub_users(account) if service.mailbox is not None else None  # never mail to sample addresses
    operator = CommandContext(ActorType.SYSTEM, OPERATOR)
    keys = {scope: service.commands.api_keys.create(scope, _key_name(scope), operator) for scope in Scope}
    return Demo(account.account_id, company.EMAIL, password, sub_user, keys)


def is_incomplete_demo(service: Service) -> bool:
    """Return whether an earlier start was interrupted before it had created all keys, the last step of the demo.

    The passwords of such a demo were never shown.
    """
    if service.demo_account_id is None:
        return False
    existing_names = {key.name for key in service.commands.api_keys.list()}
    return any(_key_name(scope) not in existing_names for scope in Scope)


def _key_name(scope: Scope) -> str:
    return f"demo {scope}"


def _add_sub_users(account: Company) -> SubUserLogin:
    """Create sub-users with roles and a month of activity, and return the credentials of one."""
    created = account.create_sub_users()
    create_roles(account, created)
    report_month(account, created)
    own_password = random_password()
    account.activate_and_log_in(created, own_password)
    return SubUserLogin(people.ADA.email, own_password)
