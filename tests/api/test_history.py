"""History of an account over HTTP: events in words and as data, and the account's state at a time."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.clients import require_problem

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClients, SubUser
    from tests.conftest import TravelingClock

NDJSON = {"Accept": "application/x-ndjson"}


def history(clients: ApiClients, account: Account, **query: Any) -> dict[str, Any]:
    """Read a page of the history as an auditor."""
    response = clients.auditor.get(f"{account.path}/history", query_string={"limit": 200, **query})
    assert response.status_code == 200, response.text
    response_body: dict[str, Any] = response.json  # type: ignore[assignment]
    return response_body


def in_words(response_body: dict[str, Any]) -> list[str]:
    return [item["in_words"] for item in response_body["items"]]


@pytest.fixture
def grace(account: Account) -> SubUser:
    """Return a sub-user who was created, activated and renamed, and has one activity."""
    sub_user = account.create_active(name="Grace", surname="Hopper")
    sub_user.change(name="Ada", visible=False)
    body = {"activities": [{"sub_user_id": sub_user.sub_user_id, "action": "tool.used", "target": "a hammer"}]}
    assert account.portal.post(f"{account.path}/activities", json=body).status_code == 201
    return sub_user


def test_history_has_every_event_in_words_and_as_data(clients: ApiClients, account: Account, grace: SubUser) -> None:
    """Each item has the actor, the name of the sub-user at that time, the time, and what changed."""
    first_page = history(clients, account)

    assert in_words(first_page) == [
        "Winds & Waves registered the account",
        "Winds & Waves added Grace Hopper",
        "Winds & Waves activated Grace Hopper",
        "Winds & Waves changed the name of Grace Hopper",
        "Winds & Waves hid Ada Hopper from lists and reports",
        "Ada Hopper: tool.used · a hammer",
    ]
    assert [item["account_version"] for item in first_page["items"]] == [1, 2, 3, 4, 5, None]
    assert [item["position"] for item in first_page["items"]] == sorted(
        item["position"] for item in first_page["items"]
    )
    renamed = first_page["items"][3]
    assert renamed["changes"] == {"name": {"before": "Grace", "after": "Ada"}}
    assert renamed["event"] == "SubUserDetailsChanged"
    assert renamed["request_id"] == first_page["items"][4]["request_id"]
    assert first_page["items"][2]["changes"] == {
        "status": {"before": "inactive", "after": "active"},
        "has_access": {"before": False, "after": True},
        "credentials_mail": {"before": "none", "after": "pending"},
    }
    assert first_page["next_cursor"] is None


def test_state_shows_who_had_access_at_a_time(clients: ApiClients, account: Account, grace: SubUser) -> None:
    """The state as of an event's time includes that event and no later one."""
    items = history(clients, account)["items"]
    states = [history(clients, account, as_of=item["recorded_at"])["state"] for item in items]

    assert [state["account_version"] for state in states] == [1, 2, 3, 5, 5, 5]  # two events of one command
    assert [[sub_user["has_access"] for sub_user in state["sub_users"]] for state in states[:3]] == [
        [],
        [False],
        [True],
    ]
    assert [state["with_access"] for state in states] == [0, 0, 1, 1, 1, 1]
    assert states[1]["sub_users"][0]["no_access_reason"] == "inactive"
    assert (states[2]["sub_users"][0]["name"], states[4]["sub_users"][0]["name"]) == ("Grace", "Ada")
    assert [state["as_of"] for state in states] == [item["recorded_at"] for item in items]


def test_events_dated_in_the_future_are_shown(own_clients: ApiClients, clock: TravelingClock) -> None:
    """A host with a fast clock may have recorded them; no read may lack an event that was confirmed before it."""
    account = own_clients.register_account()
    sub_user = account.create_sub_user()
    clock.advance(hours=1)
    body = {"activities": [{"sub_user_id": sub_user.sub_user_id, "action": "tool.used"}]}
    assert account.portal.post(f"{account.path}/activities", json=body).status_code == 201
    clock.advance(hours=-1)
    pages = [history(own_clients, account, limit=1)]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(history(own_clients, account, limit=1, cursor=cursor))
    assert [item["action"] for page in pages for item in page["items"]][2:] == ["tool.used"]


def test_history_before_registration_is_empty(clients: ApiClients, account: Account) -> None:
    response_body = history(clients, account, as_of="2020-01-01T00:00:00Z")
    assert (response_body["items"], response_body["state"], response_body["next_cursor"]) == ([], None, None)


def test_earliest_time_is_accepted(clients: ApiClients, account: Account) -> None:
    assert history(clients, account, as_of="0001-01-01T00:00:00Z")["items"] == []


@pytest.mark.parametrize("headers", [{}, NDJSON])
@pytest.mark.parametrize("as_of", ["9999-12-31T23:59:59Z", "9999-12-31", 2])
def test_future_is_refused(clients: ApiClients, account: Account, as_of: str | int, headers: dict[str, str]) -> None:
    """Events recorded until then could change the answer. No access is recorded."""
    if isinstance(as_of, int):
        as_of = (clients.service.clock() + timedelta(seconds=as_of)).isoformat()
    query = {"as_of": as_of}
    response = clients.auditor.get(f"{account.path}/history", query_string=query, headers=headers)
    assert require_problem(response, 422, "invalid-input", "as_of")["errors"] == {
        "as_of": ["must not be in the future"]
    }
    assert account.audit_log_rows(action="audit_log.read") == []


def test_day_is_its_beginning_in_utc(own_clients: ApiClients, clock: TravelingClock) -> None:
    account = own_clients.register_account()
    tomorrow = (own_clients.service.clock() + timedelta(days=1)).date()
    clock.advance(days=1)
    account.create_sub_user()
    page = history(own_clients, account, as_of=str(tomorrow))
    assert page["state"]["as_of"] == f"{tomorrow}T00:00:00Z"
    assert [item["action"] for item in page["items"]] == ["main_account.registered"]
    for path in ("audit-log", "export?format=csv"):
        separator = "&" if "?" in path else "?"
        response = own_clients.auditor.get(f"{account.path}/{path}{separator}since={tomorrow}")
        assert response.status_code == 200
        assert "sub_user.created" in response.text
        assert "main_account.registered" not in response.text


def test_expiry_of_access_is_computed_without_an_event(own_clients: ApiClients, clock: TravelingClock) -> None:
    clients, account = own_clients, own_clients.register_account()
    sub_user = account.create_with_own_password()
    expiry = clients.service.clock() + timedelta(hours=1)
    sub_user.change(access_expires_at=expiry.isoformat())
    clock.advance(hours=2)
    before = expiry - timedelta(microseconds=1)
    for as_of, has_access in ((before.isoformat(), True), (expiry.isoformat(), False)):
        (state,) = history(clients, account, as_of=as_of)["state"]["sub_users"]
        assert (state["has_access"], state["expired"]) == (has_access, not has_access)
        assert state["status"] == "active"


def test_expiry_of_a_temporary_password_is_computed_without_an_event(
    own_clients: ApiClients, clock: TravelingClock
) -> None:
    """Sub-users with a password of their own keep access."""
    clients, account = own_clients, own_clients.register_account()
    with_temporary_password, with_own_password = account.create_active(), account.create_with_own_password()
    expiry = with_temporary_password.fetch()["temporary_password_expires_at"]
    before = (datetime.fromisoformat(expiry) - timedelta(microseconds=1)).isoformat()
    clock.advance(seconds=(datetime.fromisoformat(expiry) - clients.service.clock()).total_seconds())
    for as_of, reason in ((before, None), (expiry, "temporary_password_expired")):
        state = history(clients, account, as_of=as_of)["state"]
        sub_users = {entry["sub_user_id"]: entry for entry in state["sub_users"]}
        assert sub_users[with_temporary_password.sub_user_id]["has_access"] == (reason is None)
        assert sub_users[with_temporary_password.sub_user_id]["no_access_reason"] == reason
        assert sub_users[with_temporary_password.sub_user_id]["temporary_password_expires_at"] == expiry
        assert sub_users[with_own_password.sub_user_id]["has_access"]
        assert state["with_access"] == 1 + (reason is None)


def test_closed_account_gives_no_access(clients: ApiClients, account: Account) -> None:
    account.create_active()
    account.portal.delete(account.path)
    state = history(clients, account)["state"]
    assert (state["status"], state["with_access"]) == ("closed", 0)
    assert state["sub_users"][0]["no_access_reason"] == "account_closed"


def test_deleted_sub_user_stays_in_the_history_without_personal_data(
    clients: ApiClients, account: Account, grace: SubUser
) -> None:
    """Their data is shown as [erased], and the earlier state still shows that they had access."""
    before = history(clients, account)
    account.portal.delete(grace.path)

    current = history(clients, account)
    earlier_state = history(clients, account, as_of=before["items"][-1]["recorded_at"])

    text = json.dumps(current) + json.dumps(earlier_state)
    assert not [secret for secret in ("Grace", "Ada", "Hopper", grace.email, "hammer") if secret in text]
    assert current["state"]["sub_users"] == []
    assert [sub_user["name"] for sub_user in earlier_state["state"]["sub_users"]] == ["[erased]"]
    assert earlier_state["state"]["with_access"] == 1
    assert earlier_state["items"][3]["in_words"] == "Winds & Waves changed the name of a deleted person"
    assert earlier_state["items"][3]["changes"] == {"name": {"before": "[erased]", "after": "[erased]"}}
    assert current["items"][-2]["changes"]["status"] == {"before": "active", "after": None}


def test_filter_by_sub_user(clients: ApiClients, account: Account, grace: SubUser) -> None:
    """The state has and counts only this sub-user. An unknown one is refused: they would seem to have no events."""
    account.create_active()
    response_body = history(clients, account, sub_user_id=grace.sub_user_id)
    assert [item["account_version"] for item in response_body["items"]] == [2, 3, 4, 5, None]
    assert [sub_user["sub_user_id"] for sub_user in response_body["state"]["sub_users"]] == [grace.sub_user_id]
    assert response_body["state"]["with_access"] == 1
    for headers in ({}, NDJSON):
        query = {"sub_user_id": str(uuid4())}
        response = clients.auditor.get(f"{account.path}/history", query_string=query, headers=headers)
        require_problem(response, 404, "sub-user-not-found")
    before = history(clients, account, sub_user_id=grace.sub_user_id, as_of="2020-01-01T00:00:00Z")
    assert (before["items"], before["state"]) == ([], None)


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_pages_together_are_the_whole_history(
    clients: ApiClients, account: Account, grace: SubUser, limit: int
) -> None:
    """Events recorded between two pages do not disturb them; only the first page has the state."""
    full_history = history(clients, account)
    page = history(clients, account, limit=limit)
    assert {**page["state"], "as_of": ""} == {**full_history["state"], "as_of": ""}
    items = page["items"]
    grace.change(name="Hedy")
    while page["next_cursor"]:
        page = history(clients, account, limit=limit, cursor=page["next_cursor"])
        assert page["state"] is None
        items += page["items"]
    assert [item for item in items if item["event"] != "AuditLogRead"] == full_history["items"]


def test_cursor_is_bound_to_its_account_and_query(clients: ApiClients, account: Account, grace: SubUser) -> None:
    cursor = history(clients, account, limit=1)["next_cursor"]
    for query in ({"as_of": "2026-01-01T00:00:00Z"}, {"sub_user_id": grace.sub_user_id}):
        response = clients.auditor.get(f"{account.path}/history", query_string={**query, "cursor": cursor})
        require_problem(response, 422, "invalid-input", "cursor")
    response = clients.auditor.get(f"{clients.register_account().path}/history", query_string={"cursor": cursor})
    require_problem(response, 422, "invalid-input", "cursor")


def test_ndjson_has_the_whole_history(clients: ApiClients, account: Account, grace: SubUser) -> None:
    """The end line has the state; a file without it is incomplete."""
    full_history = history(clients, account)
    response = clients.auditor.get(f"{account.path}/history", headers=NDJSON)
    assert response.content_type == "application/x-ndjson"
    *lines, end = (json.loads(line) for line in response.text.splitlines())
    assert [line for line in lines if line["event"] != "AuditLogRead"] == full_history["items"]
    assert (end["end"], end["events"]) == (True, len(lines))
    assert {**end["state"], "as_of": ""} == {**full_history["state"], "as_of": ""}


def test_read_of_the_history_is_recorded(clients: ApiClients, account: Account) -> None:
    history(clients, account, as_of="2026-01-01T00:00:00Z")
    (row,) = account.audit_log_rows(action="audit_log.read")
    assert row["details"] == {"what": "history", "as_of": "2026-01-01T00:00:00Z"}


def test_invalid_requests_are_refused(clients: ApiClients, account: Account) -> None:
    for query, field in (({"as_of": "yesterday"}, "as_of"), ({"sub_user_id": "x"}, "sub_user_id"), ({"a": 1}, "a")):
        require_problem(clients.auditor.get(f"{account.path}/history", query_string=query), 422, "invalid-input", field)
    require_problem(clients.auditor.get(f"/v1/accounts/{uuid4()}/history"), 404, "account-not-found")
    refused = clients.auditor.get(f"{account.path}/history", headers={"Accept": "text/csv"})
    require_problem(refused, 406, "not-acceptable")
