"""The service as somebody runs it to look at it: on a database of its own, with a demo account, and mails as files."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.processes.deployment import deployed
from tests.processes.portal import Company, Portal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.processes.deployment import Deployment

OWNERS = "seven slow barges pass"


@dataclass(frozen=True)
class Shown:
    """A service that runs, what its first start printed, and a way in as the portal."""

    url: str
    email: str
    password: str = field(repr=False)
    portal: Portal
    deployment: Deployment = field(repr=False)

    @property
    def failures(self) -> list[str]:
        """What it has logged so far of requests that failed for a reason of its own."""
        return [line for line in self.deployment.said.splitlines() if '"request.failed"' in line]

    def company(self, **details: Any) -> Company:
        """Register a main account that can log in to the console, with the password `OWNERS`."""
        body = {"email": f"boss-{uuid4().hex[:8]}@company.example", "company_name": "Winds & Waves", "password": OWNERS}
        answer = self.portal.ask(201, "POST", "/v1/accounts", body | details)
        return Company(self.portal, answer.headers["Location"], answer.json()["email"])


@contextmanager
def shown(folder: Path) -> Iterator[Shown]:
    """Lend a service that has just been started for the first time, in this folder."""
    with deployed(folder, processes=1) as deployment:
        (program,) = deployment.serve()
        said = {
            word: re.search(rf"^  {word} +(\S+)$", program.output, re.MULTILINE)
            for word in ("e-mail", "password", "portal")
        }
        email, password, key = (found[1] if found else "" for found in said.values())
        assert key, program.output
        with Portal(deployment.url, key) as portal:
            yield Shown(deployment.url, email, password, portal, deployment)
