"""Which requests are repeated, when, and for how long."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from subusers_client import ServiceUnavailable, TooManyRequests, UnexpectedResponse
from subusers_client.retries import RetryPolicy

ID = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"
ACCOUNT = {
    "account_id": ID,
    "email": "owner@company.example",
    "company_name": "Company",
    "language": "en",
    "sub_user_limit": 10,
    "sub_user_count": 0,
    "created_at": "2026-11-23T21:09:34.434614Z",
    "closed_at": None,
}
OK = httpx.Response(200, content=json.dumps(ACCOUNT))
DEAD = httpx.RemoteProtocolError("Server disconnected without sending a response.")


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        DEAD,
        httpx.Response(502, content="<html>"),
        httpx.Response(503, content="<html>"),
        httpx.Response(504),
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(503, headers={"Retry-After": "0"}),
    ],
    ids=str,
)
def test_reads_are_repeated(caller: Any, responses: Any, failure: Any) -> None:
    handler = responses(failure, failure, OK)
    client = caller.client(handler)
    assert caller.call(client.accounts.get(account_id=ID)).company_name == "Company"
    assert len(handler.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 500])
def test_other_responses_are_not_repeated(caller: Any, responses: Any, problem: Any, status: int) -> None:
    handler = responses(problem(status, "anything"))
    with pytest.raises(Exception, match="anything"):
        caller.call(caller.client(handler).accounts.get(account_id=ID))
    assert len(handler.requests) == 1


def test_creating_has_one_idempotency_key_for_all_attempts(caller: Any, responses: Any) -> None:
    handler = responses(DEAD, httpx.Response(502), OK)
    client = caller.client(handler)
    caller.call(client.accounts.register(email="owner@company.example", company_name="Company"))
    keys = {request.headers["Idempotency-Key"] for request in handler.requests}
    bodies = {request.content for request in handler.requests}
    assert (len(handler.requests), len(keys), len(bodies)) == (3, 1, 1)

    caller.call(client.accounts.register(email="owner@company.example", company_name="Company"))
    assert handler.requests[-1].headers["Idempotency-Key"] not in keys
    caller.call(client.accounts.register(email="owner@company.example", company_name="Company", idempotency_key="own"))
    assert handler.requests[-1].headers["Idempotency-Key"] == "own"


def test_a_running_request_with_the_same_key_is_awaited(caller: Any, responses: Any, problem: Any) -> None:
    handler = responses(DEAD, problem(409, "request-in-progress"), OK)
    client = caller.client(handler)
    caller.call(client.accounts.register(email="owner@company.example", company_name="Company"))
    assert len(handler.requests) == 3


UNSAFE = {
    "create a webhook": lambda client: client.webhooks.create(url="https://receiver.example"),
    "rotate a secret": lambda client: client.webhooks.rotate_secret(webhook_id=ID),
    "replay": lambda client: client.webhooks.replay(webhook_id=ID, after=0),
    "change a password": lambda client: client.sessions.change_password(
        token="token", current_password="old", new_password="new"
    ),
    "mail another password": lambda client: client.sub_users.change(
        account_id=ID, sub_user_id=ID, password="seven quiet rivers"
    ),
    "raise a limit": lambda client: client.accounts.raise_sub_user_limit(
        account_id=ID, sub_user_limit=12, reason="growth"
    ),
}


@pytest.mark.parametrize(
    "failure", [DEAD, httpx.ReadTimeout("slow"), httpx.Response(502), httpx.Response(504)], ids=str
)
@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_requests_are_not_repeated_after_an_unknown_outcome(
    caller: Any, responses: Any, name: str, failure: Any
) -> None:
    handler = responses(failure)
    with pytest.raises(ServiceUnavailable) as raised:
        caller.call(UNSAFE[name](caller.client(handler)))
    assert len(handler.requests) == 1
    assert raised.value.may_have_succeeded


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_requests_are_repeated_if_they_were_not_executed(
    caller: Any, responses: Any, problem: Any, name: str
) -> None:
    handler = responses(
        httpx.ConnectError("refused"),
        problem(503, "overloaded", {"Retry-After": "0"}),
        problem(429, "too-many-mails", {"Retry-After": "0"}),
        problem(404, "not-found"),
    )
    with pytest.raises(Exception, match="not-found") as raised:
        caller.call(UNSAFE[name](caller.client(handler)))
    assert len(handler.requests) == 4
    assert not getattr(raised.value, "may_have_succeeded", True)


def test_a_repeated_deletion_that_finds_nothing_has_succeeded(caller: Any, responses: Any, problem: Any) -> None:
    handler = responses(DEAD, problem(404, "sub-user-not-found"))
    caller.call(caller.client(handler).sub_users.delete(account_id=ID, sub_user_id=ID))
    handler = responses(DEAD, problem(401, "session-ended"))
    caller.call(caller.client(handler).sessions.log_out(token="token"))

    for first in (problem(404, "sub-user-not-found"), httpx.ConnectError("refused")):
        handler = responses(first, problem(404, "sub-user-not-found"))
        with pytest.raises(Exception, match="sub-user-not-found"):
            caller.call(caller.client(handler).sub_users.delete(account_id=ID, sub_user_id=ID))


def test_retry_after_is_honoured(caller: Any, responses: Any) -> None:
    handler = responses(httpx.Response(429, headers={"Retry-After": "1"}), OK)
    started_at = time.monotonic()
    caller.call(caller.client(handler).accounts.get(account_id=ID))
    assert 1 <= time.monotonic() - started_at < 1.5


def test_a_pause_beyond_the_time_limit_is_not_begun(caller: Any, responses: Any, problem: Any) -> None:
    handler = responses(problem(429, "too-many-attempts", {"Retry-After": "900"}))
    started_at = time.monotonic()
    with pytest.raises(TooManyRequests) as raised:
        caller.call(
            caller.client(handler).sessions.log_in(
                account_email="a@b.example", email="c@d.example", password="p", client_ip="203.0.113.9"
            )
        )
    assert raised.value.retry_after == 900
    assert time.monotonic() - started_at < 0.5
    assert len(handler.requests) == 1


def test_the_time_limit_ends_retries(caller: Any, responses: Any) -> None:
    handler = responses(httpx.Response(503))
    retries = RetryPolicy(first_pause=0.05, longest_pause=0.05, most_attempts=1000)
    started_at = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        caller.call(caller.client(handler, time_limit=0.5, retries=retries).accounts.get(account_id=ID))
    assert 0.3 < time.monotonic() - started_at < 0.6
    assert len(handler.requests) > 5


def test_pauses_grow_and_have_jitter() -> None:
    policy = RetryPolicy(first_pause=0.1, longest_pause=2.0)
    for attempt, longest in [(1, 0.1), (2, 0.2), (3, 0.4), (10, 2.0), (1000, 2.0)]:
        pauses = {policy.pause(attempt, None) for _ in range(50)}
        assert len(pauses) > 1
        assert all(longest / 2 <= pause <= longest for pause in pauses)
    assert 3 <= policy.pause(1, 3) <= 3.1


def test_redirects_are_not_followed(caller: Any, responses: Any) -> None:
    handler = responses(httpx.Response(302, headers={"Location": "http://elsewhere/"}))
    with pytest.raises(UnexpectedResponse):
        caller.call(caller.client(handler).accounts.get(account_id=ID))
    assert len(handler.requests) == 1
