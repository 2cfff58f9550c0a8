"""Who looks at a page: nobody known, an account's owner, or a sub-user."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from flask import g, request

from api.console.cookies import SESSION
from api.http.doors import service, user_agent, visitor_address
from application.new_session import token_hash
from application.origin import Origin
from domain.cause import ActorType
from domain.refusals import AccountNotFound, SubUserNotFound

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from application.resources import AccountDetails, SubUserDetails


class Audience(StrEnum):
    """The kinds of visitor. A restricted one is a sub-user who has yet to choose a password of their own."""

    NOBODY_KNOWN = "nobody_known"
    OWNER = "owner"
    SUB_USER = "sub_user"
    RESTRICTED = "restricted"


ANYBODY = frozenset(Audience)
OWNER = frozenset({Audience.OWNER})
SUB_USER = frozenset({Audience.SUB_USER})
EVERY_SUB_USER = frozenset({Audience.SUB_USER, Audience.RESTRICTED})
LOGGED_IN = frozenset({Audience.OWNER, Audience.SUB_USER, Audience.RESTRICTED})


@dataclass(frozen=True)
class Visitor:
    """Somebody who looks at a page, and the account that they are logged in to."""

    audience: Audience
    token: str | None = field(default=None, repr=False)
    session_id: UUID | None = None
    of_account: AccountDetails | None = field(default=None, repr=False)
    of_sub_user: SubUserDetails | None = field(default=None, repr=False)

    @property
    def is_owner(self) -> bool:
        """Whether this is the account's owner."""
        return self.audience is Audience.OWNER

    @property
    def is_sub_user(self) -> bool:
        """Whether this is a sub-user with a password of their own."""
        return self.audience is Audience.SUB_USER

    @property
    def is_known(self) -> bool:
        """Whether they are logged in."""
        return self.audience is not Audience.NOBODY_KNOWN

    @property
    def account(self) -> AccountDetails:
        """The account that they are logged in to. Raises LookupError for nobody known."""
        if self.of_account is None:
            raise LookupError
        return self.of_account

    @property
    def account_id(self) -> UUID:
        """The id of that account. Raises LookupError for nobody known."""
        return self.account.account_id

    @property
    def sub_user(self) -> SubUserDetails:
        """The sub-user who they are. Raises LookupError for anybody else."""
        if self.of_sub_user is None:
            raise LookupError
        return self.of_sub_user

    @property
    def origin(self) -> Origin:
        """Where their commands come from."""
        agent = user_agent(request.headers.get("User-Agent"))
        origin = Origin(ActorType.ANONYMOUS, None, g.request_id, visitor_address(), agent)
        if self.of_sub_user is not None:
            return origin.by_sub_user(self.of_sub_user.sub_user_id)
        if self.of_account is not None:
            return origin.by_owner(self.of_account.account_id)
        return origin


NOBODY_KNOWN = Visitor(Audience.NOBODY_KNOWN)


def session_stays_open() -> Callable[[], bool]:
    """Return what tells whether this visitor's session is open still: of a long answer no more is given than that."""
    behind, hashed = service(), token_hash(visitor().token or "")
    return lambda: behind.open_sessions.find(hashed, behind.clock()) is not None


def visitor() -> Visitor:
    """Return who looks at the page that is being made."""
    return cast("Visitor", g.visitor)


def recognize() -> Visitor:
    """Return whom the request's session belongs to, from the state of things at this moment."""
    token = request.cookies.get(SESSION.name)
    if not token:
        return NOBODY_KNOWN
    session = service().open_sessions.find(token_hash(token), service().clock())
    if session is None:
        return NOBODY_KNOWN
    queries = service().sub_user_queries
    try:
        account = queries.account(session.account_id)
        if session.person_id == session.account_id:
            return Visitor(Audience.OWNER, token, session.session_id, account)
        sub_user = queries.sub_user(session.account_id, session.person_id)
    except (AccountNotFound, SubUserNotFound):
        return NOBODY_KNOWN
    audience = Audience.RESTRICTED if session.restricted else Audience.SUB_USER
    return Visitor(audience, token, session.session_id, account, sub_user)
