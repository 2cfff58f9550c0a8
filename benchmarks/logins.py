"""Logins over HTTP, compared with the argon2 verifications that the machine's cores can do."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from argon2 import PasswordHasher

from api.bootstrap import composition_root
from application.command_context import CommandContext
from application.commands.api_keys import Scope
from benchmarks import servers
from benchmarks.lines import Line, median_of
from benchmarks.load import Target, request_file
from benchmarks.sample_accounts import PASSWORD, create_accounts
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from benchmarks.lines import Scale

CONNECTIONS = 8
ACCOUNTS = 64
"""More than there are connections, so that simultaneous logins are mostly of different people."""


def measure(scale: Scale) -> list[Line]:
    """Measure logins and bare verifications, alternating."""
    with ExitStack() as stack:
        settings = stack.enter_context(servers.temporary_database())
        service = composition_root.build(settings)
        sub_users = create_accounts(service, ACCOUNTS, 1)
        api_key = service.commands.api_keys.create(Scope.PORTAL, "benchmark", CommandContext(ActorType.SYSTEM))
        service.close()
        requests = stack.enter_context(
            request_file(("POST", "/v1/sessions", sub_user.credentials) for sub_user in sub_users)
        )
        url = stack.enter_context(servers.run_api(settings)).url
        headers = (f"Authorization: Bearer {api_key}", "X-Client-IP: 192.0.2.1", "X-Client-User-Agent: a browser")
        target = Target(url, requests, headers)
        target.run_load(CONNECTIONS, 1)
        rates, times = [], []
        for _ in range(scale.runs):
            verification_rate = verifications(settings.cores, scale.seconds)
            load = target.run_load(CONNECTIONS, scale.seconds)
            limit_label = f"argon2 verifications on {settings.cores} cores"
            rates.append(
                Line(f"logins, {CONNECTIONS} connections", load.rate, "logins/s", limit_label, verification_rate, 0.8)
            )
            fair_share_ms = 1000 * CONNECTIONS / verification_rate
            limit_label = "connections ÷ that rate"
            times.append(
                Line(
                    "their time, 95th percentile",
                    1000 * load.p95,
                    "ms",
                    limit_label,
                    fair_share_ms,
                    2,
                    is_minimum=False,
                )
            )
        return [median_of(rates), median_of(times)]


def verifications(cores: int, seconds: float) -> float:
    """Return the passwords per second that all cores can verify, with the parameters of the service."""
    hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
    password_hash = hasher.hash(PASSWORD)
    deadline = time.monotonic() + seconds

    def verify(_: int) -> int:
        count = 0
        while time.monotonic() < deadline:
            hasher.verify(password_hash, PASSWORD)
            count += 1
        return count

    started_at = time.monotonic()
    with ThreadPoolExecutor(cores) as pool:  # argon2 releases the GIL while it hashes
        count = sum(pool.map(verify, range(cores)))
    return count / (time.monotonic() - started_at)
