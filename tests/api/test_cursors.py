"""Pagination cursors of every list: opaque, bound to their reader, and valid for a day."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from api.bootstrap.current_reader import current_reader
from api.bootstrap.testing.followers import running_followers
from api.console.cookies import SESSION
from api.console.current_user import authenticate_visitor
from application.commands.api_keys import Scope
from domain.roles import OPERATOR
from tests.api.clients import ApiClient, ApiClients, require_problem
from tests.api_keys import add_api_key
from tests.builders import PORTAL
from tests.postgres import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.test import TestResponse

    from api.bootstrap.service import Service
    from tests.api.clients import Account, SubUser
    from tests.conftest import TravelingClock

ONE_PER_PAGE = {"limit": 1}
NAME, SURNAME, EMAIL = "Gräce", "Hopper", "grace@company.example"

LISTS: dict[str, tuple[Scope, dict[str, Any]]] = {
    "/v1/accounts": (Scope.PORTAL, ONE_PER_PAGE),
    "/v1/accounts/{account_id}/sub-users": (Scope.PORTAL, {**ONE_PER_PAGE, "sort": "name"}),
    "/v1/accounts/{account_id}/audit-log": (Scope.AUDITOR, ONE_PER_PAGE),
    "/v1/accounts/{account_id}/history": (Scope.AUDITOR, ONE_PER_PAGE),
    "/v1/audit/checkpoints": (Scope.AUDITOR, ONE_PER_PAGE),
    "/v1/webhooks": (Scope.PORTAL, ONE_PER_PAGE),
    "/v1/webhooks/{webhook_id}/deliveries": (Scope.PORTAL, ONE_PER_PAGE),
    "/v1/sessions/current/resources": (Scope.PORTAL, {**ONE_PER_PAGE, "permission": "assistants"}),
    "/v1/accounts/{account_id}/export": (Scope.AUDITOR, {"format": "csv"}),
    "/v1/audit/export": (Scope.AUDITOR, {"format": "csv"}),
}
"""Every path that takes an encrypted cursor, with a scope that may read it and the query of its first page."""

FEEDS = {"/v1/events", "/v1/accounts/{account_id}/events"}
"""Paths whose cursor is a position."""


@pytest.fixture
def clients_with_clock(build: Callable[..., Service], clock: TravelingClock) -> Iterator[ApiClients]:
    """Return clients of a service whose clock can be moved."""
    service = build()
    with running_followers(service):
        yield ApiClients.of(service)


def create_two_of_everything(clients: ApiClients, account: Account) -> tuple[dict[str, str], SubUser]:
    """Create two items for every list, and return the ids for the paths, and a sub-user who can log in."""
    clients.register_account()
    sub_user = account.create_with_own_password()
    sub_user.set_grants(
        *({"role_id": str(OPERATOR), "resource": {"type": "assistant", "id": name}} for name in ("a-1", "a-2"))
    )
    for email in (EMAIL, f"x.{EMAIL}"):
        account.create_sub_user(name=NAME, surname=SURNAME, email=email)
        clients.sign_checkpoint()
    body = {"url": "https://receiver.example/hook", "account_id": account.account_id}
    created = [clients.portal.post("/v1/webhooks", json=body).json for _ in range(2)]
    webhook_id = created[0]["webhook_id"]  # type: ignore[index]
    for _ in range(2):
        fetch(
            clients.service.settings.owner_url,
            "INSERT INTO webhook_deliveries "
            "(webhook_id, event_id, type, position, attempt, attempted_at, milliseconds) "
            "VALUES (%s, 'e', 't', 1, 1, %s, 1)",
            webhook_id,
            clients.service.clock(),
        )
    return {"account_id": account.account_id, "webhook_id": webhook_id}, sub_user


def get(reader: ApiClient, url: str, query: dict[str, Any], sub_user: SubUser) -> TestResponse:
    """Get a page, with a new session if it is about one."""
    headers = {"Session-Token": sub_user.new_token()} if url.startswith("/v1/sessions/") else {}
    return reader.get(url, query_string=query, headers=headers)


def test_every_path_with_a_cursor_is_listed(clients: ApiClients) -> None:
    document: Any = clients.anonymous.get("/openapi.json").json
    paths_with_cursor = {
        path
        for path, operations in document["paths"].items()
        if any(parameter["name"] == "cursor" for parameter in operations.get("get", {}).get("parameters", []))
    }
    assert paths_with_cursor == LISTS.keys() | FEEDS


def test_cursor_is_bound_to_its_reader_and_expires_after_a_day(
    clients_with_clock: ApiClients, clock: TravelingClock
) -> None:
    """Another key of the same scope is refused."""
    account = clients_with_clock.register_account()
    ids, sub_user = create_two_of_everything(clients_with_clock, account)
    cursors = {}
    for path, (scope, first_query) in LISTS.items():
        reader, other_reader = clients_with_clock.with_scope(scope), client_with_new_key(clients_with_clock, scope)
        url = path.format(**ids)
        query = {**first_query, "account_id": account.account_id} if path == "/v1/webhooks" else first_query
        first_page = get(reader, url, query, sub_user)
        assert first_page.status_code == 200, (path, first_page.text)
        cursor = first_page.headers.get("Export-Cursor") or first_page.json["next_cursor"]  # type: ignore[index]
        assert cursor, path
        assert len(cursor) <= 300, path
        require_opaque(cursor)
        next_query = {**query, "cursor": cursor}
        assert get(reader, url, next_query, sub_user).status_code == 200, path
        problem = require_problem(get(other_reader, url, next_query, sub_user), 422, "invalid-input", "cursor")
        assert "begin with the first page" in str(problem)
        cursors[path] = (reader, url, next_query)

    clock.advance(hours=23)
    for reader, url, query in cursors.values():
        assert get(reader, url, query, sub_user).status_code == 200, url
    clock.advance(hours=1)
    for reader, url, query in cursors.values():
        problem = require_problem(get(reader, url, query, sub_user), 422, "invalid-input", "cursor")
        assert "has expired" in str(problem)


def client_with_new_key(clients: ApiClients, scope: Scope) -> ApiClient:
    return ApiClient.with_key(clients.app, add_api_key(clients.service, scope))


def require_opaque(cursor: str) -> None:
    """Require that a cursor reveals no name, e-mail or id."""
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).lower()
    assert not [text for text in (NAME, SURNAME, EMAIL) if text.lower().encode() in raw]
    assert not re.search(rb"[0-9a-f]{8}-[0-9a-f]{4}", raw)


def test_cursor_of_the_longest_names_is_accepted(clients: ApiClients) -> None:
    account = clients.register_account()
    for email in ("a@company.example", "b@company.example"):
        account.create_sub_user(
            name="\N{CJK UNIFIED IDEOGRAPH-20000}" * 80, surname="\N{CJK UNIFIED IDEOGRAPH-20001}" * 80, email=email
        )
    query = {"limit": 1, "sort": "name"}
    first_page: Any = account.portal.get(f"{account.path}/sub-users", query_string=query).json
    second_page: Any = account.portal.get(
        f"{account.path}/sub-users", query_string={**query, "cursor": first_page["next_cursor"]}
    ).json
    assert len({item["email"] for page in (first_page, second_page) for item in page["items"]}) == 2


@pytest.mark.parametrize("resource", ["audit-log", "history"])
def test_pages_read_by_an_auditor_are_recorded_once_in_five_minutes(
    clients_with_clock: ApiClients, clock: TravelingClock, resource: str
) -> None:
    """All pages with the same filters count as one read."""
    clock.freeze()
    account = clients_with_clock.register_account()
    for _ in range(3):
        account.create_sub_user()
    path, query = f"{account.path}/{resource}", {"limit": 1}
    cursor = clients_with_clock.auditor.get(path, query_string=query).json["next_cursor"]  # type: ignore[index]
    for expected in (1, 2, 3):
        for _ in range(2):
            assert clients_with_clock.auditor.get(path, query_string={**query, "cursor": cursor}).status_code == 200
        assert count_recorded_reads(account) == expected
        clock.advance(minutes=5)


def count_recorded_reads(account: Account) -> int:
    return len(account.audit_log_rows(action="audit_log.read"))


def test_console_readers_differ_from_each_other(clients: ApiClients) -> None:
    """Cursors are bound to the API key or console user, so that no other reader can continue with them."""
    owner_sessions = clients.service.commands.owner_sessions
    readers = [current_reader()]
    for _ in range(2):
        secret = owner_sessions.create_link(UUID(clients.register_account().account_id))
        token = owner_sessions.log_in_by_link(secret, PORTAL).value.token
        with clients.app.app_context():
            cookie = f"{SESSION.name}={token}"
        with clients.app.test_request_context(headers={"Cookie": cookie}):
            assert authenticate_visitor().is_owner
            readers.append(current_reader())
    with clients.app.test_request_context():
        authenticate_visitor()
        readers.append(current_reader())
    assert len(set(readers)) == 4
