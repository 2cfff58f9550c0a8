"""Fixtures of the browser tests: one browser and one service for all tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.browser import accessibility, chromium
from tests.browser.service import run_service
from tests.processes.deployment import traversable_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from tests.browser.service import RunningService


def skip_without(requirement: str) -> None:
    """Skip the test; in CI, where everything must be installed, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs {requirement}")
    pytest.skip(f"needs {requirement}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    path = chromium.find_browser()
    if path is None:
        skip_without(f"a Chromium on the PATH, or one that {chromium.BROWSER_VARIABLE} names")
    with chromium.launch_browser(str(path)) as browser:
        yield browser


@pytest.fixture(scope="session")
def service(browser: Browser) -> Iterator[RunningService]:
    """A service that the tests use only over HTTP."""
    with traversable_folder() as folder, run_service(folder) as service:
        yield service


@pytest.fixture
def visits(browser: Browser, service: RunningService) -> Iterator[chromium.Visits]:
    """Opens pages of the service. Errors in them or in the service fail the test."""
    failures_before = len(service.failures)
    visits = chromium.Visits(browser, service.url)
    yield visits
    visits.close()
    assert not visits.error_recorder.all_errors()
    assert not service.failures[failures_before:]


@pytest.fixture
def axe() -> Callable[..., None]:
    """Function that requires a page to be accessible."""
    if not accessibility.AXE_SCRIPT.exists():
        skip_without("axe-core: npm ci --prefix tests/browser")
    return accessibility.require_accessible
