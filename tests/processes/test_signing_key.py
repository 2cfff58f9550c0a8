"""An operator has another key sign while the service runs, as docs/operating.md says it, and nothing is lost."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

import pytest

from application.signed_notes import SignedNote, VerifierKey
from tests.postgres import ask
from tests.processes.portal import Portal
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.processes.deployment import Deployment
    from tests.processes.portal import Company

A_CHECKPOINTS_WORTH = 1000
"""Events after which there is one, however soon."""


def said(deployment: Deployment, *command: str) -> str:
    """Run a command that has to succeed, and return what it said."""
    program = deployment.run(*command)
    assert program.process.returncode == 0, program.output + program.errors
    return program.output.strip()


def newest(url: str) -> str:
    rows = ask(url, "SELECT note FROM checkpoints ORDER BY number DESC LIMIT 1")
    return str(rows[0][0]) if rows else ""


def is_signed_by(url: str, key: VerifierKey) -> bool:
    """Say whether the newest checkpoint has this key's signature, and no other."""
    note = newest(url)
    return bool(note) and [one.key_id for one in SignedNote.parse(note).signatures] == [key.key_id]


def report(company: Company) -> None:
    """Report as many activities as make a checkpoint due."""
    sub_user_id = company.sub_users()[0]["sub_user_id"]
    rows = [{"sub_user_id": sub_user_id, "action": "tool.used"}] * A_CHECKPOINTS_WORTH
    company.portal.ask(201, "POST", f"{company.path}/activities", {"activities": rows})


@pytest.mark.long
def test_another_key_takes_over_on_a_running_service(
    deploy: Callable[..., Deployment], database_url: str, tmp_path: Path
) -> None:
    """Workers are started again one after the other, requests go on, and each event gets into a checkpoint."""
    deployment = deploy()
    api_key = deployment.api_key()
    _, work = deployment.serve("api", "work")
    old = VerifierKey.parse(said(deployment, "signing-key", "show"))
    with Portal(deployment.url, api_key) as portal:
        company = portal.register()
        company.add()
        report(company)
        eventually(lambda: is_signed_by(database_url, old))
        kept = tmp_path / "kept"
        kept.write_text(newest(database_url))

        added = base64.b64encode(secrets.token_bytes(32)).decode()
        deployment.environment["SUBUSERS_SIGNING_KEY"] = f"{added},{deployment.environment['SUBUSERS_SIGNING_KEY']}"
        deployment.start("work")
        work.end()
        report(company)
        said(deployment, "signing-key", "rotate")
        new = VerifierKey.parse(said(deployment, "signing-key", "show"))
        report(company)
        eventually(lambda: is_signed_by(database_url, new))

    deployment.environment["SUBUSERS_SIGNING_KEY"] = added
    told = said(deployment, "verify", "--checkpoint", str(kept), "--public-key", str(old))
    signed = int(told.removeprefix("right: ").split()[0])
    assert signed >= 3 * A_CHECKPOINTS_WORTH
    assert new != old
