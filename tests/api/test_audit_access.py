"""Audit of auditing: reads by auditors and all exports are themselves in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.api.clients import require_problem

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClients

CSV = {"Accept": "text/csv"}


def read_entries(account: Account) -> list[dict[str, Any]]:
    """Return the entries for reads and exports of the account's log, newest first."""
    return [row for row in account.audit_log_rows() if row["action"].startswith("audit_log.")]


def test_read_by_an_auditor_is_recorded(clients: ApiClients, account: Account) -> None:
    """The entry has actor, client and filters; the response itself does not contain it yet."""
    query = {"action": "sub_user.created", "since": "2026-01-01T00:00:00Z"}
    response = clients.auditor.get(f"{account.path}/audit-log", query_string=query, headers={"User-Agent": "a script"})
    assert response.json == {"items": [], "next_cursor": None}

    (entry,) = read_entries(account)
    assert entry["action"] == "audit_log.read"
    assert (entry["actor"]["type"], entry["actor"]["name"]) == ("auditor", "the auditor's key")
    assert (entry["ip"], entry["user_agent"]) == ("127.0.0.1", "a script")
    assert entry["details"] == {
        "what": "audit_log",
        "wanted_action": "sub_user.created",
        "since": "2026-01-01T00:00:00Z",
    }


def test_all_filters_of_a_read_are_recorded(clients: ApiClients, account: Account) -> None:
    query = {"action": ["sub_user.created", "tool.used"], "actor_type": "sub_user", "actor_id": "someone"}
    clients.auditor.get(f"{account.path}/audit-log", query_string=query)
    (entry,) = read_entries(account)
    assert entry["details"] == {
        "what": "audit_log",
        "wanted_action": "sub_user.created, tool.used",
        "wanted_actor_type": "sub_user",
        "wanted_actor_id": "someone",
    }


def test_further_pages_are_not_recorded_again(clients: ApiClients, account: Account) -> None:
    account.create_sub_user()
    path = f"{account.path}/audit-log"
    first: Any = clients.auditor.get(path, query_string={"limit": 1}).json
    assert clients.auditor.get(path, query_string={"limit": 1, "cursor": first["next_cursor"]}).status_code == 200
    assert len(read_entries(account)) == 1


def test_read_by_the_owner_is_not_recorded_but_an_export_is(account: Account) -> None:
    """An export ends before its own entry."""
    account.audit_log_rows()
    assert read_entries(account) == []
    for expected in (1, 2):
        response = account.portal.get(f"{account.path}/audit-log", headers=CSV)
        assert response.text.count("audit_log.exported") == expected - 1
        assert len(read_entries(account)) == expected
    assert read_entries(account)[0]["details"] == {"format": "csv", "after": 0}
    assert read_entries(account)[0]["actor"]["type"] == "main_account"


def test_read_filtered_by_sub_user_is_in_their_part_of_the_log(clients: ApiClients, account: Account) -> None:
    sub_user = account.create_sub_user()
    clients.auditor.get(f"{account.path}/audit-log", query_string={"sub_user_id": sub_user.sub_user_id})
    assert [row["action"] for row in account.audit_log_rows(sub_user_id=sub_user.sub_user_id)] == [
        "audit_log.read",
        "sub_user.created",
    ]


def test_activity_cannot_use_an_audit_log_action(account: Account) -> None:
    sub_user = account.create_sub_user()
    body = {"activities": [{"sub_user_id": sub_user.sub_user_id, "action": "audit_log.read"}]}
    require_problem(account.portal.post(f"{account.path}/activities", json=body), 422, "invalid-input", "activities")
