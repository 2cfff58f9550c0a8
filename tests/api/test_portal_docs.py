"""The snippet of docs/portal.md that signs in, run against the service: which errors it tells apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClients

PAGE = Path(__file__).parents[2] / "docs" / "portal.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
(SNIPPET,) = [snippet for snippet in SNIPPETS if "def may(" in snippet]


def snippet(clients: ApiClients, key: str, transport: httpx.BaseTransport | None = None) -> dict[str, Any]:
    """Run the snippet with an API key, and return what it defines."""
    names: dict[str, Any] = {}
    exec(SNIPPET, names)  # noqa: S102  # the snippet of our own page
    names["service"]._transport = transport or httpx.WSGITransport(app=clients.app)  # noqa: SLF001  # httpx sets it only in the constructor
    names["service"].headers["Authorization"] = f"Bearer {key}"
    return names


def test_snippet_tells_refused_logins_from_an_unavailable_service(clients: ApiClients, account: Account) -> None:
    """A dead API key, and a connection that fails, are neither a wrong password nor an ended session."""
    sub_user = account.create_with_own_password()
    credentials = {**sub_user.credentials, "client_ip": "192.0.2.1"}
    working = snippet(clients, clients.portal.headers["Authorization"].removeprefix("Bearer "))
    token = working["sign_in"](**credentials)
    assert working["may"](token, "assistants") is True
    assert working["may"](token, "billing_settings") is False
    assert working["may"]("no token", "assistants") is False
    with pytest.raises(PermissionError, match="wrong e-mail or password"):
        working["sign_in"](**{**credentials, "password": "not their password"})

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    for unavailable in (
        snippet(clients, "subusers_portal_revoked"),
        snippet(clients, "", httpx.MockTransport(refuse)),
        snippet(clients, "", httpx.MockTransport(lambda _: httpx.Response(502, text="bad gateway"))),
    ):
        with pytest.raises(ConnectionError, match="service unavailable"):
            unavailable["sign_in"](**credentials)
        with pytest.raises(ConnectionError, match="service unavailable"):
            unavailable["may"](token, "assistants")
