"""Accounts and sub-users for benchmarks, created through the application."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING
from uuid import uuid4

from application.command_context import CommandContext
from application.commands.sub_users import SubUserChanges
from application.sign_in.new_session import NewSession
from domain.assurance_level import AssuranceLevel
from domain.event_metadata import ActorType, EventMetadata

if TYPE_CHECKING:
    from uuid import UUID

    from api.bootstrap.service import Service

OWNER_CONTEXT = CommandContext(ActorType.MAIN_ACCOUNT, "the owner", ip="192.0.2.1", user_agent="a browser")
PASSWORD = "seven quiet rivers meet"


@dataclass(frozen=True)
class SampleSubUser:
    """An active sub-user, with a session token and login data."""

    account_id: UUID
    sub_user_id: UUID
    account_email: str
    email: str
    token: str = field(repr=False)

    @property
    def path(self) -> str:
        """Path of the sub-user in the API."""
        return f"/v1/accounts/{self.account_id}/sub-users/{self.sub_user_id}"

    @property
    def credentials(self) -> dict[str, str]:
        """Body of a login request."""
        return {"account_email": self.account_email, "email": self.email, "password": PASSWORD}


def create_accounts(service: Service, accounts: int, sub_users: int) -> list[SampleSubUser]:
    """Create accounts, and return all their sub-users."""
    with ThreadPoolExecutor(service.settings.cores) as pool:
        return list(chain.from_iterable(pool.map(lambda _: _create_account(service, sub_users), range(accounts))))


def _create_account(service: Service, sub_users: int) -> list[SampleSubUser]:
    email = f"owner-{uuid4().hex}@company.example"
    account_id = service.commands.accounts.register(
        OWNER_CONTEXT, email=email, company_name="Winds & Waves"
    ).value.account_id
    return [_create_sub_user(service, account_id, email) for _ in range(sub_users)]


def _create_sub_user(service: Service, account_id: UUID, account_email: str) -> SampleSubUser:
    email = f"colleague-{uuid4().hex}@company.example"
    sub_user = service.commands.sub_users.create(
        account_id, OWNER_CONTEXT, email=email, name="Grace", surname="Hopper", password=PASSWORD
    ).value
    service.commands.sub_users.change(account_id, sub_user.sub_user_id, SubUserChanges(active=True), OWNER_CONTEXT)
    session = NewSession(account_id, sub_user.sub_user_id, AssuranceLevel.PASSWORD, service.clock())
    session_write = session.as_write(EventMetadata(ActorType.SUB_USER, str(sub_user.sub_user_id)))
    service.main_accounts.recorder.insert_events([], writes=[session_write])
    return SampleSubUser(account_id, sub_user.sub_user_id, account_email, email, session.token)


def catch_up_views(service: Service) -> None:
    """Run the followers until every view contains all recorded events."""
    stop = threading.Event()
    threads = [threading.Thread(target=follower.run, args=[stop]) for follower in service.workers.followers]
    for thread in threads:
        thread.start()
    while len(progress := service.queries.progress.followers()) < len(threads) or any(view.behind for view in progress):
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
