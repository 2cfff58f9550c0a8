"""Personal data export: all data about one sub-user, and none about others."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from api.bootstrap.testing.followers import running_followers
from api.http import downloads
from projections.audit_log import queries
from tests.api.clients import OWN_PASSWORD, ApiClients, require_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.api.clients import Account, SubUser
    from tests.conftest import TravelingClock

OWNER_CLIENT = {"X_Client_IP": "198.51.100.7", "X_Client_User_Agent": "the owner's browser"}
SUB_USER_CLIENT = {"X_Client_IP": "203.0.113.213", "X_Client_User_Agent": "their browser"}


def create_sub_user_with_data(account: Account) -> SubUser:
    """Create a sub-user with sessions, mails, usage and activities, changed by the owner."""
    account_of_owner = replace(account, portal=account.portal.with_headers(**OWNER_CLIENT))
    sub_user = account_of_owner.create_active(email="grace@company.example")
    sub_user = replace(
        sub_user, account=replace(account, portal=account.portal.with_headers(**SUB_USER_CLIENT))
    ).set_own_password(OWN_PASSWORD)
    activity = {"sub_user_id": sub_user.sub_user_id, "action": "a.b", "target": "a target", "details": {"a": 1}}
    usage = {"sub_user_id": sub_user.sub_user_id, "conversation_ms": 90_000, "llm_tokens": 7}
    assert (
        sub_user.account.portal.post(f"{account.path}/activities", json={"activities": [activity]}).status_code == 201
    )
    assert sub_user.account.portal.post(f"{account.path}/usage", json=usage).status_code == 201
    return sub_user


def fetch_personal_data(sub_user: SubUser) -> dict[str, Any]:
    response = sub_user.account.portal.get(f"{sub_user.path}/personal-data")
    assert (response.status_code, response.content_type) == (200, "application/json"), response.text
    assert response.headers["Cache-Control"] == "no-store"
    data: dict[str, Any] = json.loads(response.data)
    return data


def test_export_has_all_data_about_the_sub_user(account: Account) -> None:
    sub_user = create_sub_user_with_data(account)
    account.create_sub_user(name="Somebody", surname="Else")

    data = fetch_personal_data(sub_user)

    assert data["profile"] == sub_user.fetch()
    assert data["erasure_due_at"] is None
    assert [(session["ip"], session["user_agent"]) for session in data["sessions"]] == [tuple(SUB_USER_CLIENT.values())]
    assert {mail["notice"] for mail in data["mails"]} == {"activation", "password_changed"}
    assert [(day["conversation_ms"], day["llm_tokens"]) for day in data["usage"]] == [(90_000, 7)]
    rows = {row["action"]: row for row in data["audit_log"]}
    assert rows.keys() >= {"sub_user.created", "sub_user.logged_in", "a.b", "sub_user.usage_recorded"}
    assert [rows["a.b"][name] for name in ("ip", "target", "details")] == ["203.0.113.213", "a target", {"a": 1}]
    assert rows["sub_user.created"]["details"]["email"] == "grace@company.example"


def test_export_has_no_data_about_others(account: Account) -> None:
    """The owner's address and browser are left out, even where the owner changed the sub-user."""
    sub_user = create_sub_user_with_data(account)
    account.create_sub_user(name="Somebody", surname="Else")
    text = json.dumps(fetch_personal_data(sub_user))

    assert not [
        value for value in (*OWNER_CLIENT.values(), "Somebody", "Winds & Waves", account.email) if value in text
    ]


def test_export_is_recorded(account: Account) -> None:
    sub_user = create_sub_user_with_data(account)
    fetch_personal_data(sub_user)

    row = account.audit_log_rows()[0]
    assert (row["action"], row["sub_user_id"]) == ("audit_log.exported", sub_user.sub_user_id)
    assert row["details"]["format"] == "personal-data"


def test_export_continues_after_each_batch_of_rows(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has every row of the log but that of the export itself."""
    sub_user = create_sub_user_with_data(account)
    monkeypatch.setattr(queries, "STREAM_BATCH", 2)

    assert (
        len(fetch_personal_data(sub_user)["audit_log"])
        == len(account.audit_log_rows(sub_user_id=sub_user.sub_user_id)) - 1
    )


def test_rows_removed_during_the_export_appear_once(
    build: Callable[..., Service], settings: Settings, clock: TravelingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention removes rows from the log while older ones are still being read."""
    monkeypatch.setattr(downloads, "LINES_PER_CHUNK", 1)
    service = build(replace(settings, audit_retention=timedelta(days=30)))
    with running_followers(service):
        sub_user = create_sub_user_with_data(ApiClients.of(service).register_account())
        portal = sub_user.account.portal
        test_client = portal.app.test_client()  # does not read the whole response at once
        response = test_client.get(f"{sub_user.path}/personal-data", headers=portal.headers)
        chunks = response.iter_encoded()
        first_chunks = list(islice(chunks, len(sub_user.account.audit_log_rows(sub_user_id=sub_user.sub_user_id)) + 1))
        clock.advance(days=32)
        assert service.workers.audit_retention.step(service.database)
        positions = [row["position"] for row in json.loads(b"".join([*first_chunks, *chunks]))["audit_log"]]
    assert len(positions) > 1
    assert positions == sorted(set(positions), reverse=True)


def test_export_of_unknown_foreign_or_erased_sub_users_is_not_found(clients: ApiClients, account: Account) -> None:
    sub_user, other_account = create_sub_user_with_data(account), clients.register_account()
    for path in (
        f"{other_account.path}/sub-users/{sub_user.sub_user_id}",
        f"{account.path}/sub-users/{other_account.account_id}",
    ):
        require_problem(account.portal.get(f"{path}/personal-data"), 404, "sub-user-not-found")

    assert account.portal.delete(sub_user.path).status_code == 204

    require_problem(account.portal.get(f"{sub_user.path}/personal-data"), 404, "sub-user-not-found")


@pytest.fixture
def clients_with_hold(build: Callable[..., Service], settings: Settings) -> Iterator[ApiClients]:
    """Return clients of a service that keeps the data of deleted sub-users for a day."""
    service = build(replace(settings, erasure_delay=timedelta(days=1)))
    with running_followers(service):
        yield ApiClients.of(service)


def test_export_is_available_during_a_legal_hold(clients_with_hold: ApiClients, clock: TravelingClock) -> None:
    """It has no profile, but the time of the erasure. After the erasure, the sub-user is not found."""
    sub_user = create_sub_user_with_data(clients_with_hold.register_account())
    assert sub_user.account.portal.delete(sub_user.path).status_code == 204

    data = fetch_personal_data(sub_user)
    assert (data["profile"], data["sessions"]) == (None, [])
    assert data["erasure_due_at"] > clock().isoformat()
    assert "grace@company.example" in json.dumps(data["audit_log"])

    clock.advance(days=2)
    assert clients_with_hold.service.commands.erasures.erase_next()
    require_problem(sub_user.account.portal.get(f"{sub_user.path}/personal-data"), 404, "sub-user-not-found")
