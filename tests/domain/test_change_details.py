"""Changing the main account's own data."""

from __future__ import annotations

from typing import Any

import pytest

from domain.cause import Sealed
from domain.events import MainAccountDetailsChanged
from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed
from tests.domain.facts import CLOSED, REGISTERED
from tests.domain.given_when_then import Fact, fact, given, then_refused, when

NEW_EMAIL = {"email": Sealed("new e-mail"), "email_hash": "hash of new e-mail"}
STATE = {
    "email": Sealed("owner's e-mail"),
    "email_hash": "hash of owner's e-mail",
    "company_name": Sealed("Acme"),
    "language": "en",
}


def details_changed(**changed: Any) -> Fact:
    unchanged = dict.fromkeys(("email", "email_hash", "company_name", "language"))
    return fact(MainAccountDetailsChanged, **{**unchanged, "password_changed": False, **changed})


@pytest.mark.parametrize(
    "change",
    [NEW_EMAIL, {"company_name": Sealed("Acme S.p.A.")}, {"language": "it"}, {**NEW_EMAIL, "language": "it"}],
    ids=["email", "company name", "language", "two at once"],
)
def test_what_is_given_changes_and_the_rest_stays(change: dict[str, Any]) -> None:
    """One event says what changed; None says of the others that they did not."""
    account = given(REGISTERED)
    assert when(account, MainAccount.change_details, **change) == [details_changed(**change)]
    assert {name: getattr(account, name) for name in STATE} == {**STATE, **change}


def test_a_new_password_is_recorded_without_it() -> None:
    """The history says that the owner's password changed, and nothing of the password."""
    recorded = when(given(REGISTERED), MainAccount.change_details, password_changed=True)
    assert recorded == [details_changed(password_changed=True)]


@pytest.mark.parametrize("change", [{}, {"language": "en"}], ids=["nothing given", "the same language"])
def test_what_is_already_so_is_no_event(change: dict[str, Any]) -> None:
    """A repeated command changes nothing."""
    assert when(given(REGISTERED), MainAccount.change_details, **change) == []


def test_the_language_it_has_is_no_change_beside_another() -> None:
    """Only what changes is in the event, also where something else does."""
    recorded = when(given(REGISTERED), MainAccount.change_details, company_name=Sealed("Acme S.p.A."), language="en")
    assert recorded == [details_changed(company_name=Sealed("Acme S.p.A."))]


def test_a_closed_account_keeps_its_details() -> None:
    """Nothing is changed any more once the account is closed."""
    then_refused(AccountIsClosed, given(REGISTERED, CLOSED), MainAccount.change_details, language="it")
