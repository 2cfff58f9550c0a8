"""Pytest plugin, registered by an entry point. It imports the rest only for tests that use its fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from subusers.testing.service import SubusersService


@pytest.fixture(scope="session")
def subusers_session() -> Iterator[SubusersService]:
    """Yield a service that runs until the end of the session, for fixtures of the session that need its URL."""
    from subusers.testing.service import SubusersService  # noqa: PLC0415  # most projects' tests do not need it

    with SubusersService() as service:
        yield service


@pytest.fixture
def subusers_service(subusers_session: SubusersService) -> SubusersService:
    """Return the session's service, reset: without accounts, mails and webhooks."""
    subusers_session.reset()
    return subusers_session
