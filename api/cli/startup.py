"""The database and the service that a command uses."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from api.bootstrap import composition_root, config, connections, embedded_database, maintenance
from api.bootstrap.config import ConfigError
from api.cli.output import report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service


HISTORY_VIEWS = frozenset({"sub-users", "audit-log", "merkle-tree"})
"""Views that reading and proving an account's history depends on."""


@contextmanager
def existing_database(*, with_master_key: bool = True) -> Iterator[Settings]:
    """Report which database the command uses, run it if it is embedded, and yield the settings.

    Published events have the stored source: that of the command's own settings may be another. Raises `ConfigError`.
    """
    settings = replace(config.load(with_master_key=with_master_key), source=None)
    with embedded_database.restartable_database(settings) as start:
        report(f"database: {settings.database_name}")
        yield start()


@contextmanager
def open_service() -> Iterator[Service]:
    """Yield the service for a command, on the existing database. Raises `ConfigError`."""
    with existing_database() as settings, build_service(settings) as service:
        yield service


@contextmanager
def build_service(settings: Settings) -> Iterator[Service]:
    """Yield the service on a running database. Raises `ConfigError` unless its schema is up to date."""
    if maintenance.pending_migrations(settings.database_url or ""):
        msg = "the database's schema is not up to date: run `subusers migrate` first"
        raise ConfigError(msg)
    service = composition_root.build(settings, limits=connections.BACKGROUND_LIMITS)
    try:
        yield service
    finally:
        service.close()


def catch_up_history_views(service: Service) -> None:
    """Apply all recorded events to the views that history reads, in case no `work` process runs."""
    for follower in service.workers.followers:
        if follower.view.name in HISTORY_VIEWS:
            follower.catch_up()
