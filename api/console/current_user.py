"""The visitor of a page: anonymous, an account's owner, or a sub-user."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from flask import g, request

from api.bootstrap.current_reader import identify_reader
from api.console.cookies import SESSION
from api.console.device_cookie import device_id_of
from api.http.authentication import client_address, delay_invalid_credentials, service, user_agent
from application.command_context import CommandContext
from application.sign_in.new_session import token_hash
from domain.event_metadata import ActorType
from domain.refusals import AccountNotFound, SubUserNotFound

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from application.commands.resources import AccountDetails, SubUserDetails


class Audience(StrEnum):
    """Kinds of visitors.

    A restricted visitor is a sub-user who still has a temporary password. A visitor of the kind `STEP_UP` is an owner
    or a sub-user who must first verify a second factor, or add one.
    """

    ANONYMOUS = "anonymous"
    OWNER = "owner"
    SUB_USER = "sub_user"
    RESTRICTED = "restricted"
    STEP_UP = "step_up"


EVERYONE = frozenset(Audience)
OWNER = frozenset({Audience.OWNER})
SUB_USER = frozenset({Audience.SUB_USER})
ANY_SUB_USER = frozenset({Audience.SUB_USER, Audience.RESTRICTED})
STEP_UP = frozenset({Audience.STEP_UP})
LOGGED_IN = EVERYONE - {Audience.ANONYMOUS}


@dataclass(frozen=True)
class Visitor:
    """A visitor, with their session and account if they are logged in."""

    audience: Audience
    token: str | None = field(default=None, repr=False)
    session_id: UUID | None = None
    account_or_none: AccountDetails | None = field(default=None, repr=False)
    sub_user_or_none: SubUserDetails | None = field(default=None, repr=False)

    @property
    def is_owner(self) -> bool:
        """Whether the visitor is the account's owner without restriction."""
        return self.audience is Audience.OWNER

    @property
    def acts_for_account(self) -> bool:
        """Whether the visitor is the account's owner, also one who must first verify a second factor."""
        return self.account_or_none is not None and self.sub_user_or_none is None

    @property
    def is_sub_user(self) -> bool:
        """Whether the visitor is a sub-user without restriction."""
        return self.audience is Audience.SUB_USER

    @property
    def must_step_up(self) -> bool:
        """Whether the visitor must first verify a second factor, or add one."""
        return self.audience is Audience.STEP_UP

    @property
    def is_logged_in(self) -> bool:
        """Whether the visitor is logged in."""
        return self.audience is not Audience.ANONYMOUS

    @property
    def account(self) -> AccountDetails:
        """The visitor's account. Raises LookupError if they are not logged in."""
        if self.account_or_none is None:
            raise LookupError
        return self.account_or_none

    @property
    def account_id(self) -> UUID:
        """The account's id. Raises LookupError if the visitor is not logged in."""
        return self.account.account_id

    @property
    def sub_user(self) -> SubUserDetails:
        """The visitor's sub-user. Raises LookupError if they are not a sub-user."""
        if self.sub_user_or_none is None:
            raise LookupError
        return self.sub_user_or_none

    @property
    def command_context(self) -> CommandContext:
        """The context of the visitor's commands: actor, request id, IP address, user agent and device."""
        agent = user_agent(request.headers.get("User-Agent"))
        command_context = CommandContext(
            ActorType.ANONYMOUS, None, g.request_id, client_address(), agent, device_id_of=device_id_of
        )
        if self.sub_user_or_none is not None:
            return command_context.by_sub_user(self.sub_user_or_none.sub_user_id)
        if self.account_or_none is not None:
            return command_context.by_owner(self.account_or_none.account_id)
        return command_context


ANONYMOUS = Visitor(Audience.ANONYMOUS)


def session_check() -> Callable[[], bool]:
    """Return a function that checks whether the visitor's session is still open, so that long downloads can stop."""
    current_service, session_hash = service(), token_hash(visitor().token or "")
    return lambda: current_service.queries.sessions.find(session_hash, current_service.clock()) is not None


def visitor() -> Visitor:
    """Return the visitor of the current request."""
    return cast("Visitor", g.visitor)


def authenticate_visitor() -> Visitor:
    """Return the visitor whom the session cookie identifies, with current account data; `ANONYMOUS` if there is none.

    An invalid token delays the response, to slow down guessing.
    """
    token = request.cookies.get(SESSION.name)
    if not token:
        return ANONYMOUS
    session = service().queries.sessions.find(token_hash(token), service().clock())
    if session is None:
        delay_invalid_credentials()
        return ANONYMOUS
    identify_reader("person", session.person_id)
    queries = service().queries.sub_users
    try:
        account = queries.account(session.account_id)
        if session.person_id == session.account_id:
            audience = Audience.STEP_UP if session.step_up_required else Audience.OWNER
            return Visitor(audience, token, session.session_id, account)
        sub_user = queries.sub_user(session.account_id, session.person_id)
    except (AccountNotFound, SubUserNotFound):
        return ANONYMOUS
    audience = Audience.STEP_UP if session.step_up_required else Audience.SUB_USER
    audience = Audience.RESTRICTED if session.assurance.is_restricted else audience
    return Visitor(audience, token, session.session_id, account, sub_user)
