"""The service in a real browser: one of each for all the tests here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.browser import accessibility, chromium
from tests.browser.service import shown
from tests.processes.deployment import an_open_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from tests.browser.service import Shown


def missing(what: str) -> None:
    """Leave the test out, and say why; where everything has to be there, that is an error."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Lend the browser."""
    path = chromium.installed()
    if path is None:
        missing(f"a Chromium on the PATH, or one that {chromium.GIVEN} names")
    with chromium.launched(str(path)) as browser:
        yield browser


@pytest.fixture(scope="session")
def service(browser: Browser) -> Iterator[Shown]:
    """Lend a service that is only ever looked at through its doors."""
    with an_open_folder() as folder, shown(folder) as service:
        yield service


@pytest.fixture
def visits(browser: Browser, service: Shown) -> Iterator[chromium.Visits]:
    """Give what opens visitors' browsers. Whatever one of them complains of, or the service, fails the test."""
    before = len(service.failures)
    visits = chromium.Visits(browser, service.url)
    yield visits
    visits.close()
    assert not visits.watch.all_complaints()
    assert not service.failures[before:]


@pytest.fixture
def axe() -> Callable[..., None]:
    """Give what requires a page to be accessible."""
    if not accessibility.SCRIPT.exists():
        missing("axe-core: npm ci --prefix tests/browser")
    return accessibility.require_accessible
