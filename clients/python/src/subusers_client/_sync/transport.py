# Generated from ../_async/transport.py by tools/generate_sync.py. Do not edit.
"""Sends requests: authentication, time limits, retries and errors."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx

from subusers_client.deadlines import Deadline
from subusers_client.errors import ServiceUnavailable, SubusersError, UnexpectedResponse, error_from_response
from subusers_client.requests import Request, Response, Settings
from subusers_client.retries import Repeatable, is_temporary, was_executed

if TYPE_CHECKING:
    from collections.abc import Mapping


class Transport:
    """Sends requests with the settings of a client."""

    def __init__(self, http: httpx.Client, settings: Settings) -> None:
        self.settings = settings
        self._http = http

    def with_headers(self, headers: Mapping[str, str]) -> Transport:
        """Return a transport that sends further headers with each request, on the same connections."""
        return Transport(self._http, self.settings.with_headers(headers))

    def send(self, request: Request) -> Response:
        """Send a request until it succeeds, may not be repeated, or its time limit has passed."""
        settings = self.settings
        headers = settings.headers_of(request)
        limit = settings.time_limit if request.time_limit is None else request.time_limit
        ends_at = time.monotonic() + limit
        share = limit / 2 if request.repeatable is Repeatable.ALWAYS else limit
        may_have_succeeded = False
        attempt = 0
        while True:
            attempt += 1
            try:
                response = self._attempt(request, headers, max(0.001, min(share, ends_at - time.monotonic())))
            except (httpx.RequestError, TimeoutError) as failure:
                error, executed = _error_of(failure, limit), was_executed(failure)
                error.__cause__ = failure
            else:
                if 200 <= response.status < 300:
                    settings.positions.record(response.headers.get("event-position"))
                    return response
                error = error_from_response(response.status, response.headers, response.body)
                executed = was_executed(error)
                if may_have_succeeded and error.problem_type in request.done_if_repeated:
                    return Response(status=204, headers=response.headers, body=b"")
            may_have_succeeded = may_have_succeeded or executed is None
            error.may_have_succeeded = may_have_succeeded
            may_repeat = executed is False or request.repeatable is Repeatable.ALWAYS
            if not (may_repeat and is_temporary(error) and attempt < settings.retries.most_attempts):
                raise error
            pause = settings.retries.pause(attempt, getattr(error, "retry_after", None))
            if time.monotonic() + pause >= ends_at:
                raise error
            time.sleep(pause)

    def _attempt(self, request: Request, headers: Mapping[str, str], seconds: float) -> Response:
        body = bytearray()
        with Deadline(seconds) as deadline:
            with self._http.stream(
                request.method,
                self.settings.base_url + request.target,
                content=request.body,
                headers=headers,
                follow_redirects=False,
                extensions=deadline.extensions,
            ) as response:
                for chunk in response.iter_bytes():
                    deadline.check()
                    body += chunk
        return Response(status=response.status_code, headers=response.headers, body=bytes(body))


def _error_of(failure: httpx.RequestError | TimeoutError, limit: float) -> SubusersError:
    if isinstance(failure, httpx.TimeoutException | TimeoutError):
        return ServiceUnavailable(f"no response from the service in time (limit: {limit:g} s)")
    if isinstance(failure, httpx.NetworkError | httpx.RemoteProtocolError | httpx.ProxyError):
        return ServiceUnavailable(f"no connection to the service: {failure}")
    return UnexpectedResponse(f"the request failed: {failure}")
