"""Fixtures for the scenarios of AuthZEN, which set a permission catalogue of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from adapters import passwords
from api.bootstrap import composition_root
from tests.api.clients import ApiClients
from tests.authzen.policy_decision_point import PolicyDecisionPoint
from tests.conftest import QuickHasher, settings_on
from tests.postgres import database_copy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def point(
    server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PolicyDecisionPoint]:
    """Return an account of a service that only the tests of a module use."""
    with database_copy(server_url, migrated_template) as url:
        with patch.object(passwords, "PasswordHasher", QuickHasher):
            service = composition_root.build(settings_on(url, tmp_path_factory.mktemp("authzen")))
        try:
            yield PolicyDecisionPoint.create(ApiClients.of(service))
        finally:
            service.close()
