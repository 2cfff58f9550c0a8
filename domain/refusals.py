"""Refusals by business rules. The first line of a refusal's docstring is its message to the caller."""

from __future__ import annotations

import inspect


class Refusal(Exception):
    """The command is not allowed."""

    code = "refused"
    """Last part of the problem type. It is part of the public API and never changes."""

    def __str__(self) -> str:
        """Return the first line of the docstring, which is the message."""
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


class TooManyEmailChanges(Refusal):
    """The account's e-mail was changed 5 times within 7 days: wait before the next change."""

    code = "too-many-email-changes"


class AccountExternalIdTaken(Refusal):
    """Another open account has this external id."""

    code = "account-external-id-taken"


class SubUserNotFound(Refusal):
    """There is no such sub-user in this account."""

    code = "sub-user-not-found"


class SessionNotFound(Refusal):
    """This person has no such session, or it has ended."""

    code = "session-not-found"


class SubUserLimitReached(Refusal):
    """The account has reached its sub-user limit: delete a sub-user, or ask support to raise the limit."""

    code = "sub-user-limit-reached"


class SubUserEmailTaken(Refusal):
    """A sub-user of this account already has this e-mail."""

    code = "sub-user-email-taken"


class SubUserIsInactive(Refusal):
    """The sub-user is inactive: activate them first."""

    code = "sub-user-inactive"


class AccessExpired(Refusal):
    """The sub-user's access has expired: set a later `access_expires_at`, or remove it."""

    code = "access-expired"


class TooManyMails(Refusal):
    """Too many credentials mails were sent within the last hour: wait before the next one.

    `retry_after` is in seconds.
    """

    code = "too-many-mails"

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class LimitNotRaised(Refusal):
    """The limit can only be raised."""

    code = "limit-not-raised"


class RoleNotFound(Refusal):
    """There is no such role in this account."""

    code = "role-not-found"


class RoleNameTaken(Refusal):
    """Another role of this account has this name."""

    code = "role-name-taken"


class RoleLimitReached(Refusal):
    """The account has reached the limit of roles (50): delete an unused one."""

    code = "role-limit-reached"


class RoleIsBuiltIn(Refusal):
    """Built-in roles cannot be changed or deleted."""

    code = "role-built-in"


class RoleInUse(Refusal):
    """A sub-user has this role: revoke its grants first."""

    code = "role-in-use"


class GrantNotFound(Refusal):
    """The sub-user has no such grant."""

    code = "grant-not-found"


class GrantLimitReached(Refusal):
    """The sub-user has reached the limit of grants (1000): revoke some."""

    code = "grant-limit-reached"


class PermissionInUse(Refusal):
    """Roles have a permission that would no longer be grantable: remove it from them, or send `remove_from_roles`."""

    code = "permission-in-use"

    def __init__(self, permissions: frozenset[str]) -> None:
        super().__init__(permissions)
        self.permissions = permissions


class RevisionMismatch(Refusal):
    """The sub-user has been changed since it was read."""

    code = "revision-mismatch"


class CatalogueChanged(RevisionMismatch):
    """The permission catalogue has been changed since it was read."""


class ActivityTypesChanged(RevisionMismatch):
    """The types of activities have been changed since they were read."""


class RoleHasChanged(RevisionMismatch):
    """The role has been changed since it was read."""


class SecondFactorNotFound(Refusal):
    """The person has no such second factor."""

    code = "second-factor-not-found"


class NoSecondFactor(Refusal):
    """The person has no second factor: add one first."""

    code = "no-second-factor"


class SecondFactorLimitReached(Refusal):
    """The person has reached the limit of second factors (10): remove one."""

    code = "second-factor-limit-reached"


class LastSecondFactor(Refusal):
    """The account requires a second factor, and this is the person's last one: add another one first."""

    code = "last-second-factor"


class SecondFactorNeeded(Refusal):
    """The session has not proved a second factor: verify one first."""

    code = "second-factor-needed"


class OwnPasswordNeeded(Refusal):
    """The session was opened with a temporary password: set a password of your own first."""

    code = "own-password-needed"


class ChallengeNotFound(Refusal):
    """There is no such challenge, or it has been used or has expired: request another one."""

    code = "challenge-not-found"


class SecondFactorWrong(Refusal):
    """The code or passkey is wrong, has expired or has already been used.

    The message is the same for every cause. `why` is only recorded.
    """

    code = "second-factor-refused"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class WebhookNotFound(Refusal):
    """There is no such webhook."""

    code = "webhook-not-found"


class WebhookLimitReached(Refusal):
    """The maximum number of webhooks is reached: delete one."""

    code = "webhook-limit-reached"


class LinkInvalid(Refusal):
    """The link does not exist, has been used or replaced, or has expired."""

    code = "link-invalid"


class LoginRefused(Refusal):
    """The main account e-mail, the sub-user e-mail or the password is wrong, or access is not active.

    The message is the same for every cause, so that it does not reveal the cause. `why` is only recorded.
    """

    code = "login-refused"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
