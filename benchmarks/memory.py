"""Memory of a server process over many requests."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks import servers
from benchmarks.hot_paths import CONNECTIONS, populate
from benchmarks.lines import Line
from benchmarks.load import Target, request_file
from benchmarks.servers import resident_megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.lines import Scale
    from benchmarks.load import Load
    from benchmarks.sample_accounts import SampleSubUser

LOAD_SECONDS = 5.0
"""Duration of the load between two checks of the number of requests."""


def measure(scale: Scale) -> list[Line]:
    """Load one server process, and compare its memory at the end with that after the first tenth."""
    with ExitStack() as stack:
        settings = stack.enter_context(servers.temporary_database())
        sub_users, listed, api_key = populate(settings)
        stack.enter_context(servers.run_worker(settings))
        api = stack.enter_context(servers.run_api(settings, SUBUSERS_SERVER_PROCESSES="1"))
        (process_id,) = api.process_ids
        requests = stack.enter_context(request_file(mixed_requests(sub_users, listed)))
        target = Target(api.url, requests, (f"Authorization: Bearer {api_key}",))
        request_count, early_size = 0, 0.0
        while request_count < scale.requests:
            load: Load = target.run_load(CONNECTIONS, LOAD_SECONDS)
            request_count += load.requests
            if not early_size and request_count >= scale.requests / 10:
                early_size = resident_megabytes(process_id)
        label = f"memory of a worker after {scale.requests:,} requests"
        limit_label = f"after the first {scale.requests // 10:,}"
        return [Line(label, resident_megabytes(process_id), "MB", limit_label, early_size, 1.05, is_minimum=False)]


def mixed_requests(
    sub_users: list[SampleSubUser], listed: Sequence[SampleSubUser]
) -> Iterator[tuple[str, str, object]]:
    """Yield a typical mix of requests: mostly introspection, some lists, few changes."""
    for number, sub_user in enumerate(sub_users * 10):
        if number % 20 == 0:
            yield "PATCH", sub_user.path, {"name": f"Grace {number}"}
        elif number % 20 < 4:
            yield "GET", f"/v1/accounts/{listed[number % len(listed)].account_id}/sub-users", None
        else:
            yield "POST", "/v1/sessions/introspect", {"token": sub_user.token, "permission": "assistants"}
