"""How the domain says no."""

from __future__ import annotations

import pytest

from domain import refusals
from domain.refusals import LoginRefused, Refusal

CODES = {
    "AccountNotFound": "account-not-found",
    "AccountIsClosed": "account-closed",
    "AccountEmailTaken": "account-email-taken",
    "SubUserNotFound": "sub-user-not-found",
    "SubUserLimitReached": "sub-user-limit-reached",
    "SubUserEmailTaken": "sub-user-email-taken",
    "SubUserIsInactive": "sub-user-inactive",
    "LimitNotRaised": "limit-not-raised",
    "RevisionMismatch": "revision-mismatch",
    "WebhookNotFound": "webhook-not-found",
    "WebhookLimitReached": "webhook-limit-reached",
    "LoginRefused": "login-refused",
}
"""The codes are part of the public interface: a client tells refusals apart by them."""

ALL = {
    name: one
    for name, one in vars(refusals).items()
    if isinstance(one, type) and issubclass(one, Refusal) and one is not Refusal
}


def test_every_refusal_has_a_code_of_its_own() -> None:
    """And none that is in use is ever changed."""
    assert {name: one.code for name, one in ALL.items()} == CODES


@pytest.mark.parametrize("refusal", ALL.values(), ids=ALL)
def test_a_refusal_says_in_one_sentence_what_is_wrong(refusal: type[Refusal]) -> None:
    """Its message is the first line of its own docstring, not of `Refusal`'s."""
    message = str(refusal("a reason that is told to nobody"))
    assert message.endswith(".")
    assert message != str(Refusal())
    assert "told to nobody" not in message


def test_a_refused_login_keeps_its_reason_for_the_history() -> None:
    """The message is the same for all of them (rule 4)."""
    assert LoginRefused("expired").why == "expired"
    assert str(LoginRefused("expired")) == str(LoginRefused("wrong_password"))
