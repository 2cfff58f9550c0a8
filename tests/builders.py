"""Builders for the main accounts and sub-users of tests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from api.bootstrap import connections
from application.command_context import CommandContext
from application.commands.sub_users import SubUserChanges
from application.errors import SessionEnded
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import EmailMessage
    from uuid import UUID

    from api.bootstrap.service import Service
    from application.commands.resources import SubUserDetails
    from application.repository import Outcome
    from application.sign_in.new_session import NewSession
    from domain.main_account import MainAccount
    from domain.sub_user import SubUser

PORTAL = CommandContext(
    ActorType.MAIN_ACCOUNT, "the owner", ip="192.0.2.1", user_agent="a browser", request_id="request 1"
)
SUPPORT = CommandContext(ActorType.SUPPORT, "a support key", reason="asked by phone", request_id="request 2")

GENERATED_PASSWORD = re.compile(r"^\s*([a-z2-9]{5}(?:-[a-z2-9]{5}){4})\s*$", re.MULTILINE)

MAILED_LINK = re.compile(r"/(?:password-reset|invitation|email-confirmation|email-undo)/([\w-]+)\s")

email_numbers = count(1)


def context_from(ip: str) -> CommandContext:
    """Return the command context of a request from this IP address."""
    return replace(PORTAL, ip=ip)


@dataclass(frozen=True)
class Company:
    """A main account; the methods run its commands."""

    service: Service
    account_id: UUID
    email: str

    @classmethod
    def register(cls, service: Service, email: str | None = None) -> Company:
        """Register a main account; without `email`, with a unique address."""
        email = email or f"boss-{uuid4().hex[:8]}@company.example"
        account = service.commands.accounts.register(PORTAL, email=email, company_name="Winds & Waves").value
        return cls(service, account.account_id, email)

    def with_service(self, service: Service) -> Company:
        """Return the same company with another service, as in another process."""
        return replace(self, service=service)

    def state(self) -> MainAccount:
        """Return the current state of the account."""
        return self.service.main_accounts.load(self.account_id)

    def create_sub_user(
        self, email: str | None = None, password: str | None = "first phrase for now", **details: Any
    ) -> SubUserHandle:
        """Create an inactive sub-user. With `password=None`, the service generates the password."""
        email = email or f"someone-{next(email_numbers)}@company.example"
        arguments = {"name": "Grace", "surname": "Hopper", **details}
        created = self.service.commands.sub_users.create(
            self.account_id, PORTAL, email=email, password=password, **arguments
        )
        return SubUserHandle(self, created.value.sub_user_id, email, password or "")

    def create_active(self, email: str | None = None, **details: Any) -> SubUserHandle:
        """Create and activate a sub-user; their password is temporary."""
        sub_user = self.create_sub_user(email, **details)
        sub_user.change(active=True)
        return sub_user

    def create_with_own_password(self, email: str | None = None, **details: Any) -> SubUserHandle:
        """Create an active sub-user who has chosen their own password."""
        sub_user = self.create_active(email, **details)
        return sub_user.choose_password("a password of my own")


@dataclass(frozen=True)
class SubUserHandle:
    """A sub-user and their current password; the methods run commands on the sub-user."""

    company: Company
    sub_user_id: UUID
    email: str
    password: str = field(repr=False)

    def with_service(self, service: Service) -> SubUserHandle:
        """Return the same sub-user with another service, as in another process."""
        return replace(self, company=self.company.with_service(service))

    def state(self) -> SubUser:
        """Return the current state of the sub-user."""
        return self.company.state().sub_user(self.sub_user_id)

    def change(self, **changes: Any) -> Outcome[SubUserDetails]:
        """Change the sub-user as the main account."""
        sub_users = self.company.service.commands.sub_users
        return sub_users.change(self.company.account_id, self.sub_user_id, SubUserChanges(**changes), PORTAL)

    def delete(self) -> Outcome[None]:
        """Delete the sub-user as the main account."""
        return self.company.service.commands.sub_users.delete(self.company.account_id, self.sub_user_id, PORTAL)

    def log_in(self, password: str | None = None, context: CommandContext = PORTAL) -> NewSession:
        """Log in with the sub-user's password, or with another one."""
        sessions = self.company.service.commands.sub_user_sessions
        return sessions.log_in(self.company.email, self.email, password or self.password, context).value

    def choose_password(self, new_password: str) -> SubUserHandle:
        """Choose a new password as the sub-user, and return the sub-user with that password."""
        sessions = self.company.service.commands.sub_user_sessions
        sessions.change_password(self.log_in().token, self.password, new_password, PORTAL)
        return replace(self, password=new_password)

    def has_session(self, token: str) -> bool:
        """Return whether a token belongs to a live session."""
        try:
            self.company.service.commands.sub_user_sessions.current(token)
        except SessionEnded:
            return False
        return True


def catch_up(service: Service, *names: str) -> None:
    """Let the named followers (default: all) process every outstanding event."""
    followers = [follower for follower in service.workers.followers if not names or follower.view.name in names]
    with connections.connect(service.settings.database_url or "", "follower") as connection:
        for follower in followers:
            connection.execute("INSERT INTO followers (name) VALUES (%s) ON CONFLICT DO NOTHING", [follower.view.name])
            while follower.step(connection):
                pass


def deliver_mails(service: Service) -> list[EmailMessage]:
    """Send every mail that is due; return all mails written so far, oldest first."""
    catch_up(service, "mail-queue")
    while service.workers.mailer.send_next():
        pass
    return mails_in_folder(service)


def deliver_mails_to(service: Service, address: str) -> list[EmailMessage]:
    """Send every mail that is due; return all mails to an address written so far, oldest first."""
    return [mail for mail in deliver_mails(service) if mail["To"].addresses[0].addr_spec == address]


def mails_in_folder(service: Service) -> list[EmailMessage]:
    """Return the mails in the mail folder, oldest first."""
    files = sorted(service.settings.mail_folder.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


def plain_text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    text: str = body.get_content()
    return text


def mailed_password(mail: EmailMessage) -> str:
    """Return the generated password in a mail."""
    match = GENERATED_PASSWORD.search(plain_text(mail))
    assert match is not None, plain_text(mail)
    return match.group(1)


def mailed_token(mail: EmailMessage) -> str:
    """Return the token at the end of the link in a mail."""
    match = MAILED_LINK.search(plain_text(mail))
    assert match is not None, plain_text(mail)
    return match.group(1)


def event_types(company: Company) -> Sequence[str]:
    """Return the class names of the account's events, in order."""
    return [type(event).__name__ for event in company.service.main_accounts.events.get(company.account_id)]
