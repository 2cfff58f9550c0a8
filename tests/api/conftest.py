"""What tests of the HTTP interface share."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest
import structlog

from api import bootstrap
from api.config import Settings
from tests.api.callers import Account, Caller, Doors
from tests.conftest import following
from tests.postgres import copy_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def _brief_logs() -> None:
    """Have exceptions logged without the values of all variables: of a deep recursion those take minutes to print."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, renderer])


@pytest.fixture(scope="session")
def doors(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Give the doors of one service, its followers running, to all tests that are content with an account of their own.

    A database of one's own takes half a second; a test that moves the clock or harms the database uses `own_doors`.
    """
    with copy_of(server_url, migrated_template) as url:
        service = bootstrap.build(
            Settings(
                embedded=False,
                database_url=url,
                smtp_url=None,
                mail_from="no-reply@portal.example",
                master_keys=(secrets.token_bytes(32),),
                data_dir=tmp_path_factory.mktemp("doors"),
                host="127.0.0.1",
                port=8000,
                public_url="https://portal.example",
                processes=1,
                threads=16,
                cores=2,
            )
        )
        try:
            with following(service):
                yield Doors.of(service)
        finally:
            service.close()


@pytest.fixture
def own_doors(service: bootstrap.Service, followers: None) -> Doors:
    """Give the doors of a service of the test's own, on a database and a clock of its own."""
    return Doors.of(service)


@pytest.fixture
def portal(doors: Doors) -> Caller:
    """Give the portal's backend."""
    return doors.portal


@pytest.fixture
def account(doors: Doors) -> Account:
    """Give a main account that has just been registered."""
    return doors.account()
