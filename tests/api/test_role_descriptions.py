"""Roles in the descriptions of events: in the history by their name at that time, elsewhere by their latest one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClients, SubUser

RESOURCE = {"type": "assistant", "id": "asst-1041", "label": "Front desk"}
GIVEN = (
    "Winds & Waves gave Grace Hopper the role Editor on the assistant Front desk (asst-1041) until 31 Jan 2099, 12:00"
)


@pytest.fixture
def grace(account: Account) -> SubUser:
    """Return a sub-user who had a role that was renamed in between, and is deleted now."""
    grace, portal = account.create_sub_user(), account.portal
    role: Any = portal.post(f"{account.path}/roles", json={"name": "Editor", "permissions": ["assistants"]}).json
    path = f"{account.path}/roles/{role['role_id']}"
    grant = {"role_id": role["role_id"], "resource": RESOURCE, "expires_at": "2099-01-31T12:00:00Z"}
    assert portal.put(f"{grace.path}/grants", json={"grants": [grant]}).status_code == 200
    assert portal.patch(path, json={"name": "Author"}).status_code == 200
    assert portal.put(f"{grace.path}/grants", json={"grants": []}).status_code == 200
    assert portal.delete(path).status_code == 204
    return grace


def about_roles(sentences: list[str]) -> list[str]:
    return [sentence for sentence in sentences if " role " in sentence]


def test_history_has_the_names_at_the_time(clients: ApiClients, account: Account, grace: SubUser) -> None:
    page: Any = clients.auditor.get(f"{account.path}/history").json
    assert about_roles([item["in_words"] for item in page["items"]]) == [
        "Winds & Waves created the role Editor",
        "Winds & Waves took the role Operator on everything from Grace Hopper",
        GIVEN,
        "Winds & Waves changed the role Editor",
        "Winds & Waves took the role Author on the assistant asst-1041 from Grace Hopper",
        "Winds & Waves deleted the role Author",
    ]


def test_history_of_a_sub_user_names_their_roles(clients: ApiClients, account: Account, grace: SubUser) -> None:
    """Although the events that named the roles are not about the sub-user."""
    query = {"sub_user_id": grace.sub_user_id}
    page: Any = clients.auditor.get(f"{account.path}/history", query_string=query).json
    assert about_roles([item["in_words"] for item in page["items"]])[1:] == [
        GIVEN,
        "Winds & Waves took the role Author on the assistant asst-1041 from Grace Hopper",
    ]


def test_exports_have_the_latest_names(clients: ApiClients, account: Account, grace: SubUser) -> None:
    """A label is erased with the sub-user. The id is the portal's."""
    account.portal.delete(grace.path)
    clients.sign_checkpoint()
    lines = clients.auditor.get(f"{account.path}/export?format=jsonl").text.splitlines()
    sentences = [json.loads(line)["shown"]["in_words"] for line in lines if "in_words" in line]
    assert about_roles(sentences) == [
        "Winds & Waves created the role Editor",
        "Winds & Waves took the role Operator on everything from a deleted person",
        "Winds & Waves gave a deleted person the role Author on the assistant asst-1041 until 31 Jan 2099, 12:00",
        "Winds & Waves changed the role Author",
        "Winds & Waves took the role Author on the assistant asst-1041 from a deleted person",
        "Winds & Waves deleted the role Author",
    ]
