"""Second factors under concurrent requests to several server processes: each proof is good once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pyotp
import pytest

from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from tests.processes.conftest import RunningService
    from tests.processes.portal import Portal

USES = 64
FACTORS = "/v1/sessions/current/second-factors"


def add_totp(portal: Portal, token: str) -> tuple[pyotp.TOTP, list[str]]:
    """Add an authenticator app with the code of the previous time step; return it with the recovery codes."""
    offer = portal.call(201, "POST", f"{FACTORS}/totp", Session_Token=token).json()
    totp = pyotp.TOTP(offer["secret"])
    body = {"challenge_id": offer["challenge_id"], "name": "My phone", "code": code_of(totp, -1)}
    added = portal.call(201, "POST", FACTORS, body, Session_Token=token).json()
    return totp, added["recovery_codes"]


def code_of(totp: pyotp.TOTP, offset: int = 0) -> str:
    """Return the code of a time step, relative to the current one."""
    return totp.at(datetime.now(UTC), counter_offset=offset)


def verify(portal: Portal, proof: dict[str, Any], number: int, token: str) -> tuple[int, str]:
    """Verify a second factor from an address of its own; return the status, and the problem type of an error."""
    headers = {"Session-Token": token, "X-Client-IP": f"10.0.{number}.1"}
    response = portal.post("/v1/sessions/current/second-factor", json=proof, headers=headers)
    return response.status_code, response.json().get("type", "")


@pytest.mark.parametrize("kind", ["code", "recovery_code"])
def test_64_concurrent_uses_of_one_proof_open_one_session(running_service: RunningService, kind: str) -> None:
    """The others get 401."""
    portal = running_service.portal
    sub_user = portal.register().add_with_own_password()
    totp, recovery_codes = add_totp(portal, sub_user.log_in())
    tokens = [sub_user.log_in() for _ in range(USES)]
    proof = {kind: code_of(totp, 1) if kind == "code" else recovery_codes[0]}
    counts = Counter(run_concurrently([partial(verify, portal, proof, *use) for use in enumerate(tokens)]))
    assert counts == {(200, ""): 1, (401, "urn:subusers:problem:second-factor-refused"): USES - 1}
