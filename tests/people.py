"""The people whom tests are about: a company that owns a main account, and the collaborators it lets in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from api import bootstrap
from application.errors import SessionEnded
from application.origin import Origin
from application.sub_users import SubUserChanges
from domain.cause import ActorType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import EmailMessage
    from uuid import UUID

    from api.bootstrap import Service
    from application.main_accounts import Outcome
    from application.resources import SubUserDetails
    from application.sessions import OpenedSession
    from domain.main_account import MainAccount
    from domain.sub_user import SubUser

PORTAL = Origin(ActorType.MAIN_ACCOUNT, "the owner", ip="192.0.2.1", user_agent="a browser", request_id="request 1")
SUPPORT = Origin(ActorType.SUPPORT, "a support key", reason="asked by phone", request_id="request 2")

GENERATED_PASSWORD = re.compile(r"^\s*([a-z2-9]{5}(?:-[a-z2-9]{5}){4})\s*$", re.MULTILINE)

numbers = count(1)


def client(ip: str) -> Origin:
    """Return where a login comes from."""
    return replace(PORTAL, ip=ip)


@dataclass(frozen=True)
class Company:
    """A main account."""

    service: Service
    account_id: UUID
    email: str

    @classmethod
    def register(cls, service: Service, email: str | None = None) -> Company:
        """Set up a main account, with an e-mail that no other has unless one is given."""
        email = email or f"boss-{uuid4().hex[:8]}@company.example"
        account = service.accounts.register(PORTAL, email=email, company_name="Winds & Waves").value
        return cls(service, account.account_id, email)

    def seen_by(self, service: Service) -> Company:
        """Return the same company as a client of another process."""
        return replace(self, service=service)

    def state(self) -> MainAccount:
        """Return the account as it is now."""
        return self.service.main_accounts.load(self.account_id)

    def let_in(
        self, email: str | None = None, password: str | None = "first phrase for now", **details: Any
    ) -> Collaborator:
        """Create a sub-user, inactive as yet; None has the service make up the password."""
        email = email or f"someone-{next(numbers)}@company.example"
        named = {"name": "Grace", "surname": "Hopper", **details}
        made = self.service.sub_users.create(self.account_id, PORTAL, email=email, password=password, **named)
        return Collaborator(self, made.value.sub_user_id, email, password or "")

    def let_in_active(self, email: str | None = None, **details: Any) -> Collaborator:
        """Create a sub-user and activate them: they have a temporary password."""
        one = self.let_in(email, **details)
        one.change(active=True)
        return one

    def let_in_settled(self, email: str | None = None, **details: Any) -> Collaborator:
        """Create a sub-user who has a password of their own."""
        one = self.let_in_active(email, **details)
        return one.choose_password("a password of my own")


@dataclass(frozen=True)
class Collaborator:
    """A sub-user, and the password that they know."""

    company: Company
    sub_user_id: UUID
    email: str
    password: str = field(repr=False)

    def seen_by(self, service: Service) -> Collaborator:
        """Return the same sub-user as a client of another process."""
        return replace(self, company=self.company.seen_by(service))

    def state(self) -> SubUser:
        """Return the sub-user as they are now."""
        return self.company.state().sub_user(self.sub_user_id)

    def change(self, **changes: Any) -> Outcome[SubUserDetails]:
        """Have the main account change something of them."""
        sub_users = self.company.service.sub_users
        return sub_users.change(self.company.account_id, self.sub_user_id, SubUserChanges(**changes), PORTAL)

    def delete(self) -> Outcome[None]:
        """Have the main account delete them."""
        return self.company.service.sub_users.delete(self.company.account_id, self.sub_user_id, PORTAL)

    def log_in(self, password: str | None = None, origin: Origin = PORTAL) -> OpenedSession:
        """Log in, with the password that they know or another."""
        sessions = self.company.service.sessions
        return sessions.log_in(self.company.email, self.email, password or self.password, origin).value

    def choose_password(self, new_password: str) -> Collaborator:
        """Set a password of their own, and return them as somebody who knows it."""
        sessions = self.company.service.sessions
        sessions.change_own_password(self.log_in().token, self.password, new_password, PORTAL)
        return replace(self, password=new_password)

    def has_session(self, token: str) -> bool:
        """Tell whether a token opens anything now."""
        try:
            self.company.service.sessions.current(token)
        except SessionEnded:
            return False
        return True


def catch_up(service: Service, *names: str) -> None:
    """Have these followers, or all of them, apply what there is, then stop."""
    for follower in service.followers:
        if not names or follower.view.name in names:
            with bootstrap.connect(service.settings.database_url or "", "follower") as connection:
                connection.execute(
                    "INSERT INTO followers (name) VALUES (%s) ON CONFLICT DO NOTHING", [follower.view.name]
                )
                while follower.step(connection):
                    pass


def deliver_mails(service: Service) -> list[EmailMessage]:
    """Send every mail that is due, and return all that were ever written, oldest first."""
    catch_up(service, "mail-queue")
    while service.mailing.send_next():
        pass
    return mails(service)


def mails(service: Service) -> list[EmailMessage]:
    """Return the mails that were written, oldest first."""
    files = sorted(service.settings.mail_folder.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


def text_of(mail: EmailMessage) -> str:
    """Return the plain text of a mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    text: str = body.get_content()
    return text


def mailed_password(mail: EmailMessage) -> str:
    """Return the generated password that a mail carries."""
    found = GENERATED_PASSWORD.search(text_of(mail))
    assert found is not None, text_of(mail)
    return found.group(1)


def kinds(company: Company) -> Sequence[str]:
    """Return the kinds of event in the account's history, in order."""
    return [type(event).__name__ for event in company.service.main_accounts.events.get(company.account_id)]
