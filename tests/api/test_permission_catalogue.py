"""Permission catalogue over HTTP: how it is replaced, and what happens to roles that have a withdrawn permission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from application.commands.api_keys import Limits, Scope
from domain.permission_catalogue import CATALOGUE_ID, INITIAL_CATALOGUE
from domain.roles import OPERATOR, VIEWER
from tests.api.clients import ApiClient, require_problem
from tests.api_keys import BY_OPERATOR
from tests.postgres import fetch, terminate_connections
from tests.waiting import eventually

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClients

PATH = "/v1/permissions"
EDIT: dict[str, Any] = {"name": "assistants.edit", "resource_type": "assistant"}
READ: dict[str, Any] = {"name": "assistants.read", "resource_type": "assistant", "reading": True}
RESERVED: dict[str, Any] = {"name": "billing", "reserved": True}
NEW = [EDIT, READ, RESERVED]


def replace(clients: ApiClients, permissions: list[dict[str, Any]], **options: Any) -> TestResponse:
    return clients.portal.put(PATH, json={"permissions": permissions, **options})


def names(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.text
    return [permission["name"] for permission in response.json["permissions"]]  # type: ignore[index]


def permissions_of(account: Account, role_id: object) -> list[str]:
    role: Any = account.portal.get(f"{account.path}/roles/{role_id}").json
    permissions: list[str] = role["permissions"]
    return permissions


def changes_of_roles(account: Account) -> list[dict[str, Any]]:
    return account.audit_log_rows(action="main_account.role_changed")


def test_until_it_is_replaced_it_has_the_permissions_of_every_installation(own_clients: ApiClients) -> None:
    """Every key may read it."""
    for scope in Scope:
        response = own_clients.with_scope(scope).get(PATH)
        assert names(response) == list(INITIAL_CATALOGUE.by_name)
        assert (response.json["revision"], response.headers["ETag"]) == (0, '"0"')  # type: ignore[index]


def test_it_is_replaced_as_a_whole(own_clients: ApiClients) -> None:
    """The order is kept, and fields that were left out have their defaults."""
    response = replace(own_clients, NEW)
    assert names(response) == ["assistants.edit", "assistants.read", "billing"]
    assert response.headers["ETag"] == '"1"'
    assert own_clients.portal.get(PATH).json == response.json
    assert response.json["permissions"][2] == {  # type: ignore[index]
        "name": "billing",
        "resource_type": None,
        "reserved": True,
        "reading": False,
        "needs_second_factor": False,
        "labels": {},
    }


def test_the_same_catalogue_records_nothing(own_clients: ApiClients) -> None:
    assert "Event-Position" in replace(own_clients, NEW).headers
    response = replace(own_clients, NEW)
    assert "Event-Position" not in response.headers
    assert response.headers["ETag"] == '"1"'


def test_if_match_requires_the_revision(own_clients: ApiClients) -> None:
    body = {"permissions": NEW}
    replaced = own_clients.portal.put(PATH, json=body, headers={"If-Match": '"0"'})
    assert replaced.status_code == 200
    refused = own_clients.portal.put(PATH, json={"permissions": [EDIT]}, headers={"If-Match": '"0"'})
    require_problem(refused, 412, "revision-mismatch")
    assert own_clients.portal.get(PATH).json == replaced.json
    for tag in ('"0", W/"1"', "*"):
        assert own_clients.portal.put(PATH, json=body, headers={"If-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("permissions", "field"),
    [
        ([], "permissions"),
        ([EDIT, EDIT], "permissions"),
        ([{**EDIT, "name": "Assistants.edit"}], "permissions"),
        ([{**EDIT, "name": "assistants edit"}], "permissions"),
        ([{**EDIT, "name": "assistants.edit\n"}], "permissions"),
        ([{**EDIT, "name": "a" * 65}], "permissions"),
        ([{**EDIT, "resource_type": "account"}], "permissions"),
        ([{**EDIT, "resource_type": "Assistant"}], "permissions"),
        ([{"name": f"permission.{number}"} for number in range(201)], "permissions"),
    ],
)
def test_an_invalid_catalogue_is_refused(
    own_clients: ApiClients, permissions: list[dict[str, Any]], field: str
) -> None:
    require_problem(replace(own_clients, permissions), 422, "invalid-input", field)
    assert own_clients.portal.get(PATH).headers["ETag"] == '"0"'


def test_built_in_roles_follow_it_at_once(own_clients: ApiClients) -> None:
    account = own_clients.register_account()
    replace(own_clients, NEW)
    assert permissions_of(account, OPERATOR) == ["assistants.edit", "assistants.read"]
    assert permissions_of(account, VIEWER) == ["assistants.read"]
    assert changes_of_roles(account) == []


@pytest.mark.parametrize("withdrawal", [[READ], [{**EDIT, "reserved": True}, READ]], ids=["removed", "reserved"])
def test_a_permission_in_use_is_withdrawn_only_on_request(
    own_clients: ApiClients, withdrawal: list[dict[str, Any]]
) -> None:
    """Then every role that has it loses it in the same transaction, each with an event of its account."""
    replace(own_clients, NEW)
    editors, readers = own_clients.register_account(), own_clients.register_account()
    edit_role, both_role = (
        editors.create_role("assistants.edit"),
        editors.create_role("assistants.edit", "assistants.read"),
    )
    read_role = readers.create_role("assistants.read")
    sub_user = editors.create_with_own_password()
    sub_user.set_grants({"role_id": edit_role})
    token = sub_user.new_token()

    require_problem(replace(own_clients, withdrawal), 409, "permission-in-use")
    assert permissions_of(editors, edit_role) == ["assistants.edit"]
    assert changes_of_roles(editors) == []

    response = replace(own_clients, withdrawal, remove_from_roles=True)
    assert response.status_code == 200
    assert permissions_of(editors, edit_role) == []
    assert permissions_of(editors, both_role) == permissions_of(readers, read_role) == ["assistants.read"]
    assert {row["details"]["role_id"]: row["details"]["permissions"] for row in changes_of_roles(editors)} == {
        edit_role: "",
        both_role: "assistants.read",
    }
    assert changes_of_roles(readers) == []
    topics = fetch(
        own_clients.service.settings.owner_url,
        "SELECT topic FROM stored_events WHERE topic IN ('PermissionCatalogueSet', 'RoleChanged') "
        "AND xmin = (SELECT xmin FROM stored_events WHERE notification_id = %s)",
        int(response.headers["Event-Position"]),
    )
    assert sorted(topic for (topic,) in topics) == ["PermissionCatalogueSet", "RoleChanged", "RoleChanged"]
    body = {"token": token, "checks": [{"permission": "assistants.edit"}]}
    introspection: Any = own_clients.portal.post("/v1/sessions/introspect", json=body).json
    assert (introspection["permissions"], introspection["checks"][0]["allowed"]) == ([], False)


def test_a_permission_that_nobody_has_is_withdrawn_without_further_ado(own_clients: ApiClients) -> None:
    """Roles of a closed account do not count, nor does the built-in role Operator."""
    replace(own_clients, NEW)
    account = own_clients.register_account()
    account.create_role("assistants.edit")
    assert own_clients.portal.delete(account.path).status_code == 204
    assert names(replace(own_clients, [READ])) == ["assistants.read"]


def test_a_catalogue_of_lost_history_is_forgotten(own_clients: ApiClients) -> None:
    """After the promotion of a standby that lacked it, another catalogue can have its revision."""
    assert names(replace(own_clients, NEW)) == names(own_clients.portal.get(PATH))
    url = own_clients.service.settings.owner_url
    fetch(url, "DELETE FROM stored_events WHERE originator_id = %s", CATALOGUE_ID)
    terminate_connections(url)  # as a failover does
    eventually(lambda: own_clients.portal.get(PATH).headers.get("ETag") == '"0"')
    eventually(lambda: replace(own_clients, [READ]).status_code == 200)
    assert own_clients.portal.get(PATH).headers["ETag"] == '"1"'
    assert names(own_clients.portal.get(PATH)) == ["assistants.read"]
    assert permissions_of(own_clients.register_account(), OPERATOR) == ["assistants.read"]


def test_a_key_limited_to_accounts_only_reads_it(own_clients: ApiClients) -> None:
    """Even for an account of its own, because the catalogue is that of all accounts."""
    limits = Limits(accounts=frozenset({UUID(own_clients.register_account().account_id)}))
    key = own_clients.service.commands.api_keys.create(Scope.PORTAL, "a limited key", BY_OPERATOR, limits)
    client = ApiClient.with_key(own_clients.app, key)
    assert client.get(PATH).status_code == 200
    require_problem(client.put(PATH, json={"permissions": NEW}), 403, "account-not-allowed")
    assert own_clients.portal.get(PATH).headers["ETag"] == '"0"'
