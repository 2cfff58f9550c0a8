"""Sessions of sub-users over HTTP: login, introspection, password change, listing, and ending."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.permission_catalogue import INITIAL_CATALOGUE
from tests.api.clients import OWN_PASSWORD, TEMPORARY_PASSWORD, is_session_active, require_problem

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClient, ApiClients
    from tests.conftest import TravelingClock

NEW_SESSION_FIELDS = {"token", "expires_at", "account_id", "sub_user_id", "must_change_password", "permissions"} | {
    *("assurance_level", "step_up_required", "second_factors"),
}
LISTED_SESSION_FIELDS = {
    *("session_id", "created_at", "last_used_at", "expires_at", "must_change_password", "ip", "user_agent"),
    *("opened_at", "restricted", "assurance_level", "browser", "device", "country", "city"),
}
OPERATIONAL_PERMISSIONS = list(INITIAL_CATALOGUE.grantable)


def hours_until(text: str) -> float:
    return (datetime.fromisoformat(text) - datetime.now(UTC)) / timedelta(hours=1)


def test_login_opens_a_session(account: Account) -> None:
    """The response has the token, its expiry, the sub-user, and the permissions."""
    sub_user = account.create_with_own_password()

    response = sub_user.log_in()

    body: Any = response.json
    assert response.status_code == 201
    assert response.content_type == "application/json"
    assert int(response.headers["Event-Position"]) > 0
    assert response.headers["Cache-Control"] == "no-store"
    assert set(body) == NEW_SESSION_FIELDS
    assert len(body["token"]) == 43
    assert hours_until(body["expires_at"]) == pytest.approx(24, abs=0.1)
    assert (body["account_id"], body["sub_user_id"]) == (account.account_id, sub_user.sub_user_id)
    assert body["must_change_password"] is False
    assert body["permissions"] == OPERATIONAL_PERMISSIONS
    assert sub_user.fetch()["last_login_at"] is not None


def test_session_of_a_temporary_password_has_no_permissions(account: Account, portal: ApiClient) -> None:
    """It only allows setting one's own password."""
    sub_user = account.create_active()
    body: Any = sub_user.log_in().json
    assert body["must_change_password"] is True
    assert body["permissions"] == []
    for permission in INITIAL_CATALOGUE.by_name:
        introspection: Any = portal.post(
            "/v1/sessions/introspect", json={"token": body["token"], "permission": permission}
        )
        assert (introspection.json["active"], introspection.json["must_change_password"]) == (True, True)
        assert introspection.json["allowed"] is False


def test_login_emails_are_case_insensitive(account: Account) -> None:
    sub_user = account.create_active()
    assert sub_user.log_in(email=sub_user.email.upper(), account_email=account.email.title()).status_code == 201


def test_login_from_a_new_device_is_in_the_audit_log(account: Account, portal: ApiClient) -> None:
    """The password change that replaces a temporary password makes the first one known without an entry."""
    sub_user = account.create_active()
    token = sub_user.log_in(device_id="a laptop").json["token"]  # type: ignore[index]
    body = {"current_password": TEMPORARY_PASSWORD, "new_password": OWN_PASSWORD, "device_id": "a laptop"}
    response = portal.put("/v1/sessions/current/password", json=body, headers={"Session-Token": token})
    assert response.status_code == 200
    statuses = [
        sub_user.log_in(password=OWN_PASSWORD, device_id=device_id).status_code
        for device_id in ("a laptop", None, "a phone", "a phone")
    ]
    assert statuses == [201] * 4
    rows = [row for row in account.audit_log_rows() if row["action"] == "person.new_device_signed_in"]
    assert [row["sub_user_id"] for row in rows] == [sub_user.sub_user_id]
    assert "phone" not in str(rows)


@pytest.mark.parametrize("device_id", ["", "x" * 201, "a\nb", "\0", "\ud800", " ", 7, ["a"]])
def test_invalid_device_id_is_refused(account: Account, portal: ApiClient, device_id: Any) -> None:
    body = {**account.create_sub_user().credentials, "device_id": device_id}
    require_problem(portal.post("/v1/sessions", json=body), 422, "invalid-input", "device_id")


@pytest.mark.parametrize("missing", ["account_email", "email", "password"])
def test_login_requires_all_credentials(account: Account, portal: ApiClient, missing: str) -> None:
    body = {**account.create_sub_user().credentials}
    del body[missing]
    require_problem(portal.post("/v1/sessions", json=body), 422, "invalid-input", missing)


def test_sixth_login_after_five_failures_is_throttled(own_clients: ApiClients, clock: TravelingClock) -> None:
    """Only this sub-user from this address is throttled."""
    clock.freeze()
    account = own_clients.register_account()
    sub_user, other_sub_user = account.create_active(), account.create_active()
    headers = {"X-Client-IP": "198.51.100.7"}
    wrong_credentials = {**sub_user.credentials, "password": "not what it is"}
    statuses = [
        account.portal.post("/v1/sessions", json=wrong_credentials, headers=headers).status_code for _ in range(5)
    ]
    assert statuses == [401] * 5

    response = account.portal.post("/v1/sessions", json=sub_user.credentials, headers=headers)

    require_problem(response, 429, "too-many-attempts")
    assert 1 <= int(response.headers["Retry-After"]) <= 3
    assert account.portal.post("/v1/sessions", json=other_sub_user.credentials, headers=headers).status_code == 201
    assert sub_user.log_in().status_code == 201


def test_unknown_sub_users_are_throttled_like_known_ones(own_clients: ApiClients, clock: TravelingClock) -> None:
    """Otherwise throttling would reveal which sub-users exist."""
    clock.freeze()
    account, portal = own_clients.register_account(), own_clients.portal
    body = {"account_email": account.email, "email": "nobody@company.example", "password": "whatever it may be"}
    headers = {"X-Client-IP": "198.51.100.8"}
    statuses = [portal.post("/v1/sessions", json=body, headers=headers).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]


def test_introspection_of_an_active_session(account: Account, portal: ApiClient) -> None:
    sub_user = account.create_with_own_password()
    token = sub_user.new_token()
    response = portal.post("/v1/sessions/introspect", json={"token": token, "permission": "statistics"})
    body: Any = response.json
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert hours_until(body.pop("expires_at")) == pytest.approx(24, abs=0.1)
    assert body == {
        "active": True,
        "account_id": account.account_id,
        "sub_user_id": sub_user.sub_user_id,
        "permissions": OPERATIONAL_PERMISSIONS,
        "must_change_password": False,
        "assurance_level": "password",
        "step_up_required": False,
        "allowed": True,
    }


def test_introspection_allows_operational_permissions_only(account: Account, portal: ApiClient) -> None:
    """Without a permission in the request, the response has no `allowed`."""
    token = account.create_with_own_password().new_token()
    allowed = {}
    for permission in INITIAL_CATALOGUE.by_name:
        introspection: Any = portal.post("/v1/sessions/introspect", json={"token": token, "permission": permission})
        allowed[permission] = introspection.json["allowed"]
    assert allowed == {name: name in OPERATIONAL_PERMISSIONS for name in INITIAL_CATALOGUE.by_name}
    for body in ({"token": token}, {"token": token, "permission": None}):
        without_permission: Any = portal.post("/v1/sessions/introspect", json=body)
        assert "allowed" not in without_permission.json


@pytest.mark.parametrize("token", ["x", "a" * 43, "\u00e9", "\0", "\ud800", "subusers_portal_abc", "x" * 1000])
def test_introspection_of_an_invalid_token_reveals_nothing(portal: ApiClient, token: str) -> None:
    assert portal.post("/v1/sessions/introspect", json={"token": token}).json == {"active": False}
    response = portal.post("/v1/sessions/introspect", json={"token": token, "permission": "tools"})
    assert response.json == {"active": False, "allowed": False}


def test_introspection_refuses_an_unknown_permission(account: Account, portal: ApiClient) -> None:
    """Otherwise a misspelled permission would look like a missing one."""
    body = {"token": account.create_active().new_token(), "permission": "assistant"}
    require_problem(portal.post("/v1/sessions/introspect", json=body), 422, "invalid-input", "permission")


def test_setting_an_own_password_opens_a_new_session(account: Account, portal: ApiClient) -> None:
    """All earlier sessions end, and the temporary password becomes invalid."""
    sub_user = account.create_active()
    tokens = [sub_user.new_token(), sub_user.new_token()]
    body = {"current_password": TEMPORARY_PASSWORD, "new_password": OWN_PASSWORD}

    changed = portal.put("/v1/sessions/current/password", json=body, headers={"Session-Token": tokens[0]})

    new_session: Any = changed.json
    assert changed.status_code == 200
    assert int(changed.headers["Event-Position"]) > 0
    assert set(new_session) == NEW_SESSION_FIELDS
    assert new_session["permissions"] == OPERATIONAL_PERMISSIONS
    assert is_session_active(portal, new_session["token"])
    assert [is_session_active(portal, token) for token in tokens] == [False, False]
    assert sub_user.log_in().status_code == 401
    assert sub_user.log_in(password=OWN_PASSWORD).status_code == 201
    assert sub_user.fetch()["must_change_password"] is False


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("current_password", {"current_password": "not what it is", "new_password": OWN_PASSWORD}),
        ("new_password", {"current_password": TEMPORARY_PASSWORD, "new_password": TEMPORARY_PASSWORD}),
        ("new_password", {"current_password": TEMPORARY_PASSWORD, "new_password": "short"}),
        ("new_password", {"current_password": TEMPORARY_PASSWORD, "new_password": "I am Grace Hopper, me"}),
        ("new_password", {"current_password": TEMPORARY_PASSWORD}),
        ("current_password", {"new_password": OWN_PASSWORD}),
    ],
)
def test_invalid_password_change_is_refused(
    account: Account, portal: ApiClient, field: str, body: dict[str, str]
) -> None:
    """The problem names the field, and the session stays active."""
    token = account.create_active().new_token()
    response = portal.put("/v1/sessions/current/password", json=body, headers={"Session-Token": token})
    require_problem(response, 422, "invalid-input", field)
    assert is_session_active(portal, token)


def test_guessing_the_current_password_is_throttled(own_clients: ApiClients, clock: TravelingClock) -> None:
    """Otherwise a stolen session would reveal the password."""
    clock.freeze()
    account, portal = own_clients.register_account(), own_clients.portal
    headers = {"Session-Token": account.create_active().new_token()}
    wrong_passwords = {"current_password": "not what it is", "new_password": OWN_PASSWORD}
    for _ in range(5):
        assert portal.put("/v1/sessions/current/password", json=wrong_passwords, headers=headers).status_code == 422
    right_passwords = {"current_password": TEMPORARY_PASSWORD, "new_password": OWN_PASSWORD}
    response = portal.put("/v1/sessions/current/password", json=right_passwords, headers=headers)
    require_problem(response, 429, "too-many-attempts")
    assert int(response.headers["Retry-After"]) > 0


def test_logout_ends_only_that_session(account: Account, portal: ApiClient) -> None:
    sub_user = account.create_with_own_password()
    token, other_token = sub_user.new_token(), sub_user.new_token()

    response = portal.delete("/v1/sessions/current", headers={"Session-Token": token})

    assert (response.status_code, response.data) == (204, b"")
    assert "Event-Position" in response.headers
    assert (is_session_active(portal, token), is_session_active(portal, other_token)) == (False, True)
    second_logout = portal.delete("/v1/sessions/current", headers={"Session-Token": token})
    require_problem(second_logout, 401, "session-ended")


@pytest.mark.parametrize("token", ["a" * 43, "\u00e9" * 40, "token", "x" * 1000])
def test_unknown_session_token_is_refused(portal: ApiClient, token: str) -> None:
    body = {"current_password": TEMPORARY_PASSWORD, "new_password": OWN_PASSWORD}
    headers = {"Session-Token": token}
    require_problem(portal.put("/v1/sessions/current/password", json=body, headers=headers), 401, "session-ended")
    require_problem(portal.delete("/v1/sessions/current", headers=headers), 401, "session-ended")


def test_missing_or_overlong_session_token_is_refused(portal: ApiClient) -> None:
    body = {"current_password": TEMPORARY_PASSWORD, "new_password": OWN_PASSWORD}
    for headers in ({}, {"Session-Token": ""}, {"Session-Token": "x" * 1001}):
        password_change = portal.put("/v1/sessions/current/password", json=body, headers=headers)
        require_problem(password_change, 422, "invalid-input", "Session-Token")
        logout = portal.delete("/v1/sessions/current", headers=headers)
        require_problem(logout, 422, "invalid-input", "Session-Token")


def test_sessions_are_listed_newest_first(account: Account, portal: ApiClient) -> None:
    """Each session has its times and its client, but not its token."""
    sub_user = account.create_with_own_password()
    portal.delete(f"{sub_user.path}/sessions")
    tokens = []
    for ip in ("192.0.2.1", "2001:db8::2"):
        headers = {"X-Client-IP": ip, "X-Client-User-Agent": f"a browser at {ip}"}
        tokens.append(portal.post("/v1/sessions", json=sub_user.credentials, headers=headers).json["token"])  # type: ignore[index]

    response = portal.get(f"{sub_user.path}/sessions")

    body: Any = response.json
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert set(body) == {"items", "next_cursor"}
    assert body["next_cursor"] is None
    assert [set(row) for row in body["items"]] == [LISTED_SESSION_FIELDS, LISTED_SESSION_FIELDS]
    assert [(row["ip"], row["user_agent"]) for row in body["items"]] == [
        ("2001:db8::2", "a browser at 2001:db8::2"),
        ("192.0.2.1", "a browser at 192.0.2.1"),
    ]
    assert [row["must_change_password"] for row in body["items"]] == [False, False]
    assert all(token not in response.text for token in tokens)


def test_all_sessions_of_a_sub_user_can_be_ended(account: Account, portal: ApiClient) -> None:
    """The sub-user can log in again."""
    sub_user = account.create_with_own_password()
    tokens = [sub_user.new_token(), sub_user.new_token()]

    response = portal.delete(f"{sub_user.path}/sessions")

    assert (response.status_code, response.data) == (204, b"")
    assert "Event-Position" in response.headers
    assert [is_session_active(portal, token) for token in tokens] == [False, False]
    assert portal.get(f"{sub_user.path}/sessions").json == {"items": [], "next_cursor": None}
    assert is_session_active(portal, sub_user.new_token())


def test_sessions_of_an_unknown_sub_user_are_not_found(account: Account, portal: ApiClient) -> None:
    path = f"{account.path}/sub-users/{uuid4()}/sessions"
    require_problem(portal.get(path), 404, "sub-user-not-found")
    require_problem(portal.delete(path), 404, "sub-user-not-found")


def test_session_ends_after_an_idle_hour_and_after_a_day(own_clients: ApiClients, clock: TravelingClock) -> None:
    sub_user = own_clients.register_account().create_with_own_password()
    idle, used = sub_user.new_token(), sub_user.new_token()
    clock.advance(minutes=59)
    assert is_session_active(own_clients.portal, used)
    clock.advance(minutes=2)
    assert (is_session_active(own_clients.portal, idle), is_session_active(own_clients.portal, used)) == (False, True)
    active_after_each_use = []
    for _ in range(26):  # 61 minutes have passed, and a day has 1440
        clock.advance(minutes=55)
        active_after_each_use.append(is_session_active(own_clients.portal, used))
    assert active_after_each_use == [True] * 25 + [False]


def test_session_ends_when_access_expires(own_clients: ApiClients, clock: TravelingClock) -> None:
    """The session's expiry is that of the access."""
    account = own_clients.register_account()
    expiry = datetime.now(UTC) + timedelta(minutes=30)
    sub_user = account.create_active(access_expires_at=expiry.isoformat())
    body: Any = sub_user.log_in().json
    introspection: Any = own_clients.portal.post("/v1/sessions/introspect", json={"token": body["token"]}).json
    assert datetime.fromisoformat(introspection["expires_at"]) == expiry
    clock.advance(minutes=31)
    assert not is_session_active(own_clients.portal, body["token"])
    assert sub_user.log_in().status_code == 401


def test_temporary_password_expires_after_a_week(own_clients: ApiClients, clock: TravelingClock) -> None:
    """A new password can be used again."""
    sub_user = own_clients.register_account().create_active()
    clock.advance(days=6, hours=23)
    assert sub_user.log_in().status_code == 201
    clock.advance(hours=2)
    require_problem(sub_user.log_in(), 401, "login-refused")
    sub_user.change(password="another phrase for now")
    assert sub_user.log_in(password="another phrase for now").status_code == 201
