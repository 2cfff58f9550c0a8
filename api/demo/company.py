"""The demo's company: creates its sub-users and logs them in, with the commands that a portal would send.

Their events are recorded during the first start, with the current time.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from api.demo import people
from api.runtime.worker import work
from application.command_context import CommandContext
from application.commands.sub_users import SubUserChanges
from domain.event_metadata import ActorType
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from api.bootstrap.service import Service
    from api.demo.people import Person

DEMO_CONTEXT = CommandContext(ActorType.SYSTEM, "demo", reason="demo")
"""Context of everything that the sub-users do not do themselves. The history shows `demo` as the actor."""

EMAIL = "owner@example.com"
COMPANY_NAME = "Example Voices (demo)"
EXPIRES_IN = timedelta(days=60)

POLL_SECONDS = 0.05
MAX_WAIT_SECONDS = 30.0
"""Longest wait for mails. The logins work without them, but the list would show mails as not sent."""


@dataclass(frozen=True)
class CreatedSubUser:
    """A created sub-user and the temporary password that is mailed to them."""

    sub_user_id: UUID
    temporary_password: str = field(repr=False)


@dataclass(frozen=True)
class Company:
    """The main account of the demo."""

    service: Service
    account_id: UUID

    @classmethod
    def register(cls, service: Service, password: str) -> Company:
        """Register the account."""
        account = service.commands.accounts.register(
            DEMO_CONTEXT, email=EMAIL, company_name=COMPANY_NAME, password=password
        ).value
        return cls(service, account.account_id)

    def create_sub_users(self) -> Mapping[Person, CreatedSubUser]:
        """Create all sub-users, inactive."""
        return {person: self._create(person) for person in people.PEOPLE}

    def activate_and_log_in(self, created: Mapping[Person, CreatedSubUser], own_password: str) -> None:
        """Activate sub-users and wait for their mails. Most then set `own_password`, and one is deactivated again."""
        for person in people.ACTIVATED:
            self._set_active(created[person], active=True)
        self._wait_for_mails([created[person].sub_user_id for person in people.ACTIVATED])
        with suppress(LoginRefused):
            self._log_in(people.MISTYPES_PASSWORD, random_password())
        for person in people.WITH_OWN_PASSWORD:
            temporary_password = created[person].temporary_password
            token = self._log_in(person, temporary_password)
            context = person.command_context
            self.service.commands.sub_user_sessions.change_password(token, temporary_password, own_password, context)
        self._set_active(created[people.DEACTIVATED], active=False)

    def _create(self, person: Person) -> CreatedSubUser:
        temporary_password = random_password()
        outcome = self.service.commands.sub_users.create(
            self.account_id,
            DEMO_CONTEXT,
            email=person.email,
            name=person.name,
            surname=person.surname,
            password=temporary_password,
            visible=person is not people.HIDDEN,
            access_expires_at=self.service.clock() + EXPIRES_IN if person is people.EXPIRING else None,
        )
        return CreatedSubUser(outcome.value.sub_user_id, temporary_password)

    def _set_active(self, created: CreatedSubUser, *, active: bool) -> None:
        self.service.commands.sub_users.change(
            self.account_id, created.sub_user_id, SubUserChanges(active=active), DEMO_CONTEXT
        )

    def _log_in(self, person: Person, password: str) -> str:
        return self.service.commands.sub_user_sessions.log_in(
            EMAIL, person.email, password, person.command_context
        ).value.token

    def _wait_for_mails(self, recipients: Sequence[UUID]) -> None:
        """Run a worker until the mails are sent, because a mail is dropped once its temporary password is replaced."""
        stop = threading.Event()
        worker = threading.Thread(target=work, args=(self.service, stop), name="demo")
        worker.start()
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        try:
            while self._has_waiting_mail(recipients) and time.monotonic() < deadline:
                stop.wait(POLL_SECONDS)
        finally:
            stop.set()
            worker.join()

    def _has_waiting_mail(self, recipients: Sequence[UUID]) -> bool:
        """Return whether a mail is waiting: the vault has its password until a mail server accepts it."""
        return any(entry.encrypted_password is not None for entry in self.service.vault.entries(recipients).values())


def random_password() -> str:
    """Return a password of 96 random bits."""
    return "-".join(secrets.token_hex(3) for _ in range(4))
