"""The history of an account over HTTP: in words and in data, and what it amounted to at a moment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.callers import require_problem

if TYPE_CHECKING:
    from tests.api.callers import Account, Doors, SubUser
    from tests.conftest import TravelingClock

NDJSON = {"Accept": "application/x-ndjson"}


def history(doors: Doors, account: Account, **query: Any) -> dict[str, Any]:
    answer = doors.auditor.get(f"{account.path}/history", query_string={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json  # type: ignore[assignment]
    return told


def in_words(told: dict[str, Any]) -> list[str]:
    return [item["in_words"] for item in told["items"]]


@pytest.fixture
def grace(account: Account) -> SubUser:
    """Give a sub-user who was let in, activated, renamed, and did something."""
    one = account.let_in_active(name="Grace", surname="Hopper")
    one.change(name="Ada", visible=False)
    body = {"activities": [{"sub_user_id": one.sub_user_id, "action": "tool.used", "target": "a hammer"}]}
    assert account.portal.post(f"{account.path}/activities", json=body).status_code == 201
    return one


def test_everything_is_told_in_order_in_words_and_in_data(doors: Doors, account: Account, grace: SubUser) -> None:
    """Who did what, to whom as they were called then, when, and what it changed."""
    told = history(doors, account)

    assert in_words(told) == [
        "Winds & Waves registered the account",
        "Winds & Waves added Grace Hopper",
        "Winds & Waves activated Grace Hopper",
        "Winds & Waves changed the name of Grace Hopper",
        "Winds & Waves hid Ada Hopper from lists and reports",
        "Ada Hopper: tool.used · a hammer",
    ]
    assert [item["account_version"] for item in told["items"]] == [1, 2, 3, 4, 5, None]
    assert [item["position"] for item in told["items"]] == sorted(item["position"] for item in told["items"])
    renamed = told["items"][3]
    assert renamed["changes"] == {"name": {"before": "Grace", "after": "Ada"}}
    assert renamed["event"] == "SubUserDetailsChanged"
    assert renamed["request_id"] == told["items"][4]["request_id"]
    assert told["items"][2]["changes"] == {
        "status": {"before": "inactive", "after": "active"},
        "has_access": {"before": False, "after": True},
        "credentials_mail": {"before": "none", "after": "pending"},
    }
    assert told["next_cursor"] is None


def test_it_amounts_to_who_had_access_when(doors: Doors, account: Account, grace: SubUser) -> None:
    """As of the time of each event: that event is in it, and none that came later."""
    items = history(doors, account)["items"]
    states = [history(doors, account, as_of=item["recorded_at"])["state"] for item in items]

    assert [state["account_version"] for state in states] == [1, 2, 3, 5, 5, 5]  # two events of one command
    assert [[one["has_access"] for one in state["sub_users"]] for state in states[:3]] == [[], [False], [True]]
    assert [state["with_access"] for state in states] == [0, 0, 1, 1, 1, 1]
    assert states[1]["sub_users"][0]["why_no_access"] == "inactive"
    assert (states[2]["sub_users"][0]["name"], states[4]["sub_users"][0]["name"]) == ("Grace", "Ada")
    assert [state["as_of"] for state in states] == [item["recorded_at"] for item in items]


def test_what_another_clock_dates_ahead_is_told_of_the_present(own_doors: Doors, clock: TravelingClock) -> None:
    """By whichever process it was recorded: no read lacks what had been answered before."""
    account = own_doors.account()
    one = account.let_in()
    clock.advance(hours=1)
    body = {"activities": [{"sub_user_id": one.sub_user_id, "action": "tool.used"}]}
    assert account.portal.post(f"{account.path}/activities", json=body).status_code == 201
    clock.advance(hours=-1)
    pages = [history(own_doors, account, limit=1)]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(history(own_doors, account, limit=1, cursor=cursor))
    assert [item["action"] for page in pages for item in page["items"]][2:] == ["tool.used"]


def test_before_there_was_an_account_there_is_nothing(doors: Doors, account: Account) -> None:
    told = history(doors, account, as_of="2020-01-01T00:00:00Z")
    assert (told["items"], told["state"], told["next_cursor"]) == ([], None, None)


@pytest.mark.parametrize("as_of", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_the_ends_of_time_are_moments_too(doors: Doors, account: Account, as_of: str) -> None:
    assert len(history(doors, account, as_of=as_of)["items"]) == int(as_of.startswith("9"))


def test_access_that_ends_by_its_date_needs_no_event(doors: Doors, account: Account) -> None:
    """What time alone changes is reckoned to the moment that is asked for."""
    one = account.let_in_active()
    one.change(access_expires_at="2099-01-01T00:00:00Z")
    for as_of, has_access in (("2098-12-31T23:59:59Z", True), ("2099-01-01T00:00:00Z", False)):
        (state,) = history(doors, account, as_of=as_of)["state"]["sub_users"]
        assert (state["has_access"], state["expired"]) == (has_access, not has_access)
        assert state["status"] == "active"


def test_nobody_has_access_to_a_closed_account(doors: Doors, account: Account) -> None:
    account.let_in_active()
    account.portal.delete(account.path)
    state = history(doors, account)["state"]
    assert (state["status"], state["with_access"]) == ("closed", 0)
    assert state["sub_users"][0]["why_no_access"] == "account_closed"


def test_of_somebody_deleted_it_is_told_that_but_not_who(doors: Doors, account: Account, grace: SubUser) -> None:
    """Their part reads [erased] everywhere, and that they had access is still known."""
    before = history(doors, account)
    account.portal.delete(grace.path)

    now = history(doors, account)
    then = history(doors, account, as_of=before["items"][-1]["recorded_at"])

    text = json.dumps(now) + json.dumps(then)
    assert not [secret for secret in ("Grace", "Ada", "Hopper", grace.email, "hammer") if secret in text]
    assert now["state"]["sub_users"] == []
    assert [one["name"] for one in then["state"]["sub_users"]] == ["[erased]"]
    assert then["state"]["with_access"] == 1
    assert then["items"][3]["in_words"] == "Winds & Waves changed the name of a deleted person"
    assert then["items"][3]["changes"] == {"name": {"before": "[erased]", "after": "[erased]"}}
    assert now["items"][-2]["changes"]["status"] == {"before": "active", "after": None}


def test_one_sub_user_s_part(doors: Doors, account: Account, grace: SubUser) -> None:
    """Their events, and them alone in the state; how many have access is said of all."""
    account.let_in_active()
    told = history(doors, account, sub_user_id=grace.sub_user_id)
    assert [item["account_version"] for item in told["items"]] == [2, 3, 4, 5, None]
    assert [one["sub_user_id"] for one in told["state"]["sub_users"]] == [grace.sub_user_id]
    assert told["state"]["with_access"] == 2


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_pages_are_the_history_in_pieces(doors: Doors, account: Account, grace: SubUser, limit: int) -> None:
    """Each event once, as in the whole, though more is recorded meanwhile; the state comes with the first."""
    whole = history(doors, account)
    page = history(doors, account, limit=limit)
    assert {**page["state"], "as_of": ""} == {**whole["state"], "as_of": ""}
    items = page["items"]
    grace.change(name="Hedy")
    while page["next_cursor"]:
        page = history(doors, account, limit=limit, cursor=page["next_cursor"])
        assert page["state"] is None
        items += page["items"]
    assert [item for item in items if item["event"] != "AuditLogRead"] == whole["items"]


def test_a_cursor_is_good_for_its_own_history_alone(doors: Doors, account: Account, grace: SubUser) -> None:
    cursor = history(doors, account, limit=1)["next_cursor"]
    for query in ({"as_of": "2099-01-01T00:00:00Z"}, {"sub_user_id": grace.sub_user_id}):
        answer = doors.auditor.get(f"{account.path}/history", query_string={**query, "cursor": cursor})
        require_problem(answer, 422, "invalid-input", "cursor")
    answer = doors.auditor.get(f"{doors.account().path}/history", query_string={"cursor": cursor})
    require_problem(answer, 422, "invalid-input", "cursor")


def test_it_is_streamed_whole(doors: Doors, account: Account, grace: SubUser) -> None:
    """Line by line what pages show, then the end with the state: a file without it is not whole."""
    whole = history(doors, account)
    answer = doors.auditor.get(f"{account.path}/history", headers=NDJSON)
    assert answer.content_type == "application/x-ndjson"
    *lines, end = (json.loads(line) for line in answer.text.splitlines())
    assert [line for line in lines if line["event"] != "AuditLogRead"] == whole["items"]
    assert (end["end"], end["events"]) == (True, len(lines))
    assert {**end["state"], "as_of": ""} == {**whole["state"], "as_of": ""}


def test_that_it_was_read_is_recorded(doors: Doors, account: Account) -> None:
    history(doors, account, as_of="2099-01-01T00:00:00Z")
    (row,) = account.rows(action="audit_log.read")
    assert row["details"] == {"what": "history", "as_of": "2099-01-01T00:00:00Z"}


def test_what_cannot_be_asked_is_refused(doors: Doors, account: Account) -> None:
    """Naming what is wrong."""
    for query, field in (({"as_of": "yesterday"}, "as_of"), ({"sub_user_id": "x"}, "sub_user_id"), ({"a": 1}, "a")):
        require_problem(doors.auditor.get(f"{account.path}/history", query_string=query), 422, "invalid-input", field)
    require_problem(doors.auditor.get(f"/v1/accounts/{uuid4()}/history"), 404, "account-not-found")
    refused = doors.auditor.get(f"{account.path}/history", headers={"Accept": "text/csv"})
    require_problem(refused, 406, "not-acceptable")
