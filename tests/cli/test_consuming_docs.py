"""Every Python snippet of docs/consuming.md runs as printed, on the events of a service."""

from __future__ import annotations

import re
import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.api.clients import ApiClients
from tests.builders import catch_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from tests.builders import Company

    Run = Callable[..., tuple[int, str]]

PAGE = Path(__file__).parents[2] / "docs" / "consuming.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
EMPTY_PAGES = 2
"""Number of consecutive empty pages after which a consumer, which would read forever, is stopped."""


class Stopped(Exception):
    """The consumer has read all events."""


class FeedTransport(httpx.BaseTransport):
    """Sends requests to the service without waiting for events, and raises `Stopped` at the end."""

    def __init__(self, app: Any) -> None:
        self._transport = httpx.WSGITransport(app=app)
        self._empty_pages = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_set_param("wait", "0")
        response = self._transport.handle_request(request)
        response.read()
        self._empty_pages = 0 if response.json()["items"] else self._empty_pages + 1
        if self._empty_pages == EMPTY_PAGES:
            raise Stopped
        return response


@pytest.fixture
def logins(
    run: Run, service: Service, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], int]:
    """Prepare a folder for the snippets, with Parquet files, and return a function that logs a sub-user in."""
    clients = ApiClients.of(service)
    account = clients.register_account()
    sub_user = account.create_with_own_password()
    key = clients.analytics.headers["Authorization"].removeprefix("Bearer ")
    monkeypatch.setenv("ANALYTICS_API_KEY", key)
    monkeypatch.setattr(httpx, "Client", partial(httpx.Client, transport=FeedTransport(clients.app)))
    monkeypatch.chdir(tmp_path)
    usage = {"sub_user_id": sub_user.sub_user_id, "conversation_ms": 90_000}
    assert account.portal.post(f"{account.path}/usage", json=usage).status_code == 201
    catch_up(service)
    assert run("export", "--all", "--format", "parquet", "-o", "events")[0] == 0
    return lambda: sub_user.log_in().status_code


def run_snippet(snippet: str) -> dict[str, Any]:
    """Run a snippet, and return its variables."""
    variables: dict[str, Any] = {}
    try:
        exec(compile(snippet, str(PAGE), "exec"), variables)  # noqa: S102  # from our documentation
    except Stopped:
        variables["db"].close()
    return variables


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippet_runs(logins: Callable[[], int], snippet: str) -> None:
    variables = run_snippet(snippet)
    if "logins" in variables:
        ((_, count, people),) = variables["logins"]
        assert (count, people) == (2, 1)
    if "usage" in variables:
        ((_, minutes),) = variables["usage"]
        assert minutes == 1.5
    assert {"logins", "usage", "db"} & variables.keys(), "check the result of the new snippet"


def test_consumer_counts_each_login_once(logins: Callable[[], int]) -> None:
    (consumer,) = [snippet for snippet in SNIPPETS if "sqlite3" in snippet]
    counts = []
    for _ in range(2):
        run_snippet(consumer)
        with sqlite3.connect("logins.db") as database:
            counts += database.execute("SELECT sum(count) FROM logins").fetchone()
        database.close()
        assert logins() == 201
    assert counts == [2, 3]
