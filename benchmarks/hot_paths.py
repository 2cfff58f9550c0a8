"""What a portal asks most, over HTTP: a change of one field, what a session is good for, a list of ten sub-users.

Against the floor: a bare Flask application on the same server that runs one statement a request.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg

from api import bootstrap
from application.api_keys import Scope
from benchmarks import servers
from benchmarks.lines import Line, median_of
from benchmarks.load import Target, written
from benchmarks.long_history import ready_settings
from benchmarks.people import accounts_of, caught_up

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.config import Settings
    from benchmarks.lines import Scale
    from benchmarks.people import Person

ACCOUNTS = 200
SUB_USERS_OF_SOME, SOME = 10, 20
CONNECTIONS = 16
NAMES = 25
"""That each sub-user is given in turn: no request asks for what is so already."""

STATE_BYTES = 330
"""Of the event that a change of a name records, as JSON."""

Request = tuple[str, str, Any]


@dataclass(frozen=True)
class Path:
    """One kind of request, and what the floor does in its place."""

    what: str
    ours: Sequence[Request]
    against: str
    floors: Sequence[Request]
    bar: float


def paths(people: Sequence[Person], listed: Sequence[Person], settings: Settings) -> list[Path]:
    """Return what is measured, changes last, as no follower runs.

    `people` are one of each account, those `listed` have nine colleagues.
    """
    return [
        Path(
            f"introspect, {CONNECTIONS} connections",
            [("POST", "/v1/sessions/introspect", {"token": one.token, "permission": "assistants"}) for one in people],
            "one SELECT by key",
            [("POST", "/by-key", {"key": str(one)}) for one in _session_ids(settings)],
            0.8,
        ),
        Path(
            f"list of 10 sub-users, {CONNECTIONS} connections",
            [("GET", f"/v1/accounts/{one.account_id}/sub-users", None) for one in listed],
            "one SELECT of 10 rows",
            [("GET", f"/of-account/{one.account_id}", None) for one in listed],
            0.6,
        ),
        Path(
            f"change of one field, {ACCOUNTS} accounts, {CONNECTIONS} connections",
            [("PATCH", one.path, {"name": f"Grace {uuid4().hex[:8]}"}) for _ in range(NAMES) for one in people],
            "one INSERT",
            [("POST", "/insert", {"topic": "SubUserDetailsChanged", "state": "x" * STATE_BYTES})],
            0.5,
        ),
    ]


def measure(scale: Scale) -> list[Line]:
    """Measure each path and the floor in turn."""
    with ExitStack() as stack:
        settings = stack.enter_context(ready_settings())
        people, listed, api_key = populated(settings)
        ours = stack.enter_context(servers.doors(settings)).url
        floor = stack.enter_context(servers.floor(settings))
        headers = (f"Authorization: Bearer {api_key}", "X-Client-IP: 192.0.2.1", "X-Client-User-Agent: a browser")
        return [_line(path, ours, floor, headers, scale) for path in paths(people, listed, settings)]


def populated(settings: Settings) -> tuple[list[Person], list[Person], str]:
    """Set up the accounts, and return one sub-user of each, one of each that has ten, and a portal's key."""
    service = bootstrap.build(settings)
    try:
        alone = accounts_of(service, ACCOUNTS - SOME, 1)
        listed = accounts_of(service, SOME, SUB_USERS_OF_SOME)[::SUB_USERS_OF_SOME]
        caught_up(service)
        return [*alone, *listed], listed, service.api_keys.create(Scope.PORTAL, "benchmark", service.clock())
    finally:
        service.close()


def _line(path: Path, ours: str, floor: str, headers: tuple[str, ...], scale: Scale) -> Line:
    runs = []
    with written(path.ours) as asked, written(path.floors) as floored:
        targets = Target(ours, asked, headers), Target(floor, floored)
        for target in targets:
            target.under(CONNECTIONS, 1)
        for run in range(scale.runs):
            turns = targets if run % 2 == 0 else targets[::-1]
            rates = {target: target.under(CONNECTIONS, scale.seconds).rate for target in turns}
            against = f"bare Flask with {path.against}"
            runs.append(Line(path.what, rates[targets[0]], "requests/s", against, rates[targets[1]], path.bar))
    return median_of(runs)


def _session_ids(settings: Settings) -> list[UUID]:
    with psycopg.connect(settings.database_url or "") as connection:
        return [row[0] for row in connection.execute("SELECT session_id FROM sessions ORDER BY session_id")]
