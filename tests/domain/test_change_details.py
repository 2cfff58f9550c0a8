"""Changing the main account's own data."""

from __future__ import annotations

from typing import Any

import pytest

from domain.event_metadata import Ciphertext
from domain.events import MainAccountDetailsChanged
from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed
from tests.domain.event_builders import CLOSED, REGISTERED
from tests.domain.given_when_then import EventSpec, event_spec, given, then_refused, when

NEW_EMAIL = {"email": Ciphertext("new e-mail"), "email_hash": "hash of new e-mail"}
STATE = {
    "email": Ciphertext("owner's e-mail"),
    "email_hash": "hash of owner's e-mail",
    "company_name": Ciphertext("Acme"),
    "language": "en",
}


def state_of(account: MainAccount) -> dict[str, Any]:
    owner_email = account.owner_email
    return {
        "email": owner_email.current,
        "email_hash": owner_email.email_hash,
        "company_name": account.company_name,
        "language": account.language,
    }


def details_changed(**changed: Any) -> EventSpec:
    unchanged = dict.fromkeys(("email", "email_hash", "company_name", "language"))
    return event_spec(MainAccountDetailsChanged, **{**unchanged, "password_changed": False, **changed})


@pytest.mark.parametrize(
    "change",
    [NEW_EMAIL, {"company_name": Ciphertext("Acme S.p.A.")}, {"language": "it"}, {**NEW_EMAIL, "language": "it"}],
    ids=["email", "company name", "language", "two at once"],
)
def test_omitted_details_are_unchanged(change: dict[str, Any]) -> None:
    """One event records the changed details; None marks the unchanged ones."""
    account = given(REGISTERED)
    assert when(account, MainAccount.change_details, **change) == [details_changed(**change)]
    assert state_of(account) == {**STATE, **change}


def test_password_change_is_recorded_without_the_password() -> None:
    recorded = when(given(REGISTERED), MainAccount.change_details, password_changed=True)
    assert recorded == [details_changed(password_changed=True)]


@pytest.mark.parametrize("change", [{}, {"language": "en"}], ids=["nothing given", "the same language"])
def test_unchanged_details_record_no_event(change: dict[str, Any]) -> None:
    assert when(given(REGISTERED), MainAccount.change_details, **change) == []


def test_unchanged_language_is_left_out_of_the_event() -> None:
    """This also applies when another detail changes."""
    recorded = when(
        given(REGISTERED), MainAccount.change_details, company_name=Ciphertext("Acme S.p.A."), language="en"
    )
    assert recorded == [details_changed(company_name=Ciphertext("Acme S.p.A."))]


def test_details_of_a_closed_account_cannot_change() -> None:
    then_refused(AccountIsClosed, given(REGISTERED, CLOSED), MainAccount.change_details, language="it")
