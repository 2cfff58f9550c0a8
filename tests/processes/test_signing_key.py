"""Rotation of the signing key on a running service, as described in docs/operating.md."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

import pytest

from application.transparency.signed_note import SignedNote, VerifierKey
from tests.postgres import fetch
from tests.processes.portal import Portal
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.processes.deployment import Deployment
    from tests.processes.portal import Company

EVENTS_PER_CHECKPOINT = 1000
"""This many new events make a checkpoint due immediately."""


def run(deployment: Deployment, *command: str) -> str:
    """Run a command that must succeed; return its output."""
    program = deployment.run(*command)
    assert program.process.returncode == 0, program.output + program.errors
    return program.output.strip()


def newest_note(url: str) -> str:
    rows = fetch(url, "SELECT note FROM checkpoints ORDER BY number DESC LIMIT 1")
    return str(rows[0][0]) if rows else ""


def is_signed_by(url: str, key: VerifierKey) -> bool:
    """Return whether the newest checkpoint is signed by this key only."""
    note = newest_note(url)
    return bool(note) and [signature.key_id for signature in SignedNote.parse(note).signatures] == [key.key_id]


def report_activities(company: Company) -> None:
    """Report enough activities to make a checkpoint due."""
    sub_user_id = company.sub_users()[0]["sub_user_id"]
    rows = [{"sub_user_id": sub_user_id, "action": "tool.used"}] * EVENTS_PER_CHECKPOINT
    company.portal.call(201, "POST", f"{company.path}/activities", {"activities": rows})


@pytest.mark.long
def test_checkpoints_cover_every_event_across_a_key_rotation(
    deploy: Callable[..., Deployment], database_url: str, tmp_path: Path
) -> None:
    """Workers restart one after the other, and requests succeed meanwhile."""
    deployment = deploy()
    api_key = deployment.api_key()
    _, worker = deployment.serve("api", "work")
    old = VerifierKey.parse(run(deployment, "signing-key", "show"))
    with Portal(deployment.url, api_key) as portal:
        company = portal.register()
        company.add()
        report_activities(company)
        eventually(lambda: is_signed_by(database_url, old))
        saved_note = tmp_path / "checkpoint"
        saved_note.write_text(newest_note(database_url))

        new_key = base64.b64encode(secrets.token_bytes(32)).decode()
        deployment.environment["SUBUSERS_SIGNING_KEY"] = f"{new_key},{deployment.environment['SUBUSERS_SIGNING_KEY']}"
        deployment.start("work")
        worker.end()
        report_activities(company)
        run(deployment, "signing-key", "rotate")
        new = VerifierKey.parse(run(deployment, "signing-key", "show"))
        report_activities(company)
        eventually(lambda: is_signed_by(database_url, new))

    deployment.environment["SUBUSERS_SIGNING_KEY"] = new_key
    output = run(deployment, "verify", "--checkpoint", str(saved_note), "--public-key", str(old))
    signed = int(output.removeprefix("right: ").split()[0])
    assert signed >= 3 * EVENTS_PER_CHECKPOINT
    assert new != old
