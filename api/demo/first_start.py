"""What a first start with an embedded Postgres comes with: an account to try things on, and keys to try them with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from api.demo import company, people
from api.demo.company import Company, made_up_password
from api.demo.mark import mark_demo
from api.demo.month import report_month
from application.api_keys import Scope

if TYPE_CHECKING:
    from uuid import UUID

    from api.bootstrap import Service


@dataclass(frozen=True)
class SubUserLogin:
    """With what a sub-user of the demo logs in."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Demo:
    """What was made. None of it can be shown again. There is no sub-user where mails go to a server."""

    account_id: UUID
    email: str
    password: str = field(repr=False)
    sub_user: SubUserLogin | None
    keys: dict[Scope, str] = field(repr=False)


def create_demo(service: Service) -> Demo | None:
    """Make the demo, and a key of each scope, in a store where there is nothing yet."""
    if service.progress.settled_position() or service.api_keys.list():
        return None
    password = made_up_password()
    account = Company.register(service, password)
    mark_demo(service.settings, account.account_id)
    sub_user = _with_people(account) if service.mailbox is not None else None  # a mail server is not for made-up mails
    keys = {scope: service.api_keys.create(scope, _key_name(scope), service.clock()) for scope in Scope}
    return Demo(account.account_id, company.EMAIL, password, sub_user, keys)


def is_half_made(service: Service) -> bool:
    """Say whether an earlier start was cut off while it made the demo, of which the keys come last.

    Then nobody has seen its passwords, and nobody will.
    """
    if service.demo_account_id is None:
        return False
    made = {key.name for key in service.api_keys.list()}
    return any(_key_name(scope) not in made for scope in Scope)


def _key_name(scope: Scope) -> str:
    return f"demo {scope}"


def _with_people(account: Company) -> SubUserLogin:
    """Have people in it, and a month behind them."""
    admitted = account.let_everybody_in()
    report_month(account, admitted)
    own = made_up_password()
    account.have_them_log_in(admitted, own)
    return SubUserLogin(people.ADA.email, own)
