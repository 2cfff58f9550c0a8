"""Which exception each problem becomes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import subusers_client
from subusers_client import (
    ApiKeyNotAllowed,
    Conflict,
    InvalidApiKey,
    InvalidRequest,
    LoginRefused,
    NotFound,
    RevisionMismatch,
    ServiceFailed,
    ServiceUnavailable,
    SessionEnded,
    StoreWentBack,
    SubusersError,
    TooManyRequests,
    UnexpectedResponse,
)

ID = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"

CASES = [
    (401, "unknown-api-key", InvalidApiKey),
    (401, "api-key-expired", InvalidApiKey),
    (401, "login-refused", LoginRefused),
    (401, "session-ended", SessionEnded),
    (401, "of-a-later-version", ApiKeyNotAllowed),
    (403, "wrong-scope", ApiKeyNotAllowed),
    (403, "address-not-allowed", ApiKeyNotAllowed),
    (403, "account-not-allowed", ApiKeyNotAllowed),
    (403, "of-a-later-version", ApiKeyNotAllowed),
    (404, "not-found", NotFound),
    (404, "account-not-found", NotFound),
    (404, "sub-user-not-found", NotFound),
    (404, "webhook-not-found", NotFound),
    (409, "account-closed", Conflict),
    (409, "sub-user-email-taken", Conflict),
    (409, "sub-user-limit-reached", Conflict),
    (409, "response-erased", Conflict),
    (409, "store-went-back", StoreWentBack),
    (412, "revision-mismatch", RevisionMismatch),
    (400, "malformed-body", InvalidRequest),
    (413, "content-too-large", InvalidRequest),
    (422, "invalid-input", InvalidRequest),
    (429, "too-many-attempts", TooManyRequests),
    (429, "too-many-mails", TooManyRequests),
    (500, "internal-error", ServiceFailed),
    (503, "overloaded", ServiceUnavailable),
    (503, "store-unavailable", ServiceUnavailable),
    (503, "projection-behind", ServiceUnavailable),
]


@pytest.mark.parametrize(("status", "code", "expected"), CASES)
def test_each_problem_has_its_class(
    caller: Any, responses: Any, problem: Any, status: int, code: str, expected: type[SubusersError]
) -> None:
    client = caller.client(responses(problem(status, code)), time_limit=0.05)
    with pytest.raises(SubusersError) as raised:
        caller.call(client.accounts.get(account_id=ID))
    error = raised.value
    assert type(error) is expected
    assert (error.problem_type, error.status, error.request_id) == (code, status, "id-1")
    assert code in str(error)
    assert "Some detail." in str(error)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (httpx.Response(401, content="<html>"), UnexpectedResponse),
        (httpx.Response(401, json={"type": "about:blank"}), UnexpectedResponse),
        (httpx.Response(401, json={"type": ["urn:subusers:problem:session-ended"]}), UnexpectedResponse),
        (httpx.Response(401, json=["session-ended"]), UnexpectedResponse),
        (httpx.Response(403, content=b""), UnexpectedResponse),
        (httpx.Response(404, content="<html>"), UnexpectedResponse),
        (httpx.Response(200, content="<html>"), UnexpectedResponse),
        (httpx.Response(200, content="[]"), UnexpectedResponse),
        (httpx.Response(200, json={"active": "true"}), UnexpectedResponse),
        (httpx.Response(200, json={"allowed": True}), UnexpectedResponse),
        (httpx.Response(200, json={"active": True}), UnexpectedResponse),
        (httpx.Response(204), UnexpectedResponse),
        (httpx.Response(500, content="<html>"), ServiceFailed),
        (httpx.Response(502, content="<html>"), ServiceUnavailable),
        (httpx.Response(429, content="<html>"), TooManyRequests),
    ],
)
def test_responses_of_something_else_are_never_an_ended_session_or_access(
    caller: Any, responses: Any, response: httpx.Response, expected: type[SubusersError]
) -> None:
    client = caller.client(responses(response), introspection_time_limit=0.05)
    with pytest.raises(SubusersError) as raised:
        caller.call(client.sessions.introspect(token="token", permission="assistants"))
    assert type(raised.value) is expected


def test_errors_have_the_details_of_the_problem(caller: Any, responses: Any, problem: Any) -> None:
    errors = {"email": ["is not a valid e-mail address"]}
    with pytest.raises(InvalidRequest, match="is not a valid e-mail address") as invalid:
        caller.call(caller.client(responses(problem(422, "invalid-input", errors=errors))).accounts.get(account_id=ID))
    assert invalid.value.errors == errors

    with pytest.raises(Conflict) as conflict:
        caller.call(caller.client(responses(problem(409, "sub-user-limit-reached"))).accounts.get(account_id=ID))
    assert conflict.value.type == "sub-user-limit-reached"

    went_back = problem(409, "store-went-back", epoch=ID, common_position=1180)
    with pytest.raises(StoreWentBack) as back:
        caller.call(caller.client(responses(went_back)).events.page(after=1200))
    assert (back.value.epoch, back.value.common_position) == (ID, 1180)


@pytest.mark.parametrize("api_key", ["", "with space", "line\nbreak", "é"])
def test_an_unusable_api_key_is_an_invalid_api_key(caller: Any, responses: Any, api_key: str) -> None:
    handler = responses(httpx.Response(200))
    with pytest.raises(InvalidApiKey):
        caller.call(caller.client(handler, api_key=api_key).accounts.get(account_id=ID))
    assert not handler.requests


def test_every_exception_is_a_subusers_error() -> None:
    for name in subusers_client.__all__:
        value = getattr(subusers_client, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, SubusersError)


def test_secrets_are_not_in_representations(caller: Any, responses: Any) -> None:
    client = caller.client(responses(httpx.Response(200)), api_key="subusers_portal_secret")
    assert "secret" not in repr(client)
    assert "secret" not in repr(client._transport.settings)  # noqa: SLF001
