"""Logins over HTTP, against what the machine's cores can verify with argon2 and nothing else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from argon2 import PasswordHasher

from api import bootstrap
from application.api_keys import Scope
from benchmarks import servers
from benchmarks.lines import Line, median_of
from benchmarks.load import Target, written
from benchmarks.long_history import ready_settings
from benchmarks.people import PASSWORD, accounts_of

if TYPE_CHECKING:
    from benchmarks.lines import Scale

CONNECTIONS = 8
ACCOUNTS = 64
"""More than connections: people who log in at the same time are seldom the same."""


def measure(scale: Scale) -> list[Line]:
    """Measure logins and bare verifications in turn."""
    with ExitStack() as stack:
        settings = stack.enter_context(ready_settings())
        service = bootstrap.build(settings)
        people = accounts_of(service, ACCOUNTS, 1)
        api_key = service.api_keys.create(Scope.PORTAL, "benchmark", service.clock())
        service.close()
        requests = stack.enter_context(written(("POST", "/v1/sessions", one.credentials) for one in people))
        url = stack.enter_context(servers.doors(settings)).url
        headers = (f"Authorization: Bearer {api_key}", "X-Client-IP: 192.0.2.1", "X-Client-User-Agent: a browser")
        target = Target(url, requests, headers)
        target.under(CONNECTIONS, 1)
        rates, times = [], []
        for _ in range(scale.runs):
            raw = verifications(settings.cores, scale.seconds)
            load = target.under(CONNECTIONS, scale.seconds)
            against = f"argon2 verifications on {settings.cores} cores"
            rates.append(Line(f"logins, {CONNECTIONS} connections", load.rate, "logins/s", against, raw, 0.85))
            even = 1000 * CONNECTIONS / raw
            against = "connections ÷ that rate"
            times.append(Line("their time, 95th percentile", 1000 * load.p95, "ms", against, even, 2, at_least=False))
        return [median_of(rates), median_of(times)]


def verifications(cores: int, seconds: float) -> float:
    """Return how many passwords a second all cores verify, with the parameters of the service."""
    hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
    password_hash = hasher.hash(PASSWORD)
    end = time.monotonic() + seconds

    def verify(_: int) -> int:
        done = 0
        while time.monotonic() < end:
            hasher.verify(password_hash, PASSWORD)
            done += 1
        return done

    began = time.monotonic()
    with ThreadPoolExecutor(cores) as pool:  # it lets go of the interpreter while it hashes
        done = sum(pool.map(verify, range(cores)))
    return done / (time.monotonic() - began)
