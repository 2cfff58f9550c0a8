"""Editing a sub-user's name, visibility and access expiry, and several properties at once (rules 2, 6 and 9)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.event_metadata import Ciphertext
from domain.events import SubUserDetailsChanged, SubUserVisibilityChanged
from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed, SubUserNotFound
from domain.sub_user import Notice, SubUserEdit
from tests.domain.event_builders import (
    CLOSED,
    LUCA,
    MARIA,
    REGISTERED,
    UNKNOWN_SUB_USER,
    activated,
    created,
    deactivated,
    deleted,
    expiry_set,
    password_reset,
    sub_user_fields,
)
from tests.domain.given_when_then import EARLIER, LATER, EventSpec, event_spec, given, then_refused, when

EVERYTHING = SubUserEdit(
    name=Ciphertext("Mary"),
    surname=Ciphertext("White"),
    visible=False,
    active=True,
    changes_expiry=True,
    access_expires_at=LATER,
    new_password=True,
)


def edit_maria(account: MainAccount, **changes: Any) -> list[EventSpec]:
    return when(account, MainAccount.edit_sub_user, MARIA, SubUserEdit(**changes))


def renamed(*, name: str | None = None, surname: str | None = None) -> EventSpec:
    return event_spec(SubUserDetailsChanged, sub_user_id=MARIA, name=name, surname=surname)


def visibility_changed(visible: bool) -> EventSpec:
    return event_spec(SubUserVisibilityChanged, sub_user_id=MARIA, visible=visible)


@pytest.mark.parametrize(
    "changes", [{"name": "Mary"}, {"surname": "White"}, {"name": "Mary", "surname": "White"}], ids=" and ".join
)
def test_omitted_names_are_unchanged(changes: dict[str, str]) -> None:
    """None in the event marks an unchanged name."""
    account = given(REGISTERED, created(MARIA))
    assert edit_maria(account, **changes) == [renamed(**changes)]
    before = {name: sub_user_fields(MARIA)[name] for name in ("name", "surname")}
    assert {name: getattr(account.sub_user(MARIA), name) for name in before} == {**before, **changes}


@pytest.mark.parametrize("visible", [False, True], ids=["hidden", "shown"])
def test_visibility_changes(visible: bool) -> None:
    account = given(REGISTERED, created(MARIA, visible=not visible))
    assert edit_maria(account, visible=visible) == [visibility_changed(visible)]
    assert account.sub_user(MARIA).visible is visible


@pytest.mark.parametrize("visible", [False, True], ids=["hidden", "shown"])
def test_unchanged_visibility_records_no_event(visible: bool) -> None:
    assert edit_maria(given(REGISTERED, created(MARIA, visible=visible)), visible=visible) == []


def test_hidden_sub_user_keeps_access() -> None:
    """Visibility affects lists and reports only (rule 9)."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), visibility_changed(visible=False))
    assert account.access_refusal(account.sub_user(MARIA), LATER) is None


@pytest.mark.parametrize(
    ("before", "after"), [(None, LATER), (EARLIER, LATER), (LATER, EARLIER), (LATER, None)], ids=str
)
def test_access_expiry_is_set_changed_and_removed(before: Any, after: Any) -> None:
    """An expiry in the past is allowed: access ends immediately."""
    account = given(REGISTERED, created(MARIA, access_expires_at=before))
    assert edit_maria(account, changes_expiry=True, access_expires_at=after) == [expiry_set(MARIA, after)]
    assert account.sub_user(MARIA).access_expires_at == after


@pytest.mark.parametrize("expiry", [LATER, None], ids=str)
def test_unchanged_expiry_records_no_event(expiry: Any) -> None:
    account = given(REGISTERED, created(MARIA, access_expires_at=expiry))
    assert edit_maria(account, changes_expiry=True, access_expires_at=expiry) == []


def test_omitted_expiry_is_unchanged() -> None:
    """Not giving an expiry differs from removing it."""
    account = given(REGISTERED, created(MARIA, access_expires_at=LATER))
    assert edit_maria(account, access_expires_at=None) == []
    assert account.sub_user(MARIA).access_expires_at == LATER


def test_empty_edit_records_no_event() -> None:
    assert edit_maria(given(REGISTERED, created(MARIA), activated(MARIA))) == []


def test_several_properties_change_at_once() -> None:
    """Each is one event. The activation is last, because its mail depends on the other changes."""
    account = given(REGISTERED, created(MARIA))
    assert when(account, MainAccount.edit_sub_user, MARIA, EVERYTHING) == [
        renamed(name="Mary", surname="White"),
        visibility_changed(visible=False),
        expiry_set(MARIA, LATER),
        activated(MARIA, credentials=2),
    ]


def test_password_is_replaced_during_deactivation() -> None:
    """No mail is sent."""
    account = given(REGISTERED, created(MARIA), activated(MARIA))
    assert edit_maria(account, name="Mary", active=False, new_password=True) == [
        renamed(name="Mary"),
        deactivated(MARIA),
        password_reset(MARIA, credentials=2, notice=Notice.NONE),
    ]


def test_repeated_edit_records_names_and_password_again() -> None:
    """The aggregate cannot compare encrypted names or passwords, so it records them whenever they are given."""
    account = given(REGISTERED, created(MARIA))
    when(account, MainAccount.edit_sub_user, MARIA, EVERYTHING)
    assert when(account, MainAccount.edit_sub_user, MARIA, EVERYTHING) == [
        renamed(name="Mary", surname="White"),
        password_reset(MARIA, credentials=3, notice=Notice.RESET),
    ]


def test_refused_edit_changes_nothing() -> None:
    """An edit applies as a whole or not at all (rule 2)."""
    then_refused(SubUserNotFound, given(REGISTERED, created(LUCA)), MainAccount.edit_sub_user, MARIA, EVERYTHING)
    account = given(REGISTERED, created(MARIA), CLOSED)
    then_refused(AccountIsClosed, account, MainAccount.edit_sub_user, MARIA, EVERYTHING)


@pytest.mark.parametrize("edit", [EVERYTHING, SubUserEdit()], ids=["everything", "nothing"])
@pytest.mark.parametrize("sub_user_id", [UNKNOWN_SUB_USER, MARIA], ids=["unknown", "deleted"])
def test_unknown_or_deleted_sub_user_cannot_be_edited(sub_user_id: Any, edit: SubUserEdit) -> None:
    account = given(REGISTERED, created(MARIA), deleted(MARIA))
    then_refused(SubUserNotFound, account, MainAccount.edit_sub_user, sub_user_id, edit)


def test_edit_affects_one_sub_user() -> None:
    account = given(REGISTERED, created(LUCA), created(MARIA))
    luca = account.sub_user(LUCA)
    when(account, MainAccount.edit_sub_user, MARIA, EVERYTHING)
    assert account.sub_user(LUCA) == luca


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Mary"},
        {"visible": False},
        {"changes_expiry": True, "access_expires_at": LATER},
        {"active": False},
        {"new_password": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_change_increments_the_revision(changes: dict[str, Any]) -> None:
    """Clients detect changes with `If-Match`."""
    account = given(REGISTERED, created(MARIA), activated(MARIA))
    before = account.sub_user(MARIA).revision
    edit_maria(account, **changes)
    assert account.sub_user(MARIA).revision == before + 1


def test_edit_without_change_keeps_the_revision() -> None:
    account = given(REGISTERED, created(MARIA), activated(MARIA))
    before = account.sub_user(MARIA).revision
    edit_maria(account, visible=True, active=True)
    assert account.sub_user(MARIA).revision == before
