"""Accounts and sub-users for benchmarks, made as anybody makes them: through the application."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from application.new_session import NewSession
from application.origin import Origin
from application.sub_users import SubUserChanges
from domain.cause import ActorType, Cause

if TYPE_CHECKING:
    from uuid import UUID

    from api.bootstrap import Service

ORIGIN = Origin(ActorType.MAIN_ACCOUNT, "the owner", ip="192.0.2.1", user_agent="a browser")
PASSWORD = "seven quiet rivers meet"


@dataclass(frozen=True)
class Person:
    """A sub-user who is active, and how they log in."""

    account_id: UUID
    sub_user_id: UUID
    account_email: str
    email: str
    token: str = field(repr=False)

    @property
    def path(self) -> str:
        """Where they are found."""
        return f"/v1/accounts/{self.account_id}/sub-users/{self.sub_user_id}"

    @property
    def credentials(self) -> dict[str, str]:
        """What they log in with."""
        return {"account_email": self.account_email, "email": self.email, "password": PASSWORD}


def accounts_of(service: Service, accounts: int, sub_users: int) -> list[Person]:
    """Set up so many accounts, and return all their sub-users."""
    with ThreadPoolExecutor(service.settings.cores) as pool:
        return [one for people in pool.map(lambda _: _account(service, sub_users), range(accounts)) for one in people]


def _account(service: Service, sub_users: int) -> list[Person]:
    email = f"owner-{uuid4().hex}@company.example"
    account_id = service.accounts.register(ORIGIN, email=email, company_name="Winds & Waves").value.account_id
    return [_person(service, account_id, email) for _ in range(sub_users)]


def _person(service: Service, account_id: UUID, account_email: str) -> Person:
    email = f"colleague-{uuid4().hex}@company.example"
    made = service.sub_users.create(
        account_id, ORIGIN, email=email, name="Grace", surname="Hopper", password=PASSWORD
    ).value
    service.sub_users.change(account_id, made.sub_user_id, SubUserChanges(active=True), ORIGIN)
    session = NewSession(account_id, made.sub_user_id)
    opened = session.record(service.clock(), Cause(ActorType.SUB_USER, str(made.sub_user_id)))
    service.main_accounts.recorder.insert_events([], records=[opened])
    return Person(account_id, made.sub_user_id, account_email, email, session.token)


def caught_up(service: Service) -> None:
    """Have every view take over what has been recorded."""
    stop = threading.Event()
    threads = [threading.Thread(target=follower.run, args=[stop]) for follower in service.followers]
    for thread in threads:
        thread.start()
    while len(told := service.progress.followers()) < len(threads) or any(one.behind for one in told):
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
