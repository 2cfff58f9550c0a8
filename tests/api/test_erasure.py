"""Erasure of a sub-user: no response, table, rebuilt view, file or log line contains their personal data.

The test requests every route that reads, so that it covers new routes and caches as well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from api.bootstrap import connections
from api.bootstrap.testing.followers import running_followers
from projections.runtime.rebuild import rebuild
from tests.api.clients import Account, ApiClients, SubUser
from tests.api.route_table import Route, routes
from tests.builders import deliver_mails
from tests.table_contents import contents, encodings_of, tables_containing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap.service import Service

pytestmark = pytest.mark.usefixtures("finite_event_streams")

ADDRESS, BROWSER = "203.0.113.213", "Canary-Browser/9"
FORMER_EMAIL = "canary.murray@company.example"
EMAIL, NAME, SURNAME = "canary.grace@company.example", "Canarygrâce", "Canaryhopper"
TARGET, DETAIL = "Canary target", "Canary détail"
PERSONAL_DATA = [FORMER_EMAIL, EMAIL, NAME, SURNAME, ADDRESS, BROWSER, TARGET, DETAIL]
READ_ROUTES = [route for route in routes() if route.method == "GET" and route.audiences is None and route.scopes]
MEDIA_TYPES = ("application/json", "text/csv", "application/x-ndjson")


def create_sub_user_with_traces(clients: ApiClients) -> SubUser:
    """Create a sub-user whose personal data is in every place that can hold it."""
    account = clients.register_account()
    details = {"email": FORMER_EMAIL, "name": NAME, "surname": SURNAME}
    sub_user = account.create_active(**details)
    sub_user_portal = clients.portal.with_headers(X_Client_IP=ADDRESS, X_Client_User_Agent=BROWSER)
    assert sub_user_portal.post("/v1/sessions", json=sub_user.credentials).status_code == 201
    assert (
        sub_user_portal.post("/v1/sessions", json={**sub_user.credentials, "password": "canary guess"}).status_code
        == 401
    )
    activity = {"sub_user_id": sub_user.sub_user_id, "action": "a.b", "target": TARGET, "details": {"was": DETAIL}}
    assert sub_user_portal.post(f"{account.path}/activities", json={"activities": [activity]}).status_code == 201
    usage = {"sub_user_id": sub_user.sub_user_id, "conversation_ms": 60_000, "llm_tokens": 1}
    assert sub_user_portal.post(f"{account.path}/usage", json=usage).status_code == 201
    deliver_mails(clients.service)
    sub_user.change(email=EMAIL)
    deliver_mails(clients.service)
    return replace(sub_user, email=EMAIL)


def read_all_routes(clients: ApiClients, sub_user: SubUser) -> Iterator[tuple[str, bytes]]:
    """Request every route that reads about this sub-user and their account, with every scope and format."""
    ids = {"account_id": sub_user.account.account_id, "sub_user_id": sub_user.sub_user_id}
    requests = [
        (route, scope, variant)
        for route in READ_ROUTES
        for scope in route.scopes or ()
        for variant in variants_of(route)
    ]
    for route, scope, (accept, query) in requests:
        response = clients.with_scope(scope).with_headers(Accept=accept).get(route.path(**ids), query_string=query)
        assert response.status_code < 500, (str(route), response.text)
        assert response.status_code == 200 or not query, (str(route), response.text)
        yield f"{route} {accept} {query}", response.data


def variants_of(route: Route) -> list[tuple[str, dict[str, Any]]]:
    """Return the Accept headers and queries of a route that together return everything it can."""
    if route.rule.endswith("/export"):
        return [("*/*", {"format": format_name}) for format_name in ("jsonl", "csv", "ocsf")]
    full_page = {"limit": 200} if route.rule.endswith(("audit-log", "sub-users", "events", "history")) else {}
    return [(accept, full_page) for accept in (MEDIA_TYPES if route.rule.endswith("/audit-log") else MEDIA_TYPES[:1])]


def contains(text: bytes, needle: str) -> bool:
    return any(encoding in text.lower() for encoding in encodings_of(needle))


def personal_data_in(responses: list[tuple[str, bytes]]) -> set[str]:
    return {needle for needle in PERSONAL_DATA for _, text in responses if contains(text, needle)}


def test_erased_personal_data_is_nowhere(
    service: Service, build: Callable[..., Service], database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The reads go to another service on the same database than the deletion."""
    with running_followers(service):
        clients, other_clients = ApiClients.of(service), ApiClients.of(build())
        sub_user = create_sub_user_with_traces(clients)
        responses = list(read_all_routes(other_clients, sub_user))
        assert personal_data_in(responses) == set(PERSONAL_DATA), (
            "the data must be there before, or the test proves nothing"
        )

        assert clients.portal.delete(sub_user.path).status_code == 204

        assert [
            (place, needle)
            for place, text in read_all_routes(other_clients, sub_user)
            for needle in PERSONAL_DATA
            if contains(text, needle)
        ] == []
        assert '"llm_tokens":1' in other_clients.portal.get(f"{sub_user.account.path}/usage").text
        new_sub_user = Account(
            clients.portal, sub_user.account.account_id, sub_user.account.email, sub_user.response
        ).create_sub_user(email=EMAIL)
        assert new_sub_user.sub_user_id != sub_user.sub_user_id
        assert clients.portal.delete(new_sub_user.path).status_code == 204
    with connections.connect(database_url, "rebuild") as connection:
        for view in (view for view in service.workers.views if view.tables):
            rebuild(view, connection, lambda _, __: None)
    service.delete_mails_of_erased()

    table_contents = contents(database_url)
    assert {table for needle in PERSONAL_DATA for table in tables_containing(table_contents, needle)} == set()
    files = [(file.name, file.read_bytes()) for file in service.settings.data_dir.rglob("*") if file.is_file()]
    captured = capfd.readouterr()
    assert personal_data_in([*files, ("log", (captured.out + captured.err).encode())]) == set()
