"""Fixtures: a RabbitMQ broker per test session and an exchange per test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rabbitmq import any_broker, exchange_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rabbitmq import Exchange


@pytest.fixture(scope="session")
def broker_url() -> Iterator[str]:
    """Yield the URL of the broker that the tests share."""
    with any_broker() as url:
        yield url


@pytest.fixture
def exchange(broker_url: str) -> Iterator[Exchange]:
    """Yield an exchange that only this test uses."""
    with exchange_on(broker_url) as exchange:
        yield exchange
