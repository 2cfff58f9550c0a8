"""The `source` of published events is stored, so that commands with other settings print the same events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from api.bootstrap import maintenance
from api.cli.startup import open_service
from projections.feed.pages import FeedFilter
from tests.postgres import fetch

if TYPE_CHECKING:
    import pytest

    from api.bootstrap.config import Settings
    from tests.builders import Company

SOURCE, OTHER_SOURCE = "https://portal.example/subusers", "https://other.example"


def stored_source(settings: Settings) -> str | None:
    rows = fetch(settings.database_url or "", "SELECT source FROM installation")
    return rows[0][0] if rows else None


def test_configured_source_is_stored(settings: Settings) -> None:
    """By `migrate`, `serve` and `work`. A setting replaces the stored source; without one it stays."""
    maintenance.run_migrations(settings)
    assert stored_source(settings) is None
    maintenance.run_migrations(replace(settings, source=SOURCE))
    assert stored_source(settings) == SOURCE
    maintenance.run_migrations(settings)
    assert stored_source(settings) == SOURCE
    maintenance.store_source(replace(settings, source=OTHER_SOURCE))
    maintenance.store_source(settings)
    assert stored_source(settings) == OTHER_SOURCE


def test_default_source_replaces_no_other(settings: Settings) -> None:
    maintenance.add_default_source(replace(settings, public_url="http://127.0.0.1:8000"))
    maintenance.add_default_source(replace(settings, public_url="http://127.0.0.1:9000"))
    assert stored_source(settings) == "http://127.0.0.1:8000"


def test_commands_use_the_stored_source(
    command_environment: pytest.MonkeyPatch, settings: Settings, company: Company
) -> None:
    """The setting of the command's own environment does not count, unless no source is stored."""
    company.create_sub_user()
    command_environment.setenv("SUBUSERS_PUBLIC_URL", OTHER_SOURCE)
    assert sources() == {OTHER_SOURCE}
    maintenance.store_source(replace(settings, source=SOURCE))
    assert sources() == {SOURCE}


def sources() -> set[str]:
    with open_service() as service:
        return {event["source"] for event in service.queries.events.page(0, 10, FeedFilter()).items}
