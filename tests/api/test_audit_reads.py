"""Whoever audits is audited: that the log was read, or a copy taken, stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.api.callers import require_problem

if TYPE_CHECKING:
    from tests.api.callers import Account, Doors

CSV = {"Accept": "text/csv"}


def looks(account: Account) -> list[dict[str, Any]]:
    """Return what the account's log has of looks at it, newest first."""
    return [row for row in account.rows() if row["action"].startswith("audit_log.")]


def test_that_an_auditor_reads_is_in_the_log(doors: Doors, account: Account) -> None:
    """With who it was, from where, and what was asked for; what they are shown does not have it yet."""
    query = {"action": "sub_user.created", "since": "2026-01-01T00:00:00Z"}
    answer = doors.auditor.get(f"{account.path}/audit-log", query_string=query, headers={"User-Agent": "a script"})
    assert answer.json == {"items": [], "next_cursor": None}

    (look,) = looks(account)
    assert look["action"] == "audit_log.read"
    assert (look["actor"]["type"], look["actor"]["name"]) == ("auditor", "the auditor's key")
    assert (look["ip"], look["user_agent"]) == ("127.0.0.1", "a script")
    assert look["details"] == {
        "what": "audit_log",
        "wanted_action": "sub_user.created",
        "since": "2026-01-01T00:00:00Z",
    }


def test_further_pages_are_the_same_look(doors: Doors, account: Account) -> None:
    account.let_in()
    path = f"{account.path}/audit-log"
    first: Any = doors.auditor.get(path, query_string={"limit": 1}).json
    assert doors.auditor.get(path, query_string={"limit": 1, "cursor": first["next_cursor"]}).status_code == 200
    assert len(looks(account)) == 1


def test_the_owner_s_own_look_is_not_recorded_but_a_copy_is(account: Account) -> None:
    """And the copy ends before the row that tells of it."""
    account.rows()
    assert looks(account) == []
    for expected in (1, 2):
        answer = account.portal.get(f"{account.path}/audit-log", headers=CSV)
        assert answer.text.count("audit_log.exported") == expected - 1
        assert len(looks(account)) == expected
    assert looks(account)[0]["details"] == {"format": "csv", "after": 0}
    assert looks(account)[0]["actor"]["type"] == "main_account"


def test_who_looked_at_one_sub_user_s_part_is_among_what_happened_to_them(doors: Doors, account: Account) -> None:
    one = account.let_in()
    doors.auditor.get(f"{account.path}/audit-log", query_string={"sub_user_id": one.sub_user_id})
    assert [row["action"] for row in account.rows(sub_user_id=one.sub_user_id)] == [
        "audit_log.read",
        "sub_user.created",
    ]


def test_no_activity_passes_for_a_look(account: Account) -> None:
    one = account.let_in()
    body = {"activities": [{"sub_user_id": one.sub_user_id, "action": "audit_log.read"}]}
    require_problem(account.portal.post(f"{account.path}/activities", json=body), 422, "invalid-input", "activities")
