"""Rules that hold whichever of several processes a request comes to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.waiting import at_once

if TYPE_CHECKING:
    from tests.processes.conftest import Running
    from tests.processes.portal import Company


def create(company: Company, email: str) -> tuple[int, str]:
    """Ask for a sub-user; return the status of the answer, and the type of problem that it may tell."""
    body = {"email": email, "name": "Grace", "surname": "Hopper"}
    answer = company.portal.post(f"{company.path}/sub-users", json=body)
    return answer.status_code, answer.json().get("type", "")


def outcomes(company: Company, emails: list[str]) -> Counter[Any]:
    """Ask for all of these at once, and count what came of it."""
    return Counter(at_once([lambda email=email: create(company, email) for email in emails]))  # type: ignore[misc]  # a default keeps the loop's value


def test_the_limit_holds(running: Running) -> None:
    """Of 64 sub-users asked for at once exactly 10 are let in, and the others are told that the limit is reached."""
    company = running.portal.register()
    came_to = outcomes(company, [f"someone-{number}@company.example" for number in range(64)])
    assert came_to == {(201, ""): 10, (409, "urn:subusers:problem:sub-user-limit-reached"): 54}
    assert len(company.sub_users()) == 10


def test_an_email_is_taken_once(running: Running) -> None:
    """Of two who ask for the same e-mail at once, in whatever case, one is let in."""
    company = running.portal.register()
    email = f"someone-{uuid4().hex}@company.example"
    came_to = outcomes(company, [email, email.upper()])
    assert came_to == {(201, ""): 1, (409, "urn:subusers:problem:sub-user-email-taken"): 1}
    assert len(company.sub_users()) == 1
