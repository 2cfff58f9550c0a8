"""The demo's company: it lets its people in, and they log in, by the commands that a portal would send.

All of it happens when it is recorded, at the first start: nobody's login is older than that.
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
from api.worker import work
from application.origin import Origin
from application.sub_users import SubUserChanges
from domain.cause import ActorType
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from api.bootstrap import Service
    from api.demo.people import Person

BY_DEMO = Origin(ActorType.SYSTEM, "demo", reason="demo")
"""Who does what the people do not do themselves: the history does not pretend that it was anybody else."""

EMAIL = "owner@example.com"
NAME = "Example Voices (demo)"
EXPIRES_IN = timedelta(days=60)

POLL_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 30.0
"""Without their mail people can log in as well: it is the list that would tell of no mail."""


@dataclass(frozen=True)
class Admitted:
    """A person who was let in, and the temporary password that they will have by mail."""

    sub_user_id: UUID
    temporary: str = field(repr=False)


@dataclass(frozen=True)
class Company:
    """The main account of the demo."""

    service: Service
    account_id: UUID

    @classmethod
    def register(cls, service: Service, password: str) -> Company:
        """Set it up."""
        account = service.accounts.register(BY_DEMO, email=EMAIL, company_name=NAME, password=password).value
        return cls(service, account.account_id)

    def let_everybody_in(self) -> Mapping[Person, Admitted]:
        """Create everybody, inactive as yet."""
        return {person: self._let_in(person) for person in people.PEOPLE}

    def have_them_log_in(self, admitted: Mapping[Person, Admitted], own: str) -> None:
        """Mail people their access; most then choose this password, and one is deactivated again."""
        for person in people.ACTIVATED:
            self._switch(admitted[person], active=True)
        self._have_mails_sent([admitted[person].sub_user_id for person in people.ACTIVATED])
        with suppress(LoginRefused):
            self._log_in(people.MISTYPING, made_up_password())
        for person in people.SETTLED:
            temporary = admitted[person].temporary
            token = self._log_in(person, temporary)
            self.service.sessions.change_own_password(token, temporary, own, person.origin)
        self._switch(admitted[people.DEACTIVATED], active=False)

    def _let_in(self, person: Person) -> Admitted:
        temporary = made_up_password()
        made = self.service.sub_users.create(
            self.account_id,
            BY_DEMO,
            email=person.email,
            name=person.name,
            surname=person.surname,
            password=temporary,
            visible=person is not people.HIDDEN,
            access_expires_at=self.service.clock() + EXPIRES_IN if person is people.EXPIRING else None,
        )
        return Admitted(made.value.sub_user_id, temporary)

    def _switch(self, one: Admitted, *, active: bool) -> None:
        self.service.sub_users.change(self.account_id, one.sub_user_id, SubUserChanges(active=active), BY_DEMO)

    def _log_in(self, person: Person, password: str) -> str:
        return self.service.sessions.log_in(EMAIL, person.email, password, person.origin).value.token

    def _have_mails_sent(self, to: Sequence[UUID]) -> None:
        """Work until these have their mail: a temporary password that has been replaced is mailed no more."""
        stop = threading.Event()
        worker = threading.Thread(target=work, args=(self.service, stop), name="demo")
        worker.start()
        give_up = time.monotonic() + LONGEST_WAIT_SECONDS
        try:
            while self._have_mail_to_come(to) and time.monotonic() < give_up:
                stop.wait(POLL_SECONDS)
        finally:
            stop.set()
            worker.join()

    def _have_mail_to_come(self, to: Sequence[UUID]) -> bool:
        """Say whether a password is kept for any of them: no longer than until a mail with it has been taken."""
        return any(entry.sealed_password is not None for entry in self.service.vault.entries(to).values())


def made_up_password() -> str:
    """Return a password of 96 random bits."""
    return "-".join(secrets.token_hex(3) for _ in range(4))
