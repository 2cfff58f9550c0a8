"""What the client sends, and how it reads responses."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from subusers_client import (
    UNSET,
    Activity,
    ActivityGroup,
    ActivityType,
    ActivityTypes,
    Because,
    Check,
    Evaluation,
    Introspection,
    NewGrant,
    Permission,
    Resource,
    SessionEnded,
    UnexpectedResponse,
    Usage,
)

ID = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"
TIME = "2026-11-23T21:09:34.434614Z"


def sub_user(**values: Any) -> dict[str, Any]:
    fields = {
        "sub_user_id": ID,
        "account_id": ID,
        "email": "grace@company.example",
        "name": "Grace",
        "surname": "Hopper",
        "status": "inactive",
        "visible": True,
        "created_at": TIME,
        "last_login_at": None,
        "access_expires_at": None,
        "must_change_password": True,
        "temporary_password_expires_at": None,
        "credentials_mail": "none",
        "locked": False,
    }
    return fields | values


def as_json(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    hyphenated = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=json.dumps(body), headers=hyphenated)


def page(names: list[str], cursor: str | None) -> httpx.Response:
    return as_json({"items": [sub_user(name=name) for name in names], "next_cursor": cursor})


def test_lists_request_pages_as_needed(caller: Any, responses: Any) -> None:
    handler = responses(page(["Ada", "Grace"], "c 1"), page([], "c2"), page(["Mary"], None))
    client = caller.client(handler)
    listed = caller.items(client.sub_users.list(account_id=ID, status="active", q="a & b", sort="-name", at_least=7))
    assert [item.name for item in listed] == ["Ada", "Grace", "Mary"]
    queries = [dict(request.url.params) for request in handler.requests]
    filters = {"limit": "200", "status": "active", "q": "a & b", "sort": "-name"}
    assert queries == [filters, filters | {"cursor": "c 1"}, filters | {"cursor": "c2"}]
    assert {request.headers["Event-Position"] for request in handler.requests} == {"7"}


def test_a_list_that_is_not_read_requests_nothing(caller: Any, responses: Any) -> None:
    handler = responses(page([], None))
    caller.client(handler).sub_users.list(account_id=ID)
    assert not handler.requests


def test_a_page_has_the_cursor_of_the_next(caller: Any, responses: Any) -> None:
    handler = responses(page(["Ada"], "c1"))
    first = caller.call(caller.client(handler).sub_users.page(account_id=ID, limit=1))
    assert ([item.name for item in first], first.next_cursor) == (["Ada"], "c1")


def test_unknown_fields_and_values_are_ignored(caller: Any, responses: Any) -> None:
    """A newer service adds fields and values."""
    handler = responses(as_json(sub_user(credentials_mail="bounced", nickname="Amazing Grace"), ETag='"3"'))
    result = caller.call(caller.client(handler).sub_users.get(account_id=ID, sub_user_id=ID))
    assert (result.credentials_mail, result.revision, result.sub_user_id) == ("bounced", '"3"', UUID(ID))
    assert result.created_at == datetime(2026, 11, 23, 21, 9, 34, 434614, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [{"visible": "yes"}, {"name": None}, {"created_at": "yesterday"}, {"created_at": "2026-11-23T21:09:34"}],
    ids=str,
)
def test_wrong_values_are_not_ignored(caller: Any, responses: Any, wrong: Any) -> None:
    client = caller.client(responses(as_json(sub_user(**wrong))))
    with pytest.raises(UnexpectedResponse):
        caller.call(client.sub_users.get(account_id=ID, sub_user_id=ID))


def test_a_change_sends_only_what_is_given(caller: Any, responses: Any) -> None:
    handler = responses(as_json(sub_user(), ETag='"4"'))
    client = caller.client(handler)
    for arguments in (
        {"status": "inactive"},
        {"email": "grace@company.example"},
        {"access_expires_at": None, "name": "Ada"},
        {"access_expires_at": UNSET, "visible": True},
        {"access_expires_at": datetime(2027, 1, 1, tzinfo=UTC), "if_revision": '"3"'},
    ):
        caller.call(client.sub_users.change(account_id=ID, sub_user_id=ID, **arguments))
    assert [json.loads(request.content) for request in handler.requests] == [
        {"status": "inactive"},
        {"email": "grace@company.example"},
        {"name": "Ada", "access_expires_at": None},
        {"visible": True},
        {"access_expires_at": "2027-01-01T00:00:00+00:00"},
    ]
    assert [request.headers.get("If-Match") for request in handler.requests] == [None, None, None, None, '"3"']


@pytest.mark.parametrize("wrong", ["", "..", "../accounts", "1", "3f0c5c6e"])
def test_only_uuids_get_into_paths(caller: Any, responses: Any, wrong: str) -> None:
    handler = responses(as_json({}))
    with pytest.raises(ValueError, match="UUID"):
        caller.call(caller.client(handler).sub_users.get(account_id=wrong, sub_user_id=ID))
    assert not handler.requests


def test_times_need_a_zone(caller: Any, responses: Any) -> None:
    client = caller.client(responses(as_json(sub_user())))
    with pytest.raises(ValueError, match="time zone"):
        caller.call(
            client.sub_users.change(
                account_id=ID,
                sub_user_id=ID,
                access_expires_at=datetime(2027, 1, 1),  # noqa: DTZ001
            )
        )


def test_requests_have_the_key_and_the_browser(caller: Any, responses: Any) -> None:
    handler = responses(as_json({"active": False}))
    client = caller.client(handler, base_url="http://service/prefix/", api_key="subusers_portal_x")
    bound = client.for_request(client_ip="203.0.113.9", client_user_agent="Böse\r\nX: y" + "z" * 500, request_id="r-1")
    assert type(bound) is type(client)
    caller.call(bound.sessions.introspect(token="token", permission="assistants"))
    caller.call(client.sessions.introspect(token="token"))
    first, second = handler.requests
    assert str(first.url) == "http://service/prefix/v1/sessions/introspect"
    assert first.headers["Authorization"] == "Bearer subusers_portal_x"
    assert first.headers["X-Client-IP"] == "203.0.113.9"
    assert first.headers["X-Client-User-Agent"].startswith("B?se??X: yzzz")
    assert len(first.headers["X-Client-User-Agent"]) == 400
    assert first.headers["X-Request-Id"] == "r-1"
    assert first.headers["User-Agent"].startswith("subusers-client")
    assert "X-Client-IP" not in second.headers


def test_actor_and_reason_are_percent_encoded(caller: Any, responses: Any) -> None:
    handler = responses(as_json(sub_user()))
    bound = caller.client(handler).for_request(actor="Zoë 100%", reason='"Left", she said')
    caller.call(bound.sub_users.change(account_id=ID, sub_user_id=ID, status="inactive"))
    (request,) = handler.requests
    assert request.headers["X-Actor"] == "Zo%C3%AB 100%25"
    assert request.headers["X-Reason"] == '"Left", she said'


@pytest.mark.parametrize(
    "wrong",
    [
        *({"client_ip": "host"}, {"client_ip": "fe80::1%eth0"}, {"request_id": "a b"}),
        *({"actor": "a\nb"}, {"actor": "a" * 201}, {"reason": "a" * 501}),
    ],
    ids=lambda wrong: str(wrong)[:40],
)
def test_wrong_values_of_a_browser_are_refused(caller: Any, responses: Any, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"address|zone|request_id|characters"):
        caller.client(responses(as_json({}))).for_request(**wrong)


@pytest.mark.parametrize("token", ["", "a b", "é", "a" * 1001, "a\nb"])
def test_what_cannot_be_a_token_is_an_ended_session(caller: Any, responses: Any, token: str) -> None:
    handler = responses(as_json({}))
    client = caller.client(handler)
    ended = Introspection(active=False, allowed=False)
    assert caller.call(client.sessions.introspect(token=token, permission="assistants")) == ended
    with pytest.raises(SessionEnded):
        caller.call(client.sessions.log_out(token=token))
    assert not handler.requests


RESOURCE = Resource(type="assistant", id="a-42", label="Reception")
BECAUSE = {"role_id": ID, "grant_id": ID}


def check_result(**values: Any) -> dict[str, Any]:
    resource = {"type": "assistant", "id": "a-42"}
    return {"permission": "assistants", "resource": resource, "allowed": True, "because": BECAUSE} | values


def session(**values: Any) -> httpx.Response:
    return as_json(
        {
            "active": True,
            "account_id": ID,
            "sub_user_id": ID,
            "permissions": [],
            "must_change_password": False,
            "expires_at": TIME,
            **values,
        }
    )


def test_checks_are_sent_and_answered_in_order(caller: Any, responses: Any) -> None:
    missing = {"permission": "reports", "resource": None, "allowed": False, "because": {"missing": "grant"}, "id": "r"}
    handler = responses(session(allowed=True, checks=[check_result(), missing]))
    checks = [Check(permission="assistants", resource=RESOURCE), Check(permission="reports", id="r")]
    result = caller.call(
        caller.client(handler).sessions.introspect(
            token="token", permission="assistants", resource=RESOURCE, checks=checks
        )
    )
    reference = {"type": "assistant", "id": "a-42"}
    assert json.loads(handler.requests[0].content) == {
        "token": "token",
        "permission": "assistants",
        "resource": reference,
        "checks": [{"permission": "assistants", "resource": reference}, {"id": "r", "permission": "reports"}],
    }
    assert [(check.allowed, check.id) for check in result.checks] == [(True, None), (False, "r")]
    assert result.checks[0].because == Because(role_id=UUID(ID), grant_id=UUID(ID))
    assert result.checks[1].because.missing == "grant"


@pytest.mark.parametrize(
    "checks",
    [[], [check_result(), check_result()], [check_result(permission="tools")], [check_result(resource=None)]],
    ids=["none", "too many", "of another permission", "of another resource"],
)
def test_results_of_other_checks_are_not_accepted(caller: Any, responses: Any, checks: Any) -> None:
    client = caller.client(responses(session(checks=checks)))
    with pytest.raises(UnexpectedResponse):
        caller.call(
            client.sessions.introspect(token="token", checks=[Check(permission="assistants", resource=RESOURCE)])
        )


def test_checks_of_what_cannot_be_a_token_are_refused(caller: Any, responses: Any) -> None:
    handler = responses(as_json({}))
    checks = [Check(permission="assistants", resource=RESOURCE, id="x")]
    result = caller.call(caller.client(handler).sessions.introspect(token="", checks=checks))
    (check,) = result.checks
    assert (check.id, check.allowed, check.because.missing) == ("x", False, "session")
    with pytest.raises(ValueError, match="permission"):
        caller.call(caller.client(handler).sessions.introspect(token="token", resource=RESOURCE))
    assert not handler.requests


def test_all_pages_of_resources_are_requested(caller: Any, responses: Any) -> None:
    def resources(ids: list[str], cursor: str | None, *, is_all: bool = False) -> httpx.Response:
        items = [{"type": "assistant", "id": name} for name in ids]
        return as_json({"all": is_all, "items": items, "next_cursor": cursor})

    handler = responses(resources(["a-1"], "c1"), resources(["a-2"], None), resources([], None, is_all=True))
    client = caller.client(handler)
    some = caller.call(client.sessions.resources(token="token", permission="assistants"))
    assert ([item.id for item in some.items], "a-2" in some, "a-3" in some) == (["a-1", "a-2"], True, False)
    everything = caller.call(client.sessions.resources(token="token", permission="assistants"))
    assert (everything.all, everything.items, "a-3" in everything) == (True, (), True)
    assert [request.headers["Session-Token"] for request in handler.requests] == ["token"] * 3
    assert dict(handler.requests[1].url.params) == {"permission": "assistants", "limit": "200", "cursor": "c1"}


def test_grants_are_sent_with_their_labels(caller: Any, responses: Any) -> None:
    handler = responses(as_json(sub_user(), 201), as_json({"items": []}))
    client = caller.client(handler)
    grants = [NewGrant(role_id=UUID(ID), resource=RESOURCE, expires_at=datetime(2027, 1, 1, tzinfo=UTC))]
    caller.call(client.sub_users.create(account_id=ID, email="a@b.example", name="A", surname="B", grants=grants))
    caller.call(client.grants.replace(account_id=ID, sub_user_id=ID, grants=[NewGrant(role_id=ID)], reason="Why"))
    created, replaced = (json.loads(request.content) for request in handler.requests)
    assert created["grants"] == [
        {
            "role_id": ID,
            "resource": {"type": "assistant", "id": "a-42", "label": "Reception"},
            "expires_at": "2027-01-01T00:00:00+00:00",
        }
    ]
    assert replaced == {"grants": [{"role_id": ID, "resource": None, "expires_at": None}], "reason": "Why"}
    assert "Reception" not in repr(grants)


def test_a_catalogue_is_replaced_at_a_revision(caller: Any, responses: Any) -> None:
    permission = {
        "name": "a.b",
        "resource_type": None,
        "reserved": False,
        "reading": True,
        "needs_second_factor": False,
        "labels": {"en": "A"},
    }
    handler = responses(as_json({"revision": 8, "permissions": [permission]}))
    permissions = [Permission(name="a.b", reading=True, labels={"en": "A"})]
    replaced = caller.call(caller.client(handler).permissions.replace(permissions=permissions, if_revision=7))
    assert (replaced.revision, replaced.permissions) == (8, tuple(permissions))
    (request,) = handler.requests
    assert request.headers["If-Match"] == '"7"'
    assert json.loads(request.content) == {"permissions": [permission], "remove_from_roles": False}


def test_invalid_elements_of_an_authzen_batch_are_denied(caller: Any, responses: Any) -> None:
    error = {"decision": False, "context": {"error": {"status": 400, "message": "invalid"}}}
    client = caller.client(responses(as_json({"evaluations": [{"decision": True, "context": BECAUSE}, error]})))
    evaluation = Evaluation(sub_user_id=ID, permission="assistants", resource=RESOURCE)
    decisions = caller.call(client.authzen.evaluate_several(evaluations=[evaluation, evaluation]))
    assert [decision.allowed for decision in decisions] == [True, False]
    assert caller.call(client.authzen.evaluate_several(evaluations=[])) == ()


def test_the_highest_position_of_commands_is_remembered(caller: Any, responses: Any) -> None:
    handler = responses(
        as_json(sub_user(), 201, Event_Position="12"), as_json(sub_user(), Event_Position="9"), as_json(sub_user())
    )
    client = caller.client(handler)
    assert not client.event_position
    bound = client.for_request(client_ip="203.0.113.9")
    caller.call(bound.sub_users.create(account_id=ID, email="a@b.example", name="A", surname="B"))
    caller.call(client.sub_users.change(account_id=ID, sub_user_id=ID, status="active"))
    assert (client.event_position, bound.event_position) == (12, 12)

    caller.call(client.sub_users.get(account_id=ID, sub_user_id=ID))
    assert "Event-Position" not in handler.requests[-1].headers
    caller.call(client.sub_users.get(account_id=ID, sub_user_id=ID, at_least=client.event_position))
    assert handler.requests[-1].headers["Event-Position"] == "12"


def test_reports_send_what_is_given(caller: Any, responses: Any) -> None:
    handler = responses(as_json({"recorded": 1}, 201))
    client = caller.client(handler)
    usage = Usage(sub_user_id=UUID(ID), conversation_ms=740_740_680, llm_tokens=0)
    caller.call(client.usage.report(account_id=ID, usage=[usage]))
    activity = Activity(sub_user_id=ID, action="assistant.published", details={"version": None})
    caller.call(client.activities.report(account_id=ID, activities=[activity]))
    assert [json.loads(request.content) for request in handler.requests] == [
        {"usage": [{"sub_user_id": ID, "conversation_ms": 740_740_680, "llm_tokens": 0}]},
        {"activities": [{"sub_user_id": ID, "action": "assistant.published", "details": {"version": None}}]},
    ]
    assert all(request.headers["Idempotency-Key"] for request in handler.requests)


def test_usage_is_decoded(caller: Any, responses: Any) -> None:
    used = {"conversation_ms": 6000, "llm_tokens": 3}
    body = {
        "since": "2026-11-01",
        "until": "2026-11-24",
        "total": used,
        "days": [{"day": "2026-11-23", **used}],
        "sub_users": [],
        "deleted": {"conversation_ms": 0, "llm_tokens": 0},
        "plan": None,
    }
    handler = responses(as_json(body))
    report = caller.call(caller.client(handler).usage.get(account_id=ID, since=date(2026, 11, 1)))
    assert report.total.conversation_ms == 6000
    assert (report.days[0].day, report.plan) == (date(2026, 11, 23), None)
    assert handler.requests[0].url.query == b"since=2026-11-01"


def event(position: int) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{ID}:{position}",
        "type": "subusers.sub_user.logged_in.v1",
        "source": "https://subusers.example",
        "time": TIME,
        "position": position,
        "epoch": ID,
        "subject": ID,
        "accountid": ID,
        "accountversion": position,
        "data": {},
    }


def event_page(positions: list[int], next_after: int, *, more: bool = False) -> httpx.Response:
    body = {
        "items": [event(position) for position in positions],
        "next_after": next_after,
        "next_cursor": str(next_after) if more else None,
    }
    return as_json(body, Store_Epoch=ID)


def test_events_are_resumed_by_position_and_epoch(caller: Any, responses: Any) -> None:
    handler = responses(
        event_page([3, 5], 5, more=True), event_page([], 900, more=True), event_page([901], 901), event_page([], 901)
    )
    client = caller.client(handler)
    events = caller.items(client.events.list(account_id=ID, event_types=["a", "b"], after=2))
    assert [item.position for item in events] == [3, 5, 901]
    assert (events[0].account_id, events[0].epoch) == (UUID(ID), UUID(ID))
    assert [dict(request.url.params) for request in handler.requests] == [
        {"after": "2", "event_types": "a,b", "limit": "1000"},
        {"after": "5", "event_types": "a,b", "limit": "1000", "epoch": ID},
        {"after": "900", "event_types": "a,b", "limit": "1000", "epoch": ID},
    ]
    assert caller.items(client.events.list(after=events[-1].position, epoch=events[-1].epoch)) == []
    assert handler.requests[-1].url.path == "/v1/events"


def test_following_events_waits_at_the_service(caller: Any, responses: Any) -> None:
    handler = responses(event_page([3], 3), event_page([], 3), event_page([4], 4), httpx.Response(422))
    client = caller.client(handler)
    with pytest.raises(UnexpectedResponse):
        caller.items(client.events.pages(follow=True, wait=20))
    assert [dict(request.url.params)["wait"] for request in handler.requests] == ["20"] * 4
    assert [dict(request.url.params)["after"] for request in handler.requests] == ["0", "3", "3", "4"]


@pytest.mark.parametrize("url", ["", "service", "ftp://service", "http://", "http://service?x=1"])
def test_a_wrong_base_url_is_refused_at_once(caller: Any, url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        caller.connect(url)


def test_activity_types_are_replaced_at_a_revision(caller: Any, responses: Any) -> None:
    group: Any = {"name": "calls", "labels": {"en": "Calls", "it": "Chiamate"}}
    activity_type: Any = {
        "action": "call.made",
        "labels": {"en": "Call", "it": "Chiamata"},
        "group": "calls",
        "effect": "creation",
    }
    handler = responses(
        as_json({"revision": 4, "groups": [group], "activity_types": [{**activity_type, "sentences": None}]})
    )
    replaced = caller.call(
        caller.client(handler).activity_types.replace(
            groups=[ActivityGroup(**group)], activity_types=[ActivityType(**activity_type)], if_revision=3
        )
    )
    assert replaced == ActivityTypes(
        revision=4, groups=(ActivityGroup(**group),), activity_types=(ActivityType(**activity_type),)
    )
    (request,) = handler.requests
    assert request.headers["If-Match"] == '"3"'
    assert json.loads(request.content) == {"groups": [group], "activity_types": [activity_type]}
