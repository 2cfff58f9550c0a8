"""The service as at a first start: its own database, a demo account, mails as files."""

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

OWNER_PASSWORD = "seven slow barges pass"


@dataclass(frozen=True)
class RunningService:
    """A running service, the credentials printed by its first start, and access through the portal's API."""

    url: str
    email: str
    password: str = field(repr=False)
    mailbox_link: str = field(repr=False)
    portal: Portal
    deployment: Deployment = field(repr=False)

    @property
    def failures(self) -> list[str]:
        """Log lines of requests that failed with an internal error."""
        return [line for line in self.deployment.output.splitlines() if '"request.failed"' in line]

    def register_company(self, **details: Any) -> Company:
        """Register an account whose owner logs in to the console with `OWNER_PASSWORD`."""
        body = {
            "email": f"boss-{uuid4().hex[:8]}@company.example",
            "company_name": "Winds & Waves",
            "password": OWNER_PASSWORD,
        }
        response = self.portal.call(201, "POST", "/v1/accounts", body | details)
        return Company(self.portal, response.headers["Location"], response.json()["email"])


@contextmanager
def run_service(folder: Path, **settings: str) -> Iterator[RunningService]:
    """Yield a service started for the first time in the folder, with these settings."""
    with deployed(folder, server_processes=1, **settings) as deployment:
        (program,) = deployment.serve()
        matches = {
            label: re.search(rf"^  {label} +(\S+)$", program.output, re.MULTILINE)
            for label in ("e-mail", "password", "portal")
        }
        email, password, key = (match[1] if match else "" for match in matches.values())
        assert key, program.output
        link = re.search(r"(/mailbox\?token=\S+)$", program.output, re.MULTILINE)
        assert link, program.output
        with Portal(deployment.url, key) as portal:
            yield RunningService(deployment.url, email, password, link[1], portal, deployment)
