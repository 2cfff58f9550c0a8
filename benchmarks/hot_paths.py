"""The most frequent requests of a portal over HTTP: change of one field, introspection, list of ten sub-users.

The peer is the floor: a bare Flask application on the same server that runs one statement per request.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg

from api.bootstrap import composition_root
from application.command_context import CommandContext
from application.commands.api_keys import Scope
from benchmarks import servers
from benchmarks.lines import Line, median_of
from benchmarks.load import Target, request_file
from benchmarks.sample_accounts import catch_up_views, create_accounts
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.bootstrap.config import Settings
    from benchmarks.lines import Scale
    from benchmarks.sample_accounts import SampleSubUser

ACCOUNTS = 200
LARGE_ACCOUNTS, SUB_USERS_OF_LARGE = 20, 10
CONNECTIONS = 16
NAMES = 25
"""Different names for each sub-user, so that every request changes something."""

STATE_BYTES = 330
"""Size in JSON of the event that a change of a name records."""

Request = tuple[str, str, Any]


@dataclass(frozen=True)
class HotPath:
    """One kind of request, and the corresponding request to the floor."""

    label: str
    ours: Sequence[Request]
    floor_label: str
    floor: Sequence[Request]
    bar: float


def paths(sub_users: Sequence[SampleSubUser], listed: Sequence[SampleSubUser], settings: Settings) -> list[HotPath]:
    """Return the requests to measure. Changes are last, because no follower runs.

    `sub_users` has one sub-user of each account, `listed` one of each account with ten sub-users.
    """
    return [
        HotPath(
            f"introspect, {CONNECTIONS} connections",
            [
                ("POST", "/v1/sessions/introspect", {"token": sub_user.token, "permission": "assistants"})
                for sub_user in sub_users
            ],
            "one SELECT by key",
            [("POST", "/by-key", {"key": str(session_id)}) for session_id in session_ids(settings)],
            0.8,
        ),
        HotPath(
            f"list of 10 sub-users, {CONNECTIONS} connections",
            [("GET", f"/v1/accounts/{sub_user.account_id}/sub-users", None) for sub_user in listed],
            "one SELECT of 10 rows",
            [("GET", f"/of-account/{sub_user.account_id}", None) for sub_user in listed],
            0.6,
        ),
        HotPath(
            f"change of one field, {ACCOUNTS} accounts, {CONNECTIONS} connections",
            [
                ("PATCH", sub_user.path, {"name": f"Grace {uuid4().hex[:8]}"})
                for _ in range(NAMES)
                for sub_user in sub_users
            ],
            "one INSERT",
            [("POST", "/insert", {"topic": "SubUserDetailsChanged", "state": "x" * STATE_BYTES})],
            0.5,
        ),
    ]


def measure(scale: Scale) -> list[Line]:
    """Measure each path and the floor in turn."""
    with ExitStack() as stack:
        settings = stack.enter_context(servers.temporary_database())
        sub_users, listed, api_key = populate(settings)
        ours = stack.enter_context(servers.run_api(settings)).url
        floor = stack.enter_context(servers.run_floor(settings))
        headers = (f"Authorization: Bearer {api_key}", "X-Client-IP: 192.0.2.1", "X-Client-User-Agent: a browser")
        return [_line(path, ours, floor, headers, scale) for path in paths(sub_users, listed, settings)]


def populate(settings: Settings) -> tuple[list[SampleSubUser], list[SampleSubUser], str]:
    """Create the accounts; return one sub-user of each, one of each account that has ten, and a portal's API key."""
    service = composition_root.build(settings)
    try:
        single = create_accounts(service, ACCOUNTS - LARGE_ACCOUNTS, 1)
        listed = create_accounts(service, LARGE_ACCOUNTS, SUB_USERS_OF_LARGE)[::SUB_USERS_OF_LARGE]
        catch_up_views(service)
        return (
            [*single, *listed],
            listed,
            service.commands.api_keys.create(Scope.PORTAL, "benchmark", CommandContext(ActorType.SYSTEM)),
        )
    finally:
        service.close()


def _line(path: HotPath, api_url: str, floor_url: str, headers: tuple[str, ...], scale: Scale) -> Line:
    runs = []
    with request_file(path.ours) as our_requests, request_file(path.floor) as floor_requests:
        targets = Target(api_url, our_requests, headers), Target(floor_url, floor_requests)
        for target in targets:
            target.run_load(CONNECTIONS, 1)
        for run in range(scale.runs):
            order = targets if run % 2 == 0 else targets[::-1]
            rates = {target: target.run_load(CONNECTIONS, scale.seconds).rate for target in order}
            limit_label = f"bare Flask with {path.floor_label}"
            runs.append(Line(path.label, rates[targets[0]], "requests/s", limit_label, rates[targets[1]], path.bar))
    return median_of(runs)


def session_ids(settings: Settings) -> list[UUID]:
    """Return the ids of all sessions."""
    with psycopg.connect(settings.database_url or "") as connection:
        return [row[0] for row in connection.execute("SELECT session_id FROM sessions ORDER BY session_id")]
