"""Throttling of 64 clients that guess at the same time through two server processes, for each proof of a person."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.login_timing import passkey_origin
from tests.authenticator import Authenticator
from tests.processes.test_second_factors import FACTORS, add_totp
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from tests.processes.conftest import RunningService
    from tests.processes.portal import Portal, SubUserHandle

GUESSES = 64
FAILURES_IN_A_ROW = 5
RESETS_PER_HOUR = 5
RESETS_PER_MINUTE_OF_A_CLIENT = 30
VERIFICATION = "/v1/sessions/current/second-factor"


def add_passkey(running_service: RunningService, token: str) -> Authenticator:
    """Add a passkey, and return one of another key that has the same id."""
    portal = running_service.portal
    authenticator = Authenticator(passkey_origin(running_service.deployment))
    offer = portal.call(201, "POST", f"{FACTORS}/passkey", Session_Token=token).json()
    passkey = authenticator.create(offer["options"])
    body = {"challenge_id": offer["challenge_id"], "name": "My key", "passkey": passkey}
    portal.call(201, "POST", FACTORS, body, Session_Token=token)
    return Authenticator(authenticator.origin, sign_count=99, credential_id=authenticator.credential_id)


def passkey_answer(portal: Portal, forged: Authenticator, token: str) -> dict[str, Any]:
    challenge = portal.call(201, "POST", f"{VERIFICATION}/challenges", Session_Token=token).json()
    return {"challenge_id": challenge["challenge_id"], "passkey": forged.get(challenge["options"])}


def wrong_proofs(running_service: RunningService, sub_user: SubUserHandle, kind: str) -> list[partial[int]]:
    """Return guesses at a second factor, each in a session of its own, which return the status of the response."""
    portal = running_service.portal
    tokens = [sub_user.log_in() for _ in range(GUESSES + 1)]
    proofs: list[dict[str, Any]]
    if kind == "passkey":
        forged = add_passkey(running_service, tokens.pop())
        proofs = [passkey_answer(portal, forged, token) for token in tokens]
    else:
        add_totp(portal, tokens.pop())
        proofs = [{kind: "0000-0000-0000-0000"}] * GUESSES
    headers = [{"Session-Token": token, "X-Client-IP": "10.0.0.1"} for token in tokens]
    return [partial(status_of, portal, VERIFICATION, *guess) for guess in zip(proofs, headers, strict=True)]


def wrong_passwords(running_service: RunningService, sub_user: SubUserHandle) -> list[partial[int]]:
    """Return logins with a wrong password, which return the status of the response."""
    body = replace(sub_user, password="a wrong guess").login_body
    return [partial(status_of, running_service.portal, "/v1/sessions", body, {"X-Client-IP": "10.0.0.1"})] * GUESSES


def status_of(portal: Portal, path: str, body: dict[str, Any], headers: dict[str, str]) -> int:
    return portal.post(path, json=body, headers=headers).status_code


def most_failures_in(seconds: float) -> int:
    """Return how many guesses can be verified in this time: five, and one after each wait of 1, 2, 4 … seconds."""
    return FAILURES_IN_A_ROW + int(math.log2(seconds + 1))


@pytest.mark.parametrize("kind", ["password", "code", "recovery_code", "passkey"])
def test_concurrent_guesses_at_one_person_are_limited(running_service: RunningService, kind: str) -> None:
    """All come from one address. As many are verified as in sequence, and the others get 429."""
    sub_user = running_service.portal.register().add_with_own_password()
    if kind == "password":
        guesses = wrong_passwords(running_service, sub_user)
    else:
        guesses = wrong_proofs(running_service, sub_user, kind)
    begun = time.monotonic()
    counts = Counter(run_concurrently(guesses))
    elapsed = time.monotonic() - begun
    assert counts.keys() == {401, 429}
    assert FAILURES_IN_A_ROW <= counts[401] <= most_failures_in(elapsed)


def test_concurrent_requests_to_reset_one_password_are_limited(running_service: RunningService) -> None:
    """Five an hour, from any network."""
    portal = running_service.portal
    sub_user = portal.register().add_with_own_password()
    body = {"account_email": sub_user.company.email, "email": sub_user.email}
    requests = [
        partial(status_of, portal, "/v1/password-resets", body, {"X-Client-IP": f"10.{number}.0.1"})
        for number in range(GUESSES)
    ]
    assert Counter(run_concurrently(requests)) == {202: RESETS_PER_HOUR, 429: GUESSES - RESETS_PER_HOUR}


def test_concurrent_requests_of_one_client_to_reset_passwords_are_limited(running_service: RunningService) -> None:
    """Thirty a minute, for any persons, known or not."""
    portal = running_service.portal
    company = portal.register()
    headers = {"X-Client-IP": "10.99.0.1"}
    bodies = [
        {"account_email": company.email, "email": f"person-{number}@company.example"} for number in range(GUESSES)
    ]
    begun = time.monotonic()
    counts = Counter(
        run_concurrently([partial(status_of, portal, "/v1/password-resets", body, headers) for body in bodies])
    )
    minutes = 1 + int((time.monotonic() - begun) / 60)
    assert counts.keys() == {202, 429}
    assert RESETS_PER_MINUTE_OF_A_CLIENT <= counts[202] <= RESETS_PER_MINUTE_OF_A_CLIENT * minutes
