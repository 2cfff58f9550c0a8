"""A running service for programs that others wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from tests.browser.service import run_service
from tests.generators.event_story import EventStory
from tests.generators.programs import NODE_MODULES
from tests.processes.deployment import traversable_folder
from tests.receiver import receiving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser.service import RunningService


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    """A service that the programs use."""
    with traversable_folder() as folder, run_service(folder, webhook_allow="localhost") as service:
        yield service


@pytest.fixture(scope="session")
def event_story(service: RunningService) -> Iterator[EventStory]:
    """Events of almost every type, as the feed, the stream and a webhook deliver them."""
    with receiving() as receiver:
        story = EventStory(service.deployment, receiver)
        story.play()
        yield story


@pytest.fixture
def folder(tmp_path: Path, service: RunningService) -> Path:
    """A folder with the document of the service and the installed npm packages."""
    (tmp_path / "openapi.json").write_text(httpx.get(f"{service.url}/openapi.json").text)
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    return tmp_path


@pytest.fixture
def story_arguments(service: RunningService) -> tuple[str, str, str]:
    """URL, API key and a new account's e-mail address."""
    authorization: str = service.portal.headers["Authorization"]
    return service.url, authorization.removeprefix("Bearer "), f"owner-{uuid4().hex[:8]}@company.example"
