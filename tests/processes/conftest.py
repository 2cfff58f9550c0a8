"""The service as real processes, on a copy of the test run's database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.postgres import copy_of, for_service
from tests.processes.deployment import Deployment, an_open_folder, deployed, master_key
from tests.processes.portal import Portal
from tests.rabbitmq import OwnBroker, own_broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Running:
    """A service that runs, and a way in as the portal."""

    deployment: Deployment
    database_url: str = field(repr=False)
    api_key: str = field(repr=False)
    portal: Portal


@pytest.fixture(scope="session")
def running(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Lend a service of two server processes and one worker, with mails as files, that the tests here share."""
    folder = tmp_path_factory.mktemp("service")
    with (
        copy_of(server_url, migrated_template) as url,
        deployed(folder, database_url=for_service(url), admin_database_url=url, master_key=master_key()) as deployment,
    ):
        deployment.serve("api", "work")
        api_key = deployment.api_key()
        with Portal(deployment.url, api_key) as portal:
            yield Running(deployment, url, api_key, portal)


@pytest.fixture
def deploy(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    """Give a function that prepares a deployment on the test's own database; its programs are ended after."""
    urls = {"database_url": for_service(database_url), "admin_database_url": database_url}
    with deployed(tmp_path, **urls, master_key=master_key()) as deployment:

        def prepare(**settings: str) -> Deployment:
            deployment.environment.update({f"SUBUSERS_{name.upper()}": value for name, value in settings.items()})
            return deployment

        yield prepare


@pytest.fixture(scope="session")
def broker() -> Iterator[OwnBroker]:
    """Lend a RabbitMQ that tests may harm, and then put right."""
    with own_broker() as broker:
        yield broker


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Lend a folder that other users may pass through: as root, an embedded database runs as one of them."""
    with an_open_folder() as folder:
        yield folder
