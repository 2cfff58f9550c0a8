"""Event feed over HTTP: pages, long polling, streams, access, and the documents that describe the events."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import jsonschema_rs
import pytest

from adapters.amqp.topology import Names
from api.http.asyncapi import CHECKPOINT, EXCHANGE, document
from api.http.openapi.examples import EVENT_EXAMPLE
from application.ports.broker import CONTENT_TYPE
from projections.feed import pages
from projections.feed.event_catalog import BY_TYPE, CATALOG, DIALECT
from tests.api.clients import ApiClients, require_problem
from tests.api.json_values import values_in
from tests.api.test_database_faults import database_unavailable
from tests.api_keys import BY_OPERATOR
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from werkzeug.test import TestResponse

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.api.clients import Account, ApiClient

CREATED = "subusers.sub_user.created.v1"
REGISTERED = "subusers.main_account.registered.v1"
FEED, STREAM = "/v1/events", "/v1/events/stream"
MAX_END_SECONDS = 10.0
"""Seconds within which a stream ends on a busy machine; otherwise it stays open for 30 seconds or longer."""


def read_page(client: ApiClient, path: str = FEED, **query: Any) -> Any:
    response = client.get(path, query_string=query)
    assert response.status_code == 200, response.text
    assert response.content_type == "application/json"
    return response.json


def read_all(client: ApiClient, path: str = FEED, **query: Any) -> list[dict[str, Any]]:
    """Read all pages, as a consumer does."""
    items, after = [], 0
    while True:
        page = read_page(client, path, after=after, limit=1000, **query)
        items += page["items"]
        after = page["next_after"]
        if page["next_cursor"] is None:
            return items


def end_position(clients: ApiClients) -> int:
    return clients.service.queries.events.end()


def free_slots(clients: ApiClients) -> int:
    """Return how many more readers may wait for events or stream them."""
    slots: int = clients.app.extensions["subusers-waiting-slots"]._value  # noqa: SLF001  # there is no public counter
    return slots


@dataclass
class Stream:
    """An open event stream and its content so far: complete blocks as dictionaries, and other lines unparsed."""

    response: TestResponse
    blocks: list[dict[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chunks: Iterator[bytes] = iter(cast("Iterable[bytes]", self.response.response))

    def read(self) -> bool:
        """Read the next chunk; return whether there was one."""
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        *blocks, rest = chunk.decode().split("\n\n")
        self.blocks += [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
        self.lines += rest.splitlines()
        return True

    def events(self, count: int) -> list[dict[str, Any]]:
        """Read until there are `count` events, and return them."""
        while len([block for block in self.blocks if "data" in block]) < count:
            assert self.read(), "the stream ended"
        return [json.loads(block["data"]) for block in self.blocks if "data" in block]

    def read_to_end(self) -> None:
        while self.read():
            pass


@contextmanager
def streaming(client: ApiClient, headers: dict[str, str] | None = None, **query: Any) -> Iterator[Stream]:
    """Open an event stream until the block ends."""
    test_client = client.app.test_client()
    response = test_client.get(STREAM, headers={**client.headers, **(headers or {})}, query_string=query)
    try:
        assert response.status_code == 200, response.text
        yield Stream(response)
    finally:
        response.close()


def test_feed_has_every_event(clients: ApiClients, account: Account) -> None:
    """Events are in the order of positions, with unique ids."""
    sub_user = account.create_active()
    items = read_all(clients.analytics)
    positions = [item["position"] for item in items]
    assert positions == sorted(set(positions))
    assert len({item["id"] for item in items}) == len(items)
    account_events = [item for item in items if item.get("accountid") == account.account_id]
    assert [item["type"] for item in account_events[:3]] == [REGISTERED, CREATED, "subusers.sub_user.activated.v1"]
    assert [item.get("subject") for item in account_events[:3]] == [None, sub_user.sub_user_id, sub_user.sub_user_id]


def test_auditors_read_the_same_feed(clients: ApiClients, account: Account) -> None:
    assert read_page(clients.auditor, limit=3) == read_page(clients.analytics, limit=3)


def test_pages_continue_from_one_another(clients: ApiClients, account: Account) -> None:
    """`next_cursor` is null at the end; `next_after` is where a later read continues."""
    first = read_page(clients.analytics, limit=1)
    assert (len(first["items"]), first["next_after"]) == (1, first["items"][0]["position"])
    assert (first["next_cursor"], first["has_more"]) == (str(first["next_after"]), True)
    second = read_page(clients.analytics, limit=1, cursor=first["next_cursor"])
    assert second == read_page(clients.analytics, limit=1, after=first["next_after"])
    assert second["items"][0]["position"] > first["items"][0]["position"]
    last = read_page(clients.analytics, after=end_position(clients))
    assert last == {"items": [], "has_more": False, "next_cursor": None, "next_after": end_position(clients)}
    before = end_position(clients)
    sub_user = account.create_sub_user()
    (item,) = read_page(clients.analytics, after=before, event_types=CREATED)["items"]
    assert item["subject"] == sub_user.sub_user_id


def test_filter_by_type(clients: ApiClients, account: Account) -> None:
    account.create_active()
    types = {item["type"] for item in read_all(clients.analytics, event_types=f"{CREATED},{REGISTERED}")}
    assert types == {CREATED, REGISTERED}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"event_types": "subusers.nothing.v1"}, "event_types"),
        ({"event_types": f"{CREATED},"}, "event_types"),
        ({"event_types": ""}, "event_types"),
        ({"event_types": "a" * 3000}, "event_types"),
        ({"after": -1}, "after"),
        ({"after": "x"}, "after"),
        ({"after": 2**63}, "after"),
        ({"cursor": "x"}, "cursor"),
        ({"after": 0, "cursor": 0}, "cursor"),
        ({"epoch": "x"}, "epoch"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
@pytest.mark.parametrize("path", [FEED, STREAM, "account"])
def test_invalid_query_is_refused(
    clients: ApiClients, account: Account, path: str, query: dict[str, Any], name: str
) -> None:
    """The values are unknown types, numbers that are not positions, malformed epochs, and an unknown parameter."""
    client, path = (clients.portal, f"{account.path}/events") if path == "account" else (clients.analytics, path)
    require_problem(client.get(path, query_string=query), 422, "invalid-input", name)
    assert free_slots(clients) == clients.service.settings.max_streams


def test_message_quotes_each_unknown_type(clients: ApiClients, account: Account) -> None:
    """In the feed and in the body of a webhook. A long one is cut."""
    messages = ["unknown event type: nope", f"unknown event type: {'a' * 100}"]
    types = ["nope", CREATED, "a" * 101, "nope"]
    for name in ("event_types", "types"):
        client = clients.analytics.with_deprecated_names()
        for response in (
            client.get(FEED, query_string={name: ",".join(types)}),
            client.post("/v1/webhooks", json={"url": "https://receiver.example/", name: types}),
        ):
            assert require_problem(response, 422, "invalid-input", name)["errors"] == {name: messages}


@pytest.mark.parametrize("path", [FEED, STREAM, "account"])
def test_position_of_another_history_is_a_conflict(clients: ApiClients, account: Account, path: str) -> None:
    """A reader that waits there would miss events; the problem has the current epoch and the last common position."""
    client, path = (clients.portal, f"{account.path}/events") if path == "account" else (clients.analytics, path)
    page = clients.analytics.get(FEED, query_string={"limit": 1})
    epoch = page.headers["Store-Epoch"]
    assert {item["epoch"] for item in page.get_json()["items"]} == {epoch}
    for query, has_common_position in (
        ({"after": 10**15}, True),
        ({"after": 10**15, "epoch": epoch}, True),
        ({"epoch": str(uuid4())}, False),
    ):
        problem = require_problem(client.get(path, query_string=query), 409, "store-went-back")
        assert problem["epoch"] == epoch
        assert (problem["common_position"] is not None) is has_common_position
    assert free_slots(clients) == clients.service.settings.max_streams


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1001}, {"wait": -1}, {"wait": 31}, {"wait": "nan"}])
def test_limit_or_wait_out_of_bounds_is_refused(clients: ApiClients, query: dict[str, Any]) -> None:
    require_problem(clients.analytics.get(FEED, query_string=query), 422, "invalid-input", *query)


def test_portal_reads_the_events_of_one_account(clients: ApiClients, account: Account) -> None:
    """This feed has no long polling, and other scopes have no access to it."""
    other_account = clients.register_account()
    sub_user, other_sub_user = account.create_sub_user(), other_account.create_sub_user()
    path = f"{account.path}/events"
    items = read_all(clients.portal, path)
    assert [(item["type"], item.get("subject")) for item in items] == [
        (REGISTERED, None),
        (CREATED, sub_user.sub_user_id),
    ]
    assert {item["accountid"] for item in items} == {account.account_id}
    assert [
        item["subject"] for item in read_all(clients.portal, f"{other_account.path}/events", event_types=CREATED)
    ] == [other_sub_user.sub_user_id]
    for client in (clients.analytics, clients.auditor, clients.support):
        require_problem(client.get(path), 403, "wrong-scope")
    assert "wait" in clients.portal.get(path, query_string={"wait": 1}).json["errors"]  # type: ignore[index]


@pytest.mark.parametrize("unknown", ["7bf818da-1edd-4eab-9807-2a07d431212b", "sub-user", "not-an-id"])
def test_feed_of_an_unknown_account_is_not_found(clients: ApiClients, account: Account, unknown: str) -> None:
    account_id = account.create_sub_user().sub_user_id if unknown == "sub-user" else unknown
    assert clients.portal.get(f"/v1/accounts/{account_id}/events").status_code == 404


def run_in_thread(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_long_polling_returns_at_the_next_event(own_clients: ApiClients) -> None:
    """Without an event the response is empty after `wait` seconds; a waiting reader occupies a slot."""
    clients, account = own_clients, own_clients.register_account()
    all_slots = free_slots(clients)
    after = end_position(clients)
    began = time.monotonic()
    assert read_page(clients.analytics, after=after, wait=0.3) == {
        "items": [],
        "has_more": False,
        "next_cursor": None,
        "next_after": after,
    }
    assert time.monotonic() - began >= 0.3

    def create_while_waiting() -> None:
        eventually(lambda: free_slots(clients) == all_slots - 1)
        account.create_sub_user()

    thread = run_in_thread(create_while_waiting)
    began = time.monotonic()
    (item,) = read_page(clients.analytics, after=after, wait=30)["items"]
    assert item["type"] == CREATED
    assert time.monotonic() - began < 20
    thread.join()
    assert free_slots(clients) == all_slots


def test_long_polling_with_a_filter_waits_for_a_matching_event(
    own_clients: ApiClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other events do not end the wait, even if they fill several windows of the scan."""
    monkeypatch.setattr(pages, "WINDOW_SIZE", 2)
    clients, account = own_clients, own_clients.register_account()
    all_slots = free_slots(clients)
    sub_user = account.create_sub_user()

    def change_while_waiting() -> None:
        eventually(lambda: free_slots(clients) == all_slots - 1)
        for number in range(5):
            sub_user.change(name=f"Grace {number}")
        sub_user.change(visible=False)

    thread = run_in_thread(change_while_waiting)
    result = read_page(clients.analytics, after=0, wait=30, event_types="subusers.sub_user.visibility_changed.v1")
    assert [item["data"]["visible"] for item in result["items"]] == [False]
    thread.join()
    began = time.monotonic()
    empty_page = read_page(clients.analytics, after=0, wait=0.2, event_types="subusers.sub_user.deleted.v1")
    assert (empty_page["items"], empty_page["next_after"]) == ([], end_position(clients))
    assert time.monotonic() - began >= 0.2


def test_key_revoked_while_its_reader_waits_gets_no_events(own_clients: ApiClients) -> None:
    clients, account = own_clients, own_clients.register_account()
    all_slots = free_slots(clients)
    (key,) = [key for key in clients.service.commands.api_keys.list() if key.scope == "analytics"]

    def revoke_while_waiting() -> None:
        eventually(lambda: free_slots(clients) == all_slots - 1)
        assert clients.service.commands.api_keys.revoke(key.api_key_id, BY_OPERATOR)
        account.create_sub_user()

    thread = run_in_thread(revoke_while_waiting)
    response = clients.analytics.get(FEED, query_string={"after": end_position(clients), "wait": 30})
    thread.join()
    require_problem(response, 401, "unknown-api-key")


def test_stream_has_past_and_new_events(clients: ApiClients, account: Account) -> None:
    """Each event equals that of the feed, with its position as the id and its type as the event name."""
    with streaming(clients.analytics) as stream:
        assert stream.response.content_type == "text/event-stream"
        assert stream.response.headers["Cache-Control"] == "no-store"
        assert stream.response.headers["X-Accel-Buffering"] == "no"
        expected = read_all(clients.analytics)
        assert stream.events(len(expected)) == expected
        sub_user = account.create_sub_user()
        assert stream.events(len(expected) + 1)[-1]["subject"] == sub_user.sub_user_id
        for block in stream.blocks:
            event = json.loads(block["data"])
            assert (block["id"], block["event"]) == (str(event["position"]), event["type"])
    assert stream.lines[:1] == ["retry: 2000"]


def test_unnamed_stream_has_no_event_names(clients: ApiClients, account: Account) -> None:
    """Browsers then deliver every event as `message`."""
    with streaming(clients.analytics, named="false") as stream:
        expected = read_all(clients.analytics)
        assert stream.events(len(expected)) == expected
        assert {tuple(block) for block in stream.blocks} == {("id", "data")}
    with streaming(clients.analytics, named="true") as stream:
        assert stream.events(1)
        assert set(stream.blocks[0]) == {"id", "event", "data"}
    for value in ("no", "", "1"):
        require_problem(clients.analytics.get(STREAM, query_string={"named": value}), 422, "invalid-input", "named")


def test_reconnecting_reader_continues_after_last_event_id(clients: ApiClients, account: Account) -> None:
    """`Last-Event-ID` takes precedence over `after`: a browser that reconnects sends both."""
    before = end_position(clients)
    sub_users = [account.create_sub_user() for _ in range(3)]
    with streaming(clients.auditor, after=before) as stream:
        first = stream.events(3)[0]["position"]
    headers = {"Last-Event-ID": str(first)}
    with streaming(clients.auditor, headers, after=before) as stream:
        assert [event["subject"] for event in stream.events(2)] == [sub_user.sub_user_id for sub_user in sub_users[1:]]


@pytest.mark.parametrize("last_event_id", ["", "x", "-1", "1.5", "\u0663", str(2**63)])
def test_invalid_last_event_id_is_refused(clients: ApiClients, last_event_id: str) -> None:
    response = clients.analytics.get(STREAM, headers={"Last-Event-ID": last_event_id.encode().decode("latin-1")})
    assert response.status_code == 422
    assert free_slots(clients) == clients.service.settings.max_streams


def test_last_event_id_may_be_any_position(clients: ApiClients) -> None:
    """The largest position is accepted, and is beyond the end of the history."""
    response = clients.analytics.get(STREAM, headers={"Last-Event-ID": str(2**63 - 1)})
    require_problem(response, 409, "store-went-back")


def test_filtered_stream_reports_its_position(
    clients: ApiClients, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that reconnects need not scan the skipped events again."""
    monkeypatch.setattr(pages, "WINDOW_SIZE", 5)
    before = end_position(clients)
    sub_user = account.create_sub_user()
    for number in range(12):
        sub_user.change(name=f"Grace {number}")
    with streaming(clients.analytics, after=before, event_types="subusers.sub_user.deleted.v1") as stream:
        eventually(lambda: stream.read() and stream.blocks and stream.blocks[-1]["id"] == str(end_position(clients)))
        assert not any("data" in block for block in stream.blocks)
        positions = [int(block["id"]) for block in stream.blocks]
        assert positions == sorted(positions)
        assert len(positions) >= 3


def test_idle_stream_sends_a_comment_every_second(clients: ApiClients) -> None:
    with streaming(clients.analytics, after=end_position(clients)) as stream:
        eventually(lambda: stream.read() and stream.lines.count(":") >= 2)
        assert set(stream.lines) == {"retry: 2000", ":"}


def test_stream_ends_after_its_key_is_revoked(own_clients: ApiClients) -> None:
    clients, account = own_clients, own_clients.register_account()
    (key,) = [key for key in clients.service.commands.api_keys.list() if key.scope == "analytics"]
    with streaming(clients.analytics) as stream:
        assert len(stream.events(1)) == 1
        assert clients.service.commands.api_keys.revoke(key.api_key_id, BY_OPERATOR)
        began = time.monotonic()
        account.create_sub_user()
        stream.read_to_end()
        assert time.monotonic() - began < MAX_END_SECONDS
    assert len(stream.events(1)) == 1


def test_streams_and_waits_end_at_shutdown(own_clients: ApiClients) -> None:
    own_clients.register_account()
    with streaming(own_clients.analytics) as stream:
        stream.events(1)
        began = time.monotonic()
        own_clients.service.queries.event_tail.end()
        stream.read_to_end()
        assert read_page(own_clients.analytics, after=end_position(own_clients), wait=30)["items"] == []
        assert time.monotonic() - began < MAX_END_SECONDS


def test_stream_ends_without_the_database_and_can_be_resumed(
    own_clients: ApiClients, server_url: str, database_url: str
) -> None:
    """New streams get 503 until the database is back."""
    clients, account = own_clients, own_clients.register_account()
    with streaming(clients.analytics) as stream:
        position = stream.events(1)[-1]["position"]
        with database_unavailable(server_url, database_url):
            stream.read_to_end()
            require_problem(clients.analytics.get(STREAM), 503, "store-unavailable")
    assert free_slots(clients) == clients.service.settings.max_streams
    eventually(lambda: clients.anonymous.get("/readyz").status_code == 200)
    sub_user = account.create_sub_user()
    with streaming(clients.analytics, {"Last-Event-ID": str(position)}) as stream:
        assert stream.events(1)[0]["subject"] == sub_user.sub_user_id


def test_number_of_streams_and_waits_is_limited(build: Callable[..., Service], settings: Settings) -> None:
    """Beyond the limit the response is 503 with Retry-After; a reader that does not wait needs no slot."""
    clients = ApiClients.of(build(replace(settings, max_streams=2)))
    clients.register_account()
    with streaming(clients.analytics), streaming(clients.auditor) as second:
        for query in ({"after": end_position(clients), "wait": 1}, {}):
            response = clients.analytics.get(FEED if query else STREAM, query_string=query)
            require_problem(response, 503, "too-many-streams")
            assert response.headers["Retry-After"] == "5"
        assert len(read_page(clients.analytics, wait=1)["items"]) == 1
        second.response.close()
        assert free_slots(clients) == 1
        with streaming(clients.auditor) as third:
            assert len(third.events(1)) == 1
    assert free_slots(clients) == 2


def test_head_request_for_a_stream_frees_its_slot(clients: ApiClients) -> None:
    response = clients.analytics.request("HEAD", STREAM)
    assert (response.status_code, response.data) == (200, b"")
    assert free_slots(clients) == clients.service.settings.max_streams


def test_envelopes_match_their_schemas(clients: ApiClients, account: Account) -> None:
    """`dataschema` is the URL of the data's schema (CloudEvents); the whole envelope has a schema too."""
    account.create_with_own_password()
    for item in read_all(clients.analytics):
        data_schema_path = item["dataschema"].removeprefix("https://portal.example")
        for path, part in ((data_schema_path, item["data"]), (f"/schemas/envelopes/{item['type']}.json", item)):
            response = clients.anonymous.get(path)
            assert (response.status_code, response.content_type) == (200, "application/schema+json")
            assert (response.json or {})["$id"] == f"https://portal.example{path}"
            jsonschema_rs.Draft202012Validator(response.json or False, validate_formats=True).validate(part)


@pytest.mark.parametrize("name", ["nothing", "subusers.sub_user.created.v2", "..%2f..", "subusers.sub_user.created.v1"])
def test_only_known_types_have_a_schema(clients: ApiClients, name: str) -> None:
    for folder in ("", "envelopes/"):
        response = clients.anonymous.get(f"/schemas/{folder}{name}.json")
        assert response.status_code == (200 if name in BY_TYPE else 404)


def test_example_event_matches_its_schema(clients: ApiClients) -> None:
    schema = clients.anonymous.get(f"/schemas/envelopes/{EVENT_EXAMPLE['type']}.json").json
    jsonschema_rs.Draft202012Validator(schema or False, validate_formats=True).validate(EVENT_EXAMPLE)


def test_index_lists_every_schema(clients: ApiClients) -> None:
    """Every URL in it has a schema with this `$id`."""
    items = clients.anonymous.get("/schemas/").get_json()["items"]
    assert [item["type"] for item in items] == [*(kind.type for kind in CATALOG), CHECKPOINT]
    for item in items:
        assert item["summary"].endswith(".")
        for url in (item["data"], item["envelope"]):
            schema: Any = clients.anonymous.get(url.removeprefix("https://portal.example")).json
            assert schema["$schema"] == DIALECT
            assert schema.get("$id", url) == url


def test_checkpoints_have_schemas(clients: ApiClients) -> None:
    """Checkpoints are published like events, but are not in the catalog."""
    for folder in ("", "envelopes/"):
        schema = clients.anonymous.get(f"/schemas/{folder}{CHECKPOINT}.json").json
        assert schema is not None
        jsonschema_rs.meta.validate(schema)


def test_asyncapi_document_is_complete(clients: ApiClients) -> None:
    """Every type is a message of each channel, and every reference resolves."""
    response = clients.anonymous.get("/asyncapi.json")
    assert (response.status_code, response.content_type) == (200, "application/json")
    asyncapi: Any = response.json
    assert asyncapi == json.loads(json.dumps(document("https://portal.example")))
    assert asyncapi["asyncapi"] == "3.1.0"
    types = [kind.type for kind in CATALOG]
    for name, channel in asyncapi["channels"].items():
        assert list(channel["messages"]) == (types if name == "stream" else [*types, CHECKPOINT])
        assert channel["servers"]
    assert {operation["action"] for operation in asyncapi["operations"].values()} == {"send"}
    assert {operation["channel"]["$ref"] for operation in asyncapi["operations"].values()} == {
        f"#/channels/{name}" for name in asyncapi["channels"]
    }
    for message in asyncapi["components"]["messages"].values():
        assert message["contentType"] == CONTENT_TYPE
    names = [kind.schema_name for kind in CATALOG] + ["AuditCheckpoint"]
    assert set(asyncapi["components"]["schemas"]) == {"Actor", *names, *(f"{name}Data" for name in names)}
    for name, schema in asyncapi["components"]["schemas"].items():
        jsonschema_rs.meta.validate(schema)
        assert schema["title"] == name
        assert not [part for part in schema["properties"].values() if part.get("type") == "object"]
    references = [part["$ref"] for part in values_in(asyncapi) if isinstance(part, dict) and "$ref" in part]
    assert len(references) > 3 * len(types)
    for reference in references:
        part = asyncapi
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_asyncapi_document_matches_the_service(clients: ApiClients) -> None:
    """It names the exchange, queue and route in use, and the public URL."""
    asyncapi = document("https://portal.example/subusers")
    exchange, stream = asyncapi["channels"]["exchange"], asyncapi["channels"]["stream"]
    assert exchange["bindings"]["amqp"]["exchange"]["name"] == EXCHANGE == Names().events
    assert exchange["parameters"]["type"]["enum"] == [*BY_TYPE, CHECKPOINT]
    queue = asyncapi["channels"]["queue"]
    assert queue["bindings"]["amqp"]["queue"]["name"] == queue["address"] == Names().stream
    assert stream["address"] in {rule.rule for rule in clients.app.url_map.iter_rules()}
    assert {name: asyncapi["servers"]["http"][name] for name in ("host", "protocol", "pathname")} == {
        "host": "portal.example",
        "protocol": "https",
        "pathname": "/subusers",
    }
