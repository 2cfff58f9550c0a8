"""What is written and read without its schema is the same as with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema

from api.http import plain
from api.http.schemas import (
    Answer,
    Introspection,
    IntrospectionAnswer,
    Login,
    OpenedSessionAnswer,
    SubUserAnswer,
    SubUserListAnswer,
    SubUserPatch,
)
from application.ports import Session
from application.resources import SubUserDetails
from application.sessions import OpenedSession
from domain.permissions import OPERATIONAL, Permission
from projections.sub_user_queries import Page

MOMENTS = st.datetimes(timezones=st.just(UTC))
NAMES = st.text(max_size=5)
SUB_USERS = st.builds(
    SubUserDetails,
    sub_user_id=st.uuids(),
    account_id=st.uuids(),
    email=NAMES,
    name=NAMES,
    surname=NAMES,
    status=st.sampled_from(["active", "inactive"]),
    visible=st.booleans(),
    created_at=MOMENTS,
    last_login_at=st.none() | MOMENTS,
    access_expires_at=st.none() | MOMENTS,
    must_change_password=st.booleans(),
    locked=st.booleans(),
    revision=st.integers(1),
    credentials_mail=st.sampled_from(["none", "pending", "sent", "failed"]),
)
TOKENS = st.text(max_size=3) | st.sampled_from(["t" * 1000, "t" * 1001, "\ud800"])
ANYTHING = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=1)
QUESTIONS = st.dictionaries(
    st.sampled_from(["token", "permission", "tokens"]), TOKENS | ANYTHING | st.sampled_from(Permission).map(str)
)
TRIED_EMAILS = st.from_regex(plain.PLAIN_EMAIL, fullmatch=True)
LOGINS = st.fixed_dictionaries(
    {
        "account_email": TRIED_EMAILS | st.emails() | TOKENS | ANYTHING,
        "email": TRIED_EMAILS | st.sampled_from(["Grace@COMPANY.example", "grace@münchen.example", "a@b@c"]),
        "password": st.text(max_size=4) | ANYTHING | st.sampled_from(["\0", "\ud800", "p" * 1001]),
    },
    optional={"more": ANYTHING},
)
NEW_NAMES = st.text(max_size=4) | st.sampled_from([" Grace", "Grace Hopper", "n" * 100, "n" * 101, "Zoë", "a\u200bb"])
PATCHES = st.dictionaries(
    st.sampled_from(["name", "surname", "active", "visible", "email", "password", "access_expires_at"]),
    NEW_NAMES | st.booleans() | ANYTHING,
)


def as_fields_have_it(schema: Answer, value: object) -> bytes:
    return Answer.written(schema, value)


@given(SUB_USERS)
def test_a_sub_user_is_written_as_the_fields_have_it(one: SubUserDetails) -> None:
    """Each field is there, as its schema, and so the OpenAPI document, says."""
    assert SubUserAnswer().written(one) == as_fields_have_it(SubUserAnswer(), one)


@given(st.lists(SUB_USERS, max_size=3), st.none() | NAMES)
def test_a_list_of_sub_users_is_written_as_the_fields_have_it(items: list[SubUserDetails], cursor: str | None) -> None:
    """The page, and the cursor of the next."""
    page = Page(items, cursor)
    assert SubUserListAnswer().written(page) == as_fields_have_it(SubUserListAnswer(), page)


@pytest.mark.parametrize("asked", [None, Permission.TOOLS, Permission.BILLING_SETTINGS])
@pytest.mark.parametrize("permissions", [OPERATIONAL, ()])
def test_a_session_is_written_as_the_fields_have_it(
    asked: Permission | None, permissions: tuple[Permission, ...]
) -> None:
    """With whether it allows what was asked about, where something was."""
    now = datetime.now(UTC)
    session = Session(uuid4(), uuid4(), uuid4(), not permissions, now, now, now, None, None)
    told = {
        "active": True,
        "account_id": session.account_id,
        "sub_user_id": session.person_id,
        "permissions": permissions,
        "must_change_password": session.restricted,
        "expires_at": now,
    } | ({} if asked is None else {"allowed": asked in permissions})
    assert plain.session(session, permissions, asked) == as_fields_have_it(IntrospectionAnswer(), told)


@given(QUESTIONS)
def test_a_question_is_read_as_the_fields_have_it(body: dict[str, Any]) -> None:
    """What is plain is taken as the schema takes it; nothing is taken for plain that the schema refuses."""
    found = plain.introspection(body)
    if found is not None:
        assert found == Schema.load(Introspection(), body)


@given(LOGINS)
def test_an_attempt_is_read_as_the_fields_have_it(body: dict[str, Any]) -> None:
    """Whatever is tried for an address is in the form that the schema brings it into."""
    found = plain.login(body)
    if found is not None:
        assert found == Schema.load(Login(), body)


@given(TRIED_EMAILS)
def test_a_plain_address_has_one_form(email: str) -> None:
    """As have nearly all that people log in with."""
    body = {"account_email": email, "email": "grace@company.example", "password": "p"}
    assert Schema.load(Login(), body) == body
    assert plain.login(body) == body


def test_a_new_session_is_written_as_the_fields_have_it() -> None:
    """With its token."""
    for restricted in (True, False):
        opened = OpenedSession("token", datetime.now(UTC), uuid4(), uuid4(), restricted)
        assert OpenedSessionAnswer().written(opened) == as_fields_have_it(OpenedSessionAnswer(), opened)


@given(PATCHES)
def test_a_change_is_read_as_the_fields_have_it(body: dict[str, Any]) -> None:
    """What is plain is taken as the schema takes it; nothing is taken for plain that the schema refuses."""
    found = plain.sub_user_patch(body)
    if found is not None:
        assert found == Schema.load(SubUserPatch(), body)
