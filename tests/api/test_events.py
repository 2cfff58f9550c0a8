"""The feed of events over HTTP: pages, waiting for more, streams, and who may have them."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import jsonschema_rs
import pytest

from adapters.amqp.topology import Names
from api.http.asyncapi import CHECKPOINT, EXCHANGE, document
from api.http.documentation import EVENT_EXAMPLE
from projections import event_feed
from projections.published_events import BY_TYPE, CATALOG, CONTENT_TYPE
from tests.api.callers import Doors, require_problem
from tests.api.test_database_faults import gone
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from werkzeug.test import TestResponse

    from api.bootstrap import Service
    from api.config import Settings
    from tests.api.callers import Account, Caller

CREATED = "subusers.sub_user.created.v1"
REGISTERED = "subusers.main_account.registered.v1"
FEED, STREAM = "/v1/events", "/v1/events/stream"
SOON = 10.0
"""Seconds within which a stream has ended, on a busy machine; what does not end it leaves it for 30 or for ever."""


def page(caller: Caller, path: str = FEED, **query: Any) -> Any:
    answer = caller.get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/json"
    return answer.json


def everything(caller: Caller, path: str = FEED, **query: Any) -> list[dict[str, Any]]:
    """Read on to the end, as a consumer does."""
    items, after = [], 0
    while True:
        one = page(caller, path, after=after, limit=1000, **query)
        items += one["items"]
        after = one["next_after"]
        if one["next_cursor"] is None:
            return items


def end(doors: Doors) -> int:
    return doors.service.event_feed.end()


def places(doors: Doors) -> int:
    """Return how many more readers may wait."""
    left: int = doors.app.extensions["subusers-waiting-places"]._value  # noqa: SLF001  # nothing else tells
    return left


@dataclass
class Stream:
    """An open stream, and what has come of it: `blocks` as dictionaries, and other lines as they are."""

    answer: TestResponse
    blocks: list[dict[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def read(self) -> bool:
        """Take the next piece, and say whether there was one."""
        piece = next(self._pieces, None)
        if piece is None:
            return False
        *blocks, rest = piece.decode().split("\n\n")
        self.blocks += [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
        self.lines += rest.splitlines()
        return True

    def __post_init__(self) -> None:
        self._pieces: Iterator[bytes] = iter(cast("Iterable[bytes]", self.answer.response))

    def events(self, count: int) -> list[dict[str, Any]]:
        """Read until there are so many events, and return them."""
        while len([one for one in self.blocks if "data" in one]) < count:
            assert self.read(), "the stream ended"
        return [json.loads(one["data"]) for one in self.blocks if "data" in one]

    def ends(self) -> bool:
        """Read to the end."""
        while self.read():
            pass
        return True


@contextmanager
def streaming(caller: Caller, headers: dict[str, str] | None = None, **query: Any) -> Iterator[Stream]:
    client = caller.app.test_client()
    answer = client.get(STREAM, headers={**caller.headers, **(headers or {})}, query_string=query)
    try:
        assert answer.status_code == 200, answer.text
        yield Stream(answer)
    finally:
        answer.close()


def test_everything_that_happened_is_in_the_feed(doors: Doors, account: Account) -> None:
    """In the order of positions, with ids that no two share."""
    one = account.let_in_active()
    items = everything(doors.analytics)
    positions = [item["position"] for item in items]
    assert positions == sorted(set(positions))
    assert len({item["id"] for item in items}) == len(items)
    of_account = [item for item in items if item.get("accountid") == account.account_id]
    assert [item["type"] for item in of_account[:3]] == [REGISTERED, CREATED, "subusers.sub_user.activated.v1"]
    assert [item.get("subject") for item in of_account[:3]] == [None, one.sub_user_id, one.sub_user_id]


def test_auditors_read_the_same(doors: Doors, account: Account) -> None:
    assert page(doors.auditor, limit=3) == page(doors.analytics, limit=3)


def test_pages_lead_from_one_to_the_next(doors: Doors, account: Account) -> None:
    """`next_cursor` says whether there is more already, `next_after` where to go on in any case."""
    first = page(doors.analytics, limit=1)
    assert (len(first["items"]), first["next_after"]) == (1, first["items"][0]["position"])
    assert first["next_cursor"] == str(first["next_after"])
    last = page(doors.analytics, after=end(doors))
    assert last == {"items": [], "next_cursor": None, "next_after": end(doors)}
    before = end(doors)
    one = account.let_in()
    (item,) = page(doors.analytics, after=before, types=CREATED)["items"]
    assert item["subject"] == one.sub_user_id


def test_types_alone(doors: Doors, account: Account) -> None:
    account.let_in_active()
    types = {item["type"] for item in everything(doors.analytics, types=f"{CREATED},{REGISTERED}")}
    assert types == {CREATED, REGISTERED}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"types": "subusers.nothing.v1"}, "types"),
        ({"types": f"{CREATED},"}, "types"),
        ({"types": ""}, "types"),
        ({"types": "a" * 3000}, "types"),
        ({"after": -1}, "after"),
        ({"after": "x"}, "after"),
        ({"after": 2**63}, "after"),
        ({"after": 10**15}, "after"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
@pytest.mark.parametrize("path", [FEED, STREAM, "account"])
def test_what_makes_no_sense_is_refused(
    doors: Doors, account: Account, path: str, query: dict[str, Any], name: str
) -> None:
    """A type that there is not, and a position that nobody was given: to wait there would pass over what comes."""
    caller, path = (doors.portal, f"{account.path}/events") if path == "account" else (doors.analytics, path)
    require_problem(caller.get(path, query_string=query), 422, "invalid-input", name)
    assert places(doors) == doors.service.settings.streams


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1001}, {"wait": -1}, {"wait": 31}, {"wait": "nan"}])
def test_what_goes_beyond_the_bounds_is_refused(doors: Doors, query: dict[str, Any]) -> None:
    require_problem(doors.analytics.get(FEED, query_string=query), 422, "invalid-input", *query)


def test_an_account_s_own_part(doors: Doors, account: Account) -> None:
    """For the portal: of this account everything, at once, and of others nothing."""
    other = doors.account()
    one, another = account.let_in(), other.let_in()
    path = f"{account.path}/events"
    items = everything(doors.portal, path)
    assert [(item["type"], item.get("subject")) for item in items] == [(REGISTERED, None), (CREATED, one.sub_user_id)]
    assert {item["accountid"] for item in items} == {account.account_id}
    assert [item["subject"] for item in everything(doors.portal, f"{other.path}/events", types=CREATED)] == [
        another.sub_user_id
    ]
    for caller in (doors.analytics, doors.auditor, doors.support):
        require_problem(caller.get(path), 403, "wrong-scope")
    assert "wait" in doors.portal.get(path, query_string={"wait": 1}).json["errors"]  # type: ignore[index]


@pytest.mark.parametrize("unknown", ["7bf818da-1edd-4eab-9807-2a07d431212b", "sub-user", "not-an-id"])
def test_there_is_no_feed_of_what_is_no_account(doors: Doors, account: Account, unknown: str) -> None:
    account_id = account.let_in().sub_user_id if unknown == "sub-user" else unknown
    assert doors.portal.get(f"/v1/accounts/{account_id}/events").status_code == 404


def later(action: Callable[[], object]) -> threading.Thread:
    """Do something as soon as somebody waits."""
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_a_reader_may_wait(own_doors: Doors) -> None:
    """The answer comes with the first event there is, or empty after so many seconds; meanwhile a place is taken."""
    doors, account = own_doors, own_doors.account()
    everybody = places(doors)
    after = end(doors)
    began = time.monotonic()
    assert page(doors.analytics, after=after, wait=0.3) == {"items": [], "next_cursor": None, "next_after": after}
    assert time.monotonic() - began >= 0.3

    def let_in() -> None:
        eventually(lambda: places(doors) == everybody - 1)
        account.let_in()

    thread = later(let_in)
    began = time.monotonic()
    (item,) = page(doors.analytics, after=after, wait=30)["items"]
    assert item["type"] == CREATED
    assert time.monotonic() - began < 20
    thread.join()
    assert places(doors) == everybody


def test_waiting_for_what_a_filter_lets_pass(own_doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other events do not end it, nor does it look at more than a window at a time; and it ends when it is to."""
    monkeypatch.setattr(event_feed, "WINDOW", 2)
    doors, account = own_doors, own_doors.account()
    everybody = places(doors)
    one = account.let_in()

    def change() -> None:
        eventually(lambda: places(doors) == everybody - 1)
        for number in range(5):
            one.change(name=f"Grace {number}")
        one.change(visible=False)

    thread = later(change)
    waited = page(doors.analytics, after=0, wait=30, types="subusers.sub_user.visibility_changed.v1")
    assert [item["data"]["visible"] for item in waited["items"]] == [False]
    thread.join()
    began = time.monotonic()
    nothing = page(doors.analytics, after=0, wait=0.2, types="subusers.sub_user.deleted.v1")
    assert (nothing["items"], nothing["next_after"]) == ([], end(doors))
    assert time.monotonic() - began >= 0.2


def test_a_key_that_is_revoked_while_its_reader_waits_gets_nothing(own_doors: Doors) -> None:
    doors, account = own_doors, own_doors.account()
    everybody = places(doors)
    (key,) = [key for key in doors.service.api_keys.list() if key.scope == "analytics"]

    def revoke() -> None:
        eventually(lambda: places(doors) == everybody - 1)
        assert doors.service.api_keys.revoke(key.api_key_id, doors.service.clock())
        account.let_in()

    thread = later(revoke)
    answer = doors.analytics.get(FEED, query_string={"after": end(doors), "wait": 30})
    thread.join()
    require_problem(answer, 401, "unknown-api-key")


def test_a_stream_tells_everything_and_then_what_comes(doors: Doors, account: Account) -> None:
    """Each event as the feed has it, its position as the id, its type as the event's name."""
    with streaming(doors.analytics) as stream:
        assert stream.answer.content_type == "text/event-stream"
        assert stream.answer.headers["Cache-Control"] == "no-store"
        assert stream.answer.headers["X-Accel-Buffering"] == "no"
        expected = everything(doors.analytics)
        assert stream.events(len(expected)) == expected
        one = account.let_in()
        assert stream.events(len(expected) + 1)[-1]["subject"] == one.sub_user_id
        for block in stream.blocks:
            event = json.loads(block["data"])
            assert (block["id"], block["event"]) == (str(event["position"]), event["type"])
    assert stream.lines[:1] == ["retry: 2000"]


def test_a_reader_that_was_cut_off_goes_on(doors: Doors, account: Account) -> None:
    """After `Last-Event-ID`, which counts more than `after`, as a browser sends both."""
    before = end(doors)
    some = [account.let_in() for _ in range(3)]
    with streaming(doors.auditor, after=before) as stream:
        first = stream.events(3)[0]["position"]
    told = {"Last-Event-ID": str(first)}
    with streaming(doors.auditor, told, after=before) as stream:
        assert [event["subject"] for event in stream.events(2)] == [one.sub_user_id for one in some[1:]]


@pytest.mark.parametrize("wrong", ["", "x", "-1", "1.5", "\u0663", "9" * 19, "999999999999999999"])
def test_a_last_event_that_there_never_was_is_refused(doors: Doors, wrong: str) -> None:
    answer = doors.analytics.get(STREAM, headers={"Last-Event-ID": wrong.encode().decode("latin-1")})
    assert answer.status_code == 422
    assert places(doors) == doors.service.settings.streams


def test_a_stream_of_some_types_tells_how_far_it_has_looked(
    doors: Doors, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a reader that comes back need not look through all of it again."""
    monkeypatch.setattr(event_feed, "WINDOW", 5)
    before = end(doors)
    one = account.let_in()
    for number in range(12):
        one.change(name=f"Grace {number}")
    with streaming(doors.analytics, after=before, types="subusers.sub_user.deleted.v1") as stream:
        eventually(lambda: stream.read() and stream.blocks and stream.blocks[-1]["id"] == str(end(doors)))
        assert not any("data" in block for block in stream.blocks)
        positions = [int(block["id"]) for block in stream.blocks]
        assert positions == sorted(positions)
        assert len(positions) >= 3


def test_a_silent_stream_shows_that_it_is_there(doors: Doors) -> None:
    """With a line that readers pass over, each second."""
    with streaming(doors.analytics, after=end(doors)) as stream:
        eventually(lambda: stream.read() and stream.lines.count(":") >= 2)
        assert set(stream.lines) == {"retry: 2000", ":"}


def test_a_stream_ends_soon_after_its_key_is_revoked(own_doors: Doors) -> None:
    doors, account = own_doors, own_doors.account()
    (key,) = [key for key in doors.service.api_keys.list() if key.scope == "analytics"]
    with streaming(doors.analytics) as stream:
        assert len(stream.events(1)) == 1
        assert doors.service.api_keys.revoke(key.api_key_id, doors.service.clock())
        began = time.monotonic()
        account.let_in()
        assert stream.ends()
        assert time.monotonic() - began < SOON
    assert len(stream.events(1)) == 1


def test_a_stream_ends_when_its_process_is_to_end(own_doors: Doors) -> None:
    """And nobody waits any more."""
    own_doors.account()
    with streaming(own_doors.analytics) as stream:
        stream.events(1)
        began = time.monotonic()
        own_doors.service.event_tail.end()
        assert stream.ends()
        assert page(own_doors.analytics, after=end(own_doors), wait=30)["items"] == []
        assert time.monotonic() - began < SOON


def test_a_stream_ends_with_its_database_and_can_be_had_again(
    own_doors: Doors, server_url: str, database_url: str
) -> None:
    """Its reader comes back, and goes on where it was; until the database is there it is told 503."""
    doors, account = own_doors, own_doors.account()
    with streaming(doors.analytics) as stream:
        position = stream.events(1)[-1]["position"]
        with gone(server_url, database_url):
            assert stream.ends()
            require_problem(doors.analytics.get(STREAM), 503, "store-unavailable")
    assert places(doors) == doors.service.settings.streams
    eventually(lambda: doors.stranger.get("/readyz").status_code == 200)
    one = account.let_in()
    with streaming(doors.analytics, {"Last-Event-ID": str(position)}) as stream:
        assert stream.events(1)[0]["subject"] == one.sub_user_id


def test_there_is_room_for_so_many(build: Callable[..., Service], settings: Settings) -> None:
    """Beyond it 503, and when to try again; a reader that leaves makes room, and whoever does not wait needs none."""
    doors = Doors.of(build(replace(settings, streams=2)))
    doors.account()
    with streaming(doors.analytics), streaming(doors.auditor) as second:
        for query in ({"after": end(doors), "wait": 1}, {}):
            answer = doors.analytics.get(FEED if query else STREAM, query_string=query)
            require_problem(answer, 503, "too-many-streams")
            assert answer.headers["Retry-After"] == "5"
        assert len(page(doors.analytics, wait=1)["items"]) == 1
        second.answer.close()
        assert places(doors) == 1
        with streaming(doors.auditor) as third:
            assert len(third.events(1)) == 1
    assert places(doors) == 2


def test_asking_for_the_head_of_a_stream_keeps_no_place(doors: Doors) -> None:
    answer = doors.analytics.ask("HEAD", STREAM)
    assert (answer.status_code, answer.data) == (200, b"")
    assert places(doors) == doors.service.settings.streams


def test_envelopes_are_what_the_schemas_served_beside_them_say(doors: Doors, account: Account) -> None:
    """`dataschema` leads to that of the data, as CloudEvents has it; there is one of the whole, too."""
    account.let_in_settled()
    for item in everything(doors.analytics):
        of_data = item["dataschema"].removeprefix("https://portal.example")
        for path, part in ((of_data, item["data"]), (f"/schemas/envelopes/{item['type']}.json", item)):
            answer = doors.stranger.get(path)
            assert (answer.status_code, answer.content_type) == (200, "application/schema+json")
            assert (answer.json or {})["$id"] == f"https://portal.example{path}"
            jsonschema_rs.Draft202012Validator(answer.json or False, validate_formats=True).validate(part)


@pytest.mark.parametrize("name", ["nothing", "subusers.sub_user.created.v2", "..%2f..", "subusers.sub_user.created.v1"])
def test_there_is_a_schema_of_each_type_and_of_nothing_else(doors: Doors, name: str) -> None:
    for folder in ("", "envelopes/"):
        answer = doors.stranger.get(f"/schemas/{folder}{name}.json")
        assert answer.status_code == (200 if name in BY_TYPE else 404)


def test_the_example_of_the_documents_is_one(doors: Doors) -> None:
    schema = doors.stranger.get(f"/schemas/envelopes/{EVENT_EXAMPLE['type']}.json").json
    jsonschema_rs.Draft202012Validator(schema or False, validate_formats=True).validate(EVENT_EXAMPLE)


def test_checkpoints_have_schemas_like_events(doors: Doors) -> None:
    """Though they are none: `dataschema` leads somewhere, and so does the envelope's."""
    for folder in ("", "envelopes/"):
        schema = doors.stranger.get(f"/schemas/{folder}{CHECKPOINT}.json").json
        assert schema is not None
        jsonschema_rs.meta.validate(schema)


def test_the_asyncapi_document_is_whole(doors: Doors) -> None:
    """Every type is a message of each channel, and every reference leads somewhere."""
    answer = doors.stranger.get("/asyncapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    shown: Any = answer.json
    assert shown == json.loads(json.dumps(document("https://portal.example")))
    assert shown["asyncapi"] == "3.0.0"
    types = [kind.type for kind in CATALOG]
    for name, channel in shown["channels"].items():
        assert list(channel["messages"]) == (types if name == "stream" else [*types, CHECKPOINT])
        assert channel["servers"]
    assert {one["action"] for one in shown["operations"].values()} == {"send"}
    assert {one["channel"]["$ref"] for one in shown["operations"].values()} == {
        f"#/channels/{name}" for name in shown["channels"]
    }
    for message in shown["components"]["messages"].values():
        assert message["contentType"] == CONTENT_TYPE
    for schema in shown["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)
    references = [part["$ref"] for part in inside(shown) if isinstance(part, dict) and "$ref" in part]
    assert len(references) > 3 * len(types)
    for reference in references:
        part = shown
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def inside(value: Any) -> Iterator[Any]:
    """Return everything that there is in a value."""
    yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from inside(part)


def test_the_asyncapi_document_names_what_there_is(doors: Doors) -> None:
    """The exchange that events are published to, the route that streams them, and where the outside finds it."""
    shown = document("https://portal.example/subusers")
    exchange, stream = shown["channels"]["exchange"], shown["channels"]["stream"]
    assert exchange["bindings"]["amqp"]["exchange"]["name"] == EXCHANGE == Names().events
    assert exchange["parameters"]["type"]["enum"] == [*BY_TYPE, CHECKPOINT]
    queue = shown["channels"]["queue"]
    assert queue["bindings"]["amqp"]["queue"]["name"] == queue["address"] == Names().stream
    assert stream["address"] in {rule.rule for rule in doors.app.url_map.iter_rules()}
    assert {name: shown["servers"]["http"][name] for name in ("host", "protocol", "pathname")} == {
        "host": "portal.example",
        "protocol": "https",
        "pathname": "/subusers",
    }
