"""A person's right to know: all that is held about them, and nothing about others."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from api.http import audit_csv
from projections import audit_queries
from tests.api.callers import OWN, Doors, require_problem
from tests.conftest import following

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap import Service
    from api.config import Settings
    from tests.api.callers import Account, SubUser
    from tests.conftest import TravelingClock

OWNER = {"X_Client_IP": "198.51.100.7", "X_Client_User_Agent": "the owner's browser"}
THEIRS = {"X_Client_IP": "203.0.113.213", "X_Client_User_Agent": "their browser"}


def let_in(account: Account) -> SubUser:
    """Return somebody who has left traces, whom the owner has changed since."""
    owned = replace(account, portal=account.portal.sending(**OWNER))
    one = owned.let_in_active(email="grace@company.example")
    one = replace(one, account=replace(account, portal=account.portal.sending(**THEIRS))).choosing(OWN)
    did = {"sub_user_id": one.sub_user_id, "action": "a.b", "target": "a target", "details": {"a": 1}}
    used = {"sub_user_id": one.sub_user_id, "conversation_minutes": 1.5, "llm_tokens": 7}
    assert one.account.portal.post(f"{account.path}/activities", json={"activities": [did]}).status_code == 201
    assert one.account.portal.post(f"{account.path}/usage", json=used).status_code == 201
    return one


def held_about(one: SubUser) -> dict[str, Any]:
    answer = one.account.portal.get(f"{one.path}/personal-data")
    assert (answer.status_code, answer.content_type) == (200, "application/json"), answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    held: dict[str, Any] = json.loads(answer.data)
    return held


def test_all_that_is_held_about_a_person(account: Account) -> None:
    """Who they are, sessions, mails, usage, and what happened, from where they came."""
    one = let_in(account)
    account.let_in(name="Somebody", surname="Else")

    held = held_about(one)

    assert held["profile"] == one.shown()
    assert held["erasure_due_at"] is None
    assert [(one["ip"], one["user_agent"]) for one in held["sessions"]] == [tuple(THEIRS.values())]
    assert {mail["notice"] for mail in held["mails"]} == {"activation", "password_changed"}
    assert [(day["conversation_minutes"], day["llm_tokens"]) for day in held["usage"]] == [(1.5, 7)]
    rows = {row["action"]: row for row in held["audit_log"]}
    assert rows.keys() >= {"sub_user.created", "sub_user.logged_in", "a.b", "sub_user.usage_recorded"}
    assert [rows["a.b"][name] for name in ("ip", "target", "details")] == ["203.0.113.213", "a target", {"a": 1}]
    assert rows["sub_user.created"]["details"]["email"] == "grace@company.example"


def test_nothing_of_others(account: Account) -> None:
    """Where the owner came from, who changed something of theirs, is the owner's; other people are not in it."""
    one = let_in(account)
    account.let_in(name="Somebody", surname="Else")
    text = json.dumps(held_about(one))

    assert not [word for word in (*OWNER.values(), "Somebody", "Winds & Waves", account.email) if word in text]


def test_that_it_was_given_is_recorded(account: Account) -> None:
    """As every copy is that is taken of the log."""
    one = let_in(account)
    held_about(one)

    row = account.rows()[0]
    assert (row["action"], row["sub_user_id"]) == ("audit_log.exported", one.sub_user_id)
    assert row["details"]["format"] == "personal-data"


def test_it_is_streamed(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is, a few rows are held at a time."""
    one = let_in(account)
    monkeypatch.setattr(audit_queries, "STREAMED_AT_A_TIME", 2)

    assert len(held_about(one)["audit_log"]) == len(account.rows(sub_user_id=one.sub_user_id)) - 1


def test_what_leaves_the_log_meanwhile_is_told_once(
    build: Callable[..., Service], settings: Settings, clock: TravelingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its retention, while the rows that are older still are looked up."""
    monkeypatch.setattr(audit_csv, "ROWS_AT_A_TIME", 1)
    service = build(replace(settings, audit_retention=timedelta(days=30)))
    with following(service):
        one = let_in(Doors.of(service).account())
        portal = one.account.portal
        answer = portal.app.test_client().get(f"{one.path}/personal-data", headers=portal.headers)  # not read ahead
        chunks = answer.iter_encoded()
        told = list(islice(chunks, len(one.account.rows(sub_user_id=one.sub_user_id)) + 1))
        clock.advance(days=32)
        assert service.audit_retention.step(service.database)
        positions = [row["position"] for row in json.loads(b"".join([*told, *chunks]))["audit_log"]]
    assert positions == sorted(set(positions), reverse=True)


def test_nobody_else_gets_it(doors: Doors, account: Account) -> None:
    """Of another account's sub-user, of nobody, and of somebody erased there is nothing."""
    one, other = let_in(account), doors.account()
    for path in (f"{other.path}/sub-users/{one.sub_user_id}", f"{account.path}/sub-users/{other.account_id}"):
        require_problem(account.portal.get(f"{path}/personal-data"), 404, "sub-user-not-found")

    assert account.portal.delete(one.path).status_code == 204

    require_problem(account.portal.get(f"{one.path}/personal-data"), 404, "sub-user-not-found")


@pytest.fixture
def holding(build: Callable[..., Service], settings: Settings) -> Iterator[Doors]:
    """Give the doors of a service that keeps the data of deleted people for a day."""
    service = build(replace(settings, erasure_delay=timedelta(days=1)))
    with following(service):
        yield Doors.of(service)


def test_it_can_be_had_while_it_is_held(holding: Doors, clock: TravelingClock) -> None:
    """Until a legal hold is over: without a profile, and with the time at which all of it goes."""
    one = let_in(holding.account())
    assert one.account.portal.delete(one.path).status_code == 204

    held = held_about(one)
    assert (held["profile"], held["sessions"]) == (None, [])
    assert held["erasure_due_at"] > clock().isoformat()
    assert "grace@company.example" in json.dumps(held["audit_log"])

    clock.advance(days=2)
    assert holding.service.erasures.erase_next()
    require_problem(one.account.portal.get(f"{one.path}/personal-data"), 404, "sub-user-not-found")
