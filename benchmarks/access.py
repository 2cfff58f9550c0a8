"""Checks of access by introspection: compared with the floor, with few grants, and one check with a hundred.

Both databases run at once and are asked in turn. In the small one the sub-users who are asked about have one grant each
and there are few others. In the large one they have a thousand each.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from adapters.postgres.sql_files import statements
from api.bootstrap import composition_root
from application.command_context import CommandContext
from application.commands.api_keys import Scope
from benchmarks import servers
from benchmarks.hot_paths import CONNECTIONS, session_ids
from benchmarks.lines import Line, median_of
from benchmarks.load import Target, request_file
from benchmarks.sample_accounts import create_accounts
from domain.event_metadata import ActorType
from domain.roles import MAX_GRANTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.config import Settings
    from benchmarks.lines import Scale
    from benchmarks.sample_accounts import SampleSubUser

ACCOUNTS = 50
CHECKS = 100
FEW_GRANTS = 1_000
"""Grants in the small database."""

SQL = statements("benchmarks", "access")


@dataclass(frozen=True)
class Service:
    """A running service and requests to it."""

    settings: Settings
    one_check: Target
    many_checks: Target


def measure(scale: Scale) -> list[Line]:
    """Fill two databases, and ask in turn."""
    with ExitStack() as stack:
        small = _run_service(stack, FEW_GRANTS, 1)
        large = _run_service(stack, scale.grants, MAX_GRANTS)
        floor_url = stack.enter_context(servers.run_floor(small.settings))
        by_key = [("POST", "/by-key", {"key": str(session_id)}) for session_id in session_ids(small.settings)]
        floor = Target(floor_url, stack.enter_context(request_file(by_key)))
        for target in (floor, small.one_check, large.one_check, large.many_checks):
            target.run_load(CONNECTIONS, 1)
        return [
            median_of([_floor_line(small.one_check, floor, scale, run) for run in range(scale.runs)]),
            median_of([_growth_line(large.one_check, small.one_check, scale, run) for run in range(scale.runs)]),
            median_of([_batch_line(large.many_checks, large.one_check, scale, run) for run in range(scale.runs)]),
        ]


def _floor_line(ours: Target, floor: Target, scale: Scale, run: int) -> Line:
    rates = _in_turn(ours, floor, run, lambda target: target.run_load(CONNECTIONS, scale.seconds).rate)
    label = f"introspect with a permission and a resource, {CONNECTIONS} connections"
    return Line(label, rates[0], "requests/s", "bare Flask with one SELECT by key", rates[1], 0.8)


def _growth_line(large: Target, small: Target, scale: Scale, run: int) -> Line:
    milliseconds = _in_turn(large, small, run, _median_of(scale))
    label = f"the same with {scale.grants:,} grants, {MAX_GRANTS:,} of them the sub-user's"
    limit_label = f"with {FEW_GRANTS:,} grants, one of them the sub-user's"
    return Line(label, milliseconds[0], "ms", limit_label, milliseconds[1], 1.15, is_minimum=False)


def _batch_line(many: Target, one: Target, scale: Scale, run: int) -> Line:
    milliseconds = _in_turn(many, one, run, _median_of(scale))
    return Line(
        f"{CHECKS} checks in one request, each by a grant of its own",
        milliseconds[0],
        "ms",
        "one check",
        milliseconds[1],
        4,
        is_minimum=False,
    )


def _median_of(scale: Scale) -> Callable[[Target], float]:
    return lambda target: 1000 * target.run_load(1, scale.seconds / 2).median


def _in_turn(ours: Target, limit: Target, run: int, measure_one: Callable[[Target], float]) -> tuple[float, float]:
    """Return the figures of both, measured in an order that changes with each run."""
    if run % 2 == 0:
        figure = measure_one(ours)
        return figure, measure_one(limit)
    limit_figure = measure_one(limit)
    return measure_one(ours), limit_figure


def _run_service(stack: ExitStack, grants: int, grants_of_each: int) -> Service:
    """Run the service on a database with this many grants."""
    settings = stack.enter_context(servers.temporary_database())
    service = composition_root.build(settings)
    sub_users = create_accounts(service, ACCOUNTS, 1)
    api_key = service.commands.api_keys.create(Scope.PORTAL, "benchmark", CommandContext(ActorType.SYSTEM))
    service.close()
    with psycopg.connect(settings.owner_url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(SQL["grants_of_others"].encode(), {"grants": grants - ACCOUNTS * grants_of_each})
        ids = [sub_user.sub_user_id for sub_user in sub_users]
        connection.execute(SQL["grants_of_sub_users"].encode(), {"sub_user_ids": ids, "grants": grants_of_each})
        connection.execute("VACUUM ANALYZE")
    url = stack.enter_context(servers.run_api(settings)).url
    headers = (f"Authorization: Bearer {api_key}",)

    def target(body: Callable[[SampleSubUser], dict[str, Any]]) -> Target:
        requests = [("POST", "/v1/sessions/introspect", body(sub_user)) for sub_user in sub_users]
        return Target(url, stack.enter_context(request_file(requests)), headers)

    return Service(settings, target(_one_check), target(_many_checks))


def _one_check(sub_user: SampleSubUser) -> dict[str, Any]:
    return {"token": sub_user.token, "permission": "assistants", "resource": {"type": "assistant", "id": "1"}}


def _many_checks(sub_user: SampleSubUser) -> dict[str, Any]:
    resources = [{"type": "assistant", "id": str(number)} for number in range(1, CHECKS + 1)]
    checks = [{"permission": "assistants", "resource": resource} for resource in resources]
    return {"token": sub_user.token, "checks": checks}
