"""Service for command-line commands, on a running and migrated database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.bootstrap import composition_root, config, connections, embedded_database, maintenance
from api.bootstrap.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service


HISTORY_VIEWS = frozenset({"sub-users", "audit-log", "merkle-tree"})
"""Views that reading and proving an account's history depends on."""


@contextmanager
def open_service(settings: Settings | None = None) -> Iterator[Service]:
    """Yield the service, built from these settings or from the environment. Raises `ConfigError`."""
    with embedded_database.database_running(settings or config.load()) as running_settings:
        if maintenance.pending_migrations(running_settings.database_url or ""):
            msg = "the database's schema is not up to date: run `subusers migrate` first"
            raise ConfigError(msg)
        service = composition_root.build(running_settings, limits=connections.BACKGROUND_LIMITS)
        try:
            yield service
        finally:
            service.close()


def catch_up_history_views(service: Service) -> None:
    """Apply all recorded events to the views that history reads, in case no `work` process runs."""
    for follower in service.workers.followers:
        if follower.view.name in HISTORY_VIEWS:
            follower.catch_up()
