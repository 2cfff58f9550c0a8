"""Invariants of an account under concurrent requests to several server processes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from tests.processes.conftest import RunningService
    from tests.processes.portal import Company


def create(company: Company, email: str) -> tuple[int, str]:
    """Create a sub-user; return the status, and the problem type of an error, "" otherwise."""
    body = {"email": email, "name": "Grace", "surname": "Hopper"}
    response = company.portal.post(f"{company.path}/sub-users", json=body)
    return response.status_code, response.json().get("type", "")


def create_concurrently(company: Company, emails: list[str]) -> Counter[Any]:
    """Create a sub-user with each e-mail concurrently, and count the outcomes."""
    return Counter(run_concurrently([lambda email=email: create(company, email) for email in emails]))  # type: ignore[misc]  # a default keeps the loop's value


def test_sub_user_limit_holds_under_concurrent_creates(running_service: RunningService) -> None:
    """Of 64 concurrent creations exactly 10 succeed; the others are refused because of the limit."""
    company = running_service.portal.register()
    counts = create_concurrently(company, [f"someone-{number}@company.example" for number in range(64)])
    assert counts == {(201, ""): 10, (409, "urn:subusers:problem:sub-user-limit-reached"): 54}
    assert len(company.sub_users()) == 10


def test_concurrent_creates_with_one_email_succeed_once(running_service: RunningService) -> None:
    """E-mails are compared case-insensitively."""
    company = running_service.portal.register()
    email = f"someone-{uuid4().hex}@company.example"
    counts = create_concurrently(company, [email, email.upper()])
    assert counts == {(201, ""): 1, (409, "urn:subusers:problem:sub-user-email-taken"): 1}
    assert len(company.sub_users()) == 1
