"""A request to the service, and the settings that all requests of a client share."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

from subusers_client.decoding import header_text, text_of
from subusers_client.errors import InvalidApiKey, SessionEnded
from subusers_client.retries import EventPositions, Repeatable, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,1000}")
REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
LONGEST_USER_AGENT = 400
LONGEST_ACTOR = 200
LONGEST_REASON = 500
UNQUOTED = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""Characters besides letters and digits that headers with text contain as they are."""


class Unset(Enum):
    """Type of `UNSET`."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""Default of arguments for which None has a meaning."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request, which may be sent several times."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: Repeatable = Repeatable.ALWAYS
    time_limit: float | None = None
    done_if_repeated: frozenset[str] = frozenset()
    """Problem types that mean success, if an earlier attempt may have been executed."""

    @property
    def target(self) -> str:
        """The path and the query, without parameters that are None. A list or tuple is a repeated parameter."""
        values = {
            name: value if isinstance(value, (list, tuple)) else (value,)
            for name, value in self.query.items()
            if value is not None
        }
        query = urlencode([(name, text_of(item)) for name, items in values.items() for item in items])
        return f"{self.path}?{query}" if query else self.path


@dataclass(frozen=True, kw_only=True)
class Response:
    """A successful response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all requests of a client share."""

    base_url: str
    api_key: str = field(repr=False)
    time_limit: float
    introspection_time_limit: float
    retries: RetryPolicy
    positions: EventPositions = field(default_factory=EventPositions, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> Settings:
        """Return these settings with further headers for each request."""
        return replace(self, headers={**self.headers, **headers})

    def headers_of(self, request: Request) -> dict[str, str]:
        """Return the headers of a request. Raises `InvalidApiKey` if no API key is configured."""
        if not VISIBLE_ASCII.fullmatch(self.api_key):
            raise InvalidApiKey("no valid API key is configured: set `api_key`")
        headers = {
            "Authorization": f"Bearer {self.api_key}",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
            **self.headers,
            **request.headers,
        }
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        return headers


def checked_base_url(url: str) -> str:
    """Return a base URL without a slash at its end. Raises ValueError if it is not an HTTP URL."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("base_url must be an http or https URL without query and fragment")
    return url.rstrip("/")


def client_headers(
    client_ip: str | None = None,
    client_user_agent: str | None = None,
    request_id: str | None = None,
    actor: str | None = None,
    reason: str | None = None,
) -> dict[str, str]:
    """Return the headers about a person, their browser and their reason. Raises ValueError for invalid values."""
    headers = {}
    if client_ip is not None:
        address = ipaddress.ip_address(client_ip)
        if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
            raise ValueError("client_ip must not have a zone")
        headers["X-Client-IP"] = str(address)
    if client_user_agent is not None:
        headers["X-Client-User-Agent"] = header_text(client_user_agent, LONGEST_USER_AGENT)
    if request_id is not None:
        if not REQUEST_ID.fullmatch(request_id):
            raise ValueError("request_id must have 1 to 64 of A-Z a-z 0-9 _ . : -")
        headers["X-Request-Id"] = request_id
    for name, text, longest in (("X-Actor", actor, LONGEST_ACTOR), ("X-Reason", reason, LONGEST_REASON)):
        if text is not None:
            if len(text) > longest or not text.isprintable():
                raise ValueError(f"{name} must be at most {longest} printable characters")
            headers[name] = quote(text, safe=UNQUOTED)
    return headers


def idempotency_header(key: str | None) -> dict[str, str]:
    """Return the header with an idempotency key, generated once for all attempts of a call."""
    return {"Idempotency-Key": key if key is not None else str(uuid4())}


def position_header(at_least: int | None) -> dict[str, str]:
    """Return the header with the position that a read must include."""
    return {} if at_least is None else {"Event-Position": str(at_least)}


def revision_header(revision: str | None) -> dict[str, str]:
    """Return the header with the revision that a change applies to."""
    return {} if revision is None else {"If-Match": revision}


def could_be_token(token: str) -> bool:
    """Return whether a text could be a session token. The service refuses others as invalid input."""
    return VISIBLE_ASCII.fullmatch(token) is not None


def token_header(token: str) -> dict[str, str]:
    """Return the header with a session token. Raises `SessionEnded` if it cannot be one."""
    if not could_be_token(token):
        raise SessionEnded("this is not a session token")
    return {"Session-Token": token}


def given(**values: Any) -> dict[str, Any]:
    """Return the values except those that are UNSET."""
    return {name: value for name, value in values.items() if value is not UNSET}


def not_none(**values: Any) -> dict[str, Any]:
    """Return the values except those that are None."""
    return {name: value for name, value in values.items() if value is not None}


def _user_agent() -> str:
    try:
        return f"subusers-client/{version('subusers-client')}"
    except PackageNotFoundError:
        return "subusers-client"


USER_AGENT = _user_agent()
