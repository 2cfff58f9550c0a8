"""Changing a sub-user's name, visibility and access expiry, and several things at once (rules 2, 6 and 9)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.cause import Sealed
from domain.events import SubUserDetailsChanged, SubUserVisibilityChanged
from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed, SubUserNotFound
from domain.sub_user import Notice, SubUserEdit
from tests.domain.facts import (
    CLOSED,
    LUCA,
    MARIA,
    NOBODY,
    REGISTERED,
    activated,
    created,
    deactivated,
    deleted,
    expiry_set,
    password_reset,
    person,
)
from tests.domain.given_when_then import EARLIER, LATER, Fact, fact, given, then_refused, when

EVERYTHING = SubUserEdit(
    name=Sealed("Mary"),
    surname=Sealed("White"),
    visible=False,
    active=True,
    expiry_given=True,
    access_expires_at=LATER,
    new_password=True,
)


def edited(account: MainAccount, **changes: Any) -> list[Fact]:
    return when(account, MainAccount.edit_sub_user, MARIA, SubUserEdit(**changes))


def renamed(*, name: str | None = None, surname: str | None = None) -> Fact:
    return fact(SubUserDetailsChanged, sub_user_id=MARIA, name=name, surname=surname)


def shown(visible: bool) -> Fact:
    return fact(SubUserVisibilityChanged, sub_user_id=MARIA, visible=visible)


@pytest.mark.parametrize(
    "changes", [{"name": "Mary"}, {"surname": "White"}, {"name": "Mary", "surname": "White"}], ids=" and ".join
)
def test_names_change_and_what_is_not_given_stays(changes: dict[str, str]) -> None:
    """None in the event says that it did not change."""
    account = given(REGISTERED, created(MARIA))
    assert edited(account, **changes) == [renamed(**changes)]
    before = {name: person(MARIA)[name] for name in ("name", "surname")}
    assert {name: getattr(account.sub_user(MARIA), name) for name in before} == {**before, **changes}


@pytest.mark.parametrize("visible", [False, True], ids=["hidden", "shown"])
def test_a_sub_user_is_hidden_and_shown_again(visible: bool) -> None:
    account = given(REGISTERED, created(MARIA, visible=not visible))
    assert edited(account, visible=visible) == [shown(visible)]
    assert account.sub_user(MARIA).visible is visible


@pytest.mark.parametrize("visible", [False, True], ids=["hidden", "shown"])
def test_hiding_the_hidden_is_no_event(visible: bool) -> None:
    """A repeated command changes nothing."""
    assert edited(given(REGISTERED, created(MARIA, visible=visible)), visible=visible) == []


def test_hiding_takes_no_access_away() -> None:
    """It is about lists and reports alone (rule 9)."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), shown(visible=False))
    assert account.why_no_access(account.sub_user(MARIA), LATER) is None


@pytest.mark.parametrize(
    ("before", "after"), [(None, LATER), (EARLIER, LATER), (LATER, EARLIER), (LATER, None)], ids=str
)
def test_access_is_given_an_end_another_end_or_none(before: Any, after: Any) -> None:
    """Also one that has passed already: access ends at once."""
    account = given(REGISTERED, created(MARIA, access_expires_at=before))
    assert edited(account, expiry_given=True, access_expires_at=after) == [expiry_set(MARIA, after)]
    assert account.sub_user(MARIA).access_expires_at == after


@pytest.mark.parametrize("expiry", [LATER, None], ids=str)
def test_the_same_end_again_is_no_event(expiry: Any) -> None:
    """A repeated command changes nothing."""
    account = given(REGISTERED, created(MARIA, access_expires_at=expiry))
    assert edited(account, expiry_given=True, access_expires_at=expiry) == []


def test_an_end_that_is_not_given_stays() -> None:
    """No end given is not the same as no end any more."""
    account = given(REGISTERED, created(MARIA, access_expires_at=LATER))
    assert edited(account, access_expires_at=None) == []
    assert account.sub_user(MARIA).access_expires_at == LATER


def test_an_empty_edit_is_no_event() -> None:
    assert edited(given(REGISTERED, created(MARIA), activated(MARIA))) == []


def test_several_things_change_at_once() -> None:
    """One event each, activation last: the mail it asks for is written from what the others changed."""
    account = given(REGISTERED, created(MARIA))
    assert when(account, MainAccount.edit_sub_user, MARIA, EVERYTHING) == [
        renamed(name="Mary", surname="White"),
        shown(visible=False),
        expiry_set(MARIA, LATER),
        activated(MARIA, credentials=2),
    ]


def test_several_things_change_while_access_is_taken_away() -> None:
    """The password is replaced as well, and nobody is told."""
    account = given(REGISTERED, created(MARIA), activated(MARIA))
    assert edited(account, name="Mary", active=False, new_password=True) == [
        renamed(name="Mary"),
        deactivated(MARIA),
        password_reset(MARIA, credentials=2, notice=Notice.NONE),
    ]


def test_the_same_edit_again_changes_only_what_is_new_each_time() -> None:
    """Names are sealed anew and passwords are not known here: those two count as a change whenever they are given."""
    account = given(REGISTERED, created(MARIA))
    when(account, MainAccount.edit_sub_user, MARIA, EVERYTHING)
    assert when(account, MainAccount.edit_sub_user, MARIA, EVERYTHING) == [
        renamed(name="Mary", surname="White"),
        password_reset(MARIA, credentials=3, notice=Notice.RESET),
    ]


def test_a_refused_edit_changes_nothing_of_all_it_asked_for() -> None:
    """All or nothing (rule 2)."""
    then_refused(SubUserNotFound, given(REGISTERED, created(LUCA)), MainAccount.edit_sub_user, MARIA, EVERYTHING)
    account = given(REGISTERED, created(MARIA), CLOSED)
    then_refused(AccountIsClosed, account, MainAccount.edit_sub_user, MARIA, EVERYTHING)


@pytest.mark.parametrize("edit", [EVERYTHING, SubUserEdit()], ids=["everything", "nothing"])
@pytest.mark.parametrize("sub_user_id", [NOBODY, MARIA], ids=["unknown", "deleted"])
def test_nobody_is_edited_where_there_is_nobody(sub_user_id: Any, edit: SubUserEdit) -> None:
    account = given(REGISTERED, created(MARIA), deleted(MARIA))
    then_refused(SubUserNotFound, account, MainAccount.edit_sub_user, sub_user_id, edit)


def test_an_edit_concerns_one_sub_user() -> None:
    account = given(REGISTERED, created(LUCA), created(MARIA))
    luca = account.sub_user(LUCA)
    when(account, MainAccount.edit_sub_user, MARIA, EVERYTHING)
    assert account.sub_user(LUCA) == luca


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Mary"},
        {"visible": False},
        {"expiry_given": True, "access_expires_at": LATER},
        {"active": False},
        {"new_password": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_change_makes_another_revision(changes: dict[str, Any]) -> None:
    """Whoever has read a sub-user before is told so when they write (`If-Match`)."""
    account = given(REGISTERED, created(MARIA), activated(MARIA))
    before = account.sub_user(MARIA).revision
    edited(account, **changes)
    assert account.sub_user(MARIA).revision == before + 1


def test_no_change_keeps_the_revision() -> None:
    account = given(REGISTERED, created(MARIA), activated(MARIA))
    before = account.sub_user(MARIA).revision
    edited(account, visible=True, active=True)
    assert account.sub_user(MARIA).revision == before
