"""The ways in which a rule of the domain says no. A refusal's docstring is its message."""

from __future__ import annotations

import inspect


class Refusal(Exception):
    """The command was refused."""

    code = "refused"
    """Stable, and part of the public interface: the last part of the problem's type."""

    def __str__(self) -> str:
        """Return the first line of the docstring: it is written for the caller."""
        return (inspect.getdoc(type(self)) or "").splitlines()[0]


class AccountNotFound(Refusal):
    """There is no such account."""

    code = "account-not-found"


class AccountIsClosed(Refusal):
    """The account is closed."""

    code = "account-closed"


class AccountEmailTaken(Refusal):
    """Another account is registered with this e-mail."""

    code = "account-email-taken"


class SubUserNotFound(Refusal):
    """There is no such sub-user in this account."""

    code = "sub-user-not-found"


class SubUserLimitReached(Refusal):
    """The account has as many sub-users as its limit allows: delete one, or ask support to raise the limit."""

    code = "sub-user-limit-reached"


class SubUserEmailTaken(Refusal):
    """A sub-user of this account already has this e-mail."""

    code = "sub-user-email-taken"


class SubUserIsInactive(Refusal):
    """The sub-user is inactive: activate them first."""

    code = "sub-user-inactive"


class LimitNotRaised(Refusal):
    """The limit can only be raised."""

    code = "limit-not-raised"


class RevisionMismatch(Refusal):
    """The sub-user has been changed since it was read."""

    code = "revision-mismatch"


class WebhookNotFound(Refusal):
    """There is no such webhook."""

    code = "webhook-not-found"


class WebhookLimitReached(Refusal):
    """There are as many webhooks as there may be: delete one."""

    code = "webhook-limit-reached"


class LoginRefused(Refusal):
    """The main account e-mail, the sub-user e-mail or the password is wrong, or access is not active.

    One message whatever the cause, so that nobody learns which: `why` is for the history alone.
    """

    code = "login-refused"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
