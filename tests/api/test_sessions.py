"""Sessions of sub-users: opened, asked about, listed, ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.permissions import OPERATIONAL, Permission
from tests.api.callers import OWN, TEMPORARY, is_active, require_problem

if TYPE_CHECKING:
    from tests.api.callers import Account, Caller, Doors
    from tests.conftest import TravelingClock

OPENED = {"token", "expires_at", "account_id", "sub_user_id", "must_change_password", "permissions"}
SESSION = {"session_id", "opened_at", "last_used_at", "expires_at", "restricted", "ip", "user_agent"}
OPERATIONS = [str(permission) for permission in OPERATIONAL]


def in_hours(text: str) -> float:
    return (datetime.fromisoformat(text) - datetime.now(UTC)) / timedelta(hours=1)


def test_logging_in_opens_a_session(account: Account) -> None:
    """201 with a token, its end, whose it is and what it allows, at a position in the history; nothing to idle over."""
    one = account.let_in_settled()

    answer = one.log_in()

    body: Any = answer.json
    assert answer.status_code == 201
    assert answer.content_type == "application/json"
    assert int(answer.headers["Event-Position"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(body) == OPENED
    assert len(body["token"]) == 43
    assert in_hours(body["expires_at"]) == pytest.approx(24, abs=0.1)
    assert (body["account_id"], body["sub_user_id"]) == (account.account_id, one.sub_user_id)
    assert body["must_change_password"] is False
    assert body["permissions"] == OPERATIONS
    assert one.shown()["last_login_at"] is not None


def test_a_temporary_password_opens_a_session_for_setting_one_s_own(account: Account, portal: Caller) -> None:
    """It allows nothing else, and says so."""
    one = account.let_in_active()
    body: Any = one.log_in().json
    assert body["must_change_password"] is True
    assert body["permissions"] == []
    for permission in Permission:
        asked: Any = portal.post("/v1/sessions/introspect", json={"token": body["token"], "permission": permission})
        assert (asked.json["active"], asked.json["must_change_password"]) == (True, True)
        assert asked.json["allowed"] is False


def test_e_mails_are_compared_without_regard_to_case(account: Account) -> None:
    """Both the account's and the sub-user's."""
    one = account.let_in_active()
    assert one.log_in(email=one.email.upper(), account_email=account.email.title()).status_code == 201


@pytest.mark.parametrize("missing", ["account_email", "email", "password"])
def test_all_three_things_are_needed_to_log_in(account: Account, portal: Caller, missing: str) -> None:
    """Without one of them the request is refused, and what is missing is named."""
    body = {**account.let_in().credentials}
    del body[missing]
    require_problem(portal.post("/v1/sessions", json=body), 422, "invalid-input", missing)


def test_five_failures_in_a_row_make_one_wait(own_doors: Doors, clock: TravelingClock) -> None:
    """429 with Retry-After, for this sub-user and client alone: elsewhere they may log in, and so may others here."""
    clock.stand_still()
    account = own_doors.account()
    one, other = account.let_in_active(), account.let_in_active()
    here = {"X-Client-IP": "198.51.100.7"}
    wrong = {**one.credentials, "password": "not what it is"}
    statuses = [account.portal.post("/v1/sessions", json=wrong, headers=here).status_code for _ in range(5)]
    assert statuses == [401] * 5

    waiting = account.portal.post("/v1/sessions", json=one.credentials, headers=here)

    require_problem(waiting, 429, "too-many-attempts")
    assert 1 <= int(waiting.headers["Retry-After"]) <= 3
    assert account.portal.post("/v1/sessions", json=other.credentials, headers=here).status_code == 201
    assert one.log_in().status_code == 201


def test_unknown_sub_users_are_made_to_wait_like_others(own_doors: Doors, clock: TravelingClock) -> None:
    """So that the wait does not tell who there is."""
    clock.stand_still()
    account, portal = own_doors.account(), own_doors.portal
    body = {"account_email": account.email, "email": "nobody@company.example", "password": "whatever it may be"}
    here = {"X-Client-IP": "198.51.100.8"}
    statuses = [portal.post("/v1/sessions", json=body, headers=here).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]


def test_a_good_session_says_what_it_is_good_for(account: Account, portal: Caller) -> None:
    """200 with the account, the sub-user and every permission, the asked one answered."""
    one = account.let_in_settled()
    token = one.token()
    asked = portal.post("/v1/sessions/introspect", json={"token": token, "permission": "statistics"})
    body: Any = asked.json
    assert asked.status_code == 200
    assert asked.content_type == "application/json"
    assert in_hours(body.pop("expires_at")) == pytest.approx(24, abs=0.1)
    assert body == {
        "active": True,
        "account_id": account.account_id,
        "sub_user_id": one.sub_user_id,
        "permissions": OPERATIONS,
        "must_change_password": False,
        "allowed": True,
    }


def test_a_sub_user_may_do_the_operational_and_nothing_else(account: Account, portal: Caller) -> None:
    """Five permissions allowed, the owner's four not; and without the question there is no `allowed`."""
    token = account.let_in_settled().token()
    allowed = {}
    for permission in Permission:
        asked: Any = portal.post("/v1/sessions/introspect", json={"token": token, "permission": permission})
        allowed[str(permission)] = asked.json["allowed"]
    assert allowed == {str(permission): permission in OPERATIONAL for permission in Permission}
    for body in ({"token": token}, {"token": token, "permission": None}):
        unasked: Any = portal.post("/v1/sessions/introspect", json=body)
        assert "allowed" not in unasked.json


@pytest.mark.parametrize("token", ["x", "a" * 43, "\u00e9", "\0", "\ud800", "subusers_portal_abc", "x" * 1000])
def test_of_a_token_that_is_good_for_nothing_no_more_is_told(portal: Caller, token: str) -> None:
    """200 and `active` false, whatever it is; not allowed where that was asked."""
    assert portal.post("/v1/sessions/introspect", json={"token": token}).json == {"active": False}
    asked = portal.post("/v1/sessions/introspect", json={"token": token, "permission": "tools"})
    assert asked.json == {"active": False, "allowed": False}


def test_a_permission_that_does_not_exist_is_refused(account: Account, portal: Caller) -> None:
    """A misspelled one must not pass for one that is not allowed."""
    body = {"token": account.let_in_active().token(), "permission": "assistant"}
    require_problem(portal.post("/v1/sessions/introspect", json=body), 422, "invalid-input", "permission")


def test_setting_a_password_of_one_s_own_opens_a_new_session(account: Account, portal: Caller) -> None:
    """200 with a new token; the sessions so far end, and the temporary password is good no more."""
    one = account.let_in_active()
    tokens = [one.token(), one.token()]
    body = {"current_password": TEMPORARY, "new_password": OWN}

    changed = portal.put("/v1/sessions/current/password", json=body, headers={"Session-Token": tokens[0]})

    answer: Any = changed.json
    assert changed.status_code == 200
    assert int(changed.headers["Event-Position"]) > 0
    assert set(answer) == OPENED
    assert answer["permissions"] == OPERATIONS
    assert is_active(portal, answer["token"])
    assert [is_active(portal, token) for token in tokens] == [False, False]
    assert one.log_in().status_code == 401
    assert one.log_in(password=OWN).status_code == 201
    assert one.shown()["must_change_password"] is False


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("current_password", {"current_password": "not what it is", "new_password": OWN}),
        ("new_password", {"current_password": TEMPORARY, "new_password": TEMPORARY}),
        ("new_password", {"current_password": TEMPORARY, "new_password": "short"}),
        ("new_password", {"current_password": TEMPORARY, "new_password": "I am Grace Hopper, me"}),
        ("new_password", {"current_password": TEMPORARY}),
        ("current_password", {"new_password": OWN}),
    ],
)
def test_a_password_of_one_s_own_must_be_new_and_good(
    account: Account, portal: Caller, field: str, body: dict[str, str]
) -> None:
    """A wrong current one, the same again, a poor one, a missing one: refused and named, and the session goes on."""
    token = account.let_in_active().token()
    answer = portal.put("/v1/sessions/current/password", json=body, headers={"Session-Token": token})
    require_problem(answer, 422, "invalid-input", field)
    assert is_active(portal, token)


def test_guessing_the_current_password_makes_one_wait(own_doors: Doors, clock: TravelingClock) -> None:
    """429 with Retry-After after five wrong ones: a stolen session is no way to the password."""
    clock.stand_still()
    account, portal = own_doors.account(), own_doors.portal
    headers = {"Session-Token": account.let_in_active().token()}
    wrong = {"current_password": "not what it is", "new_password": OWN}
    for _ in range(5):
        assert portal.put("/v1/sessions/current/password", json=wrong, headers=headers).status_code == 422
    right = {"current_password": TEMPORARY, "new_password": OWN}
    waiting = portal.put("/v1/sessions/current/password", json=right, headers=headers)
    require_problem(waiting, 429, "too-many-attempts")
    assert int(waiting.headers["Retry-After"]) > 0


def test_logging_out_ends_that_session_alone(account: Account, portal: Caller) -> None:
    """204 without a body; the sub-user's other sessions go on."""
    one = account.let_in_settled()
    token, other = one.token(), one.token()

    out = portal.delete("/v1/sessions/current", headers={"Session-Token": token})

    assert (out.status_code, out.data) == (204, b"")
    assert "Event-Position" in out.headers
    assert (is_active(portal, token), is_active(portal, other)) == (False, True)
    again = portal.delete("/v1/sessions/current", headers={"Session-Token": token})
    require_problem(again, 401, "session-ended")


@pytest.mark.parametrize("token", ["a" * 43, "\u00e9" * 40, "token", "x" * 1000])
def test_a_session_that_does_not_exist_can_do_nothing(portal: Caller, token: str) -> None:
    """401, for either command of a session."""
    body = {"current_password": TEMPORARY, "new_password": OWN}
    headers = {"Session-Token": token}
    require_problem(portal.put("/v1/sessions/current/password", json=body, headers=headers), 401, "session-ended")
    require_problem(portal.delete("/v1/sessions/current", headers=headers), 401, "session-ended")


def test_a_missing_session_token_is_named(portal: Caller) -> None:
    """422 naming the header, also for one that is longer than any token."""
    body = {"current_password": TEMPORARY, "new_password": OWN}
    for headers in ({}, {"Session-Token": ""}, {"Session-Token": "x" * 1001}):
        changed = portal.put("/v1/sessions/current/password", json=body, headers=headers)
        require_problem(changed, 422, "invalid-input", "Session-Token")
        out = portal.delete("/v1/sessions/current", headers=headers)
        require_problem(out, 422, "invalid-input", "Session-Token")


def test_a_sub_user_s_sessions_are_listed_newest_first(account: Account, portal: Caller) -> None:
    """Each with when, until when and from where, and without its token."""
    one = account.let_in_settled()
    portal.delete(f"{one.path}/sessions")
    tokens = []
    for ip in ("192.0.2.1", "2001:db8::2"):
        headers = {"X-Client-IP": ip, "X-Client-User-Agent": f"a browser at {ip}"}
        tokens.append(portal.post("/v1/sessions", json=one.credentials, headers=headers).json["token"])  # type: ignore[index]

    answer = portal.get(f"{one.path}/sessions")

    body: Any = answer.json
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert set(body) == {"items", "next_cursor"}
    assert body["next_cursor"] is None
    assert [set(row) for row in body["items"]] == [SESSION, SESSION]
    assert [(row["ip"], row["user_agent"]) for row in body["items"]] == [
        ("2001:db8::2", "a browser at 2001:db8::2"),
        ("192.0.2.1", "a browser at 192.0.2.1"),
    ]
    assert [row["restricted"] for row in body["items"]] == [False, False]
    assert all(token not in answer.text for token in tokens)


def test_the_main_account_ends_every_session_of_a_sub_user(account: Account, portal: Caller) -> None:
    """204; no old token is good, the list is empty, and the sub-user may log in again."""
    one = account.let_in_settled()
    tokens = [one.token(), one.token()]

    ended = portal.delete(f"{one.path}/sessions")

    assert (ended.status_code, ended.data) == (204, b"")
    assert "Event-Position" in ended.headers
    assert [is_active(portal, token) for token in tokens] == [False, False]
    assert portal.get(f"{one.path}/sessions").json == {"items": [], "next_cursor": None}
    assert is_active(portal, one.token())


def test_sessions_of_nobody_are_not_found(account: Account, portal: Caller) -> None:
    """404, to list and to end."""
    path = f"{account.path}/sub-users/{uuid4()}/sessions"
    require_problem(portal.get(path), 404, "sub-user-not-found")
    require_problem(portal.delete(path), 404, "sub-user-not-found")


def test_a_session_ends_after_an_hour_of_idling_and_after_a_day(own_doors: Doors, clock: TravelingClock) -> None:
    """Used again within the hour it goes on, a day after the login it has ended all the same."""
    one = own_doors.account().let_in_settled()
    idle, used = one.token(), one.token()
    clock.advance(minutes=59)
    assert is_active(own_doors.portal, used)
    clock.advance(minutes=2)
    assert (is_active(own_doors.portal, idle), is_active(own_doors.portal, used)) == (False, True)
    lasts = []
    for _ in range(26):
        clock.advance(minutes=55)
        lasts.append(is_active(own_doors.portal, used))
    assert lasts == [True] * 25 + [False]


def test_access_that_runs_out_takes_its_sessions_along(own_doors: Doors, clock: TravelingClock) -> None:
    """A session says when that will be, and is good for nothing from that moment on."""
    account = own_doors.account()
    end = datetime.now(UTC) + timedelta(minutes=30)
    one = account.let_in_active(access_expires_at=end.isoformat())
    body: Any = one.log_in().json
    asked: Any = own_doors.portal.post("/v1/sessions/introspect", json={"token": body["token"]}).json
    assert datetime.fromisoformat(asked["expires_at"]) == end
    clock.advance(minutes=31)
    assert not is_active(own_doors.portal, body["token"])
    assert one.log_in().status_code == 401


def test_a_temporary_password_expires(own_doors: Doors, clock: TravelingClock) -> None:
    """A week after the activation it opens nothing; new access data does."""
    one = own_doors.account().let_in_active()
    clock.advance(days=6, hours=23)
    assert one.log_in().status_code == 201
    clock.advance(hours=2)
    require_problem(one.log_in(), 401, "login-refused")
    one.change(password="another phrase for now")
    assert one.log_in(password="another phrase for now").status_code == 201
