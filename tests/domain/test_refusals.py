"""The domain's refusals: their codes and messages."""

from __future__ import annotations

import pytest

from domain import refusals
from domain.refusals import LoginRefused, Refusal

CODES = {
    "AccountNotFound": "account-not-found",
    "AccountIsClosed": "account-closed",
    "AccountEmailTaken": "account-email-taken",
    "SessionNotFound": "session-not-found",
    "TooManyEmailChanges": "too-many-email-changes",
    "SubUserNotFound": "sub-user-not-found",
    "AccountExternalIdTaken": "account-external-id-taken",
    "SubUserLimitReached": "sub-user-limit-reached",
    "SubUserEmailTaken": "sub-user-email-taken",
    "SubUserIsInactive": "sub-user-inactive",
    "AccessExpired": "access-expired",
    "TooManyMails": "too-many-mails",
    "LimitNotRaised": "limit-not-raised",
    "RevisionMismatch": "revision-mismatch",
    "CatalogueChanged": "revision-mismatch",
    "ActivityTypesChanged": "revision-mismatch",
    "RoleHasChanged": "revision-mismatch",
    "PermissionInUse": "permission-in-use",
    "RoleNotFound": "role-not-found",
    "RoleNameTaken": "role-name-taken",
    "RoleLimitReached": "role-limit-reached",
    "RoleIsBuiltIn": "role-built-in",
    "RoleInUse": "role-in-use",
    "GrantNotFound": "grant-not-found",
    "GrantLimitReached": "grant-limit-reached",
    "SecondFactorNotFound": "second-factor-not-found",
    "NoSecondFactor": "no-second-factor",
    "SecondFactorLimitReached": "second-factor-limit-reached",
    "LastSecondFactor": "last-second-factor",
    "SecondFactorNeeded": "second-factor-needed",
    "OwnPasswordNeeded": "own-password-needed",
    "ChallengeNotFound": "challenge-not-found",
    "SecondFactorWrong": "second-factor-refused",
    "WebhookNotFound": "webhook-not-found",
    "WebhookLimitReached": "webhook-limit-reached",
    "LinkInvalid": "link-invalid",
    "LoginRefused": "login-refused",
}
"""Part of the public interface: clients distinguish refusals by code."""

ALL = {
    name: value
    for name, value in vars(refusals).items()
    if isinstance(value, type) and issubclass(value, Refusal) and value is not Refusal
}


def test_every_refusal_has_its_own_code() -> None:
    """Existing codes never change."""
    assert {name: refusal.code for name, refusal in ALL.items()} == CODES


@pytest.mark.parametrize("refusal", ALL.values(), ids=ALL)
def test_message_is_one_sentence(refusal: type[Refusal]) -> None:
    """It is the first line of the refusal's own docstring, not of the one of `Refusal`."""
    message = str(refusal("an internal reason"))
    assert message.endswith(".")
    assert message != str(Refusal())
    assert "an internal reason" not in message


def test_refused_login_keeps_its_reason_for_the_history() -> None:
    """The message is the same for every reason (rule 4)."""
    assert LoginRefused("expired").why == "expired"
    assert str(LoginRefused("expired")) == str(LoginRefused("wrong_password"))
