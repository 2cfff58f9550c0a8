"""Embedded PostgreSQL: its start, its stop and its master keys."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from adapters.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from adapters.encryption import new_key
from api.bootstrap import config, key_files
from api.bootstrap.config import ConfigError
from api.bootstrap.transports import build_mail_transport, build_message_broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap.config import Settings


__all__ = ["EmbeddedPostgresError", "database_running", "load_or_generate_master_keys", "restartable_database"]


@contextmanager
def database_running(settings: Settings, *, may_create: bool = False) -> Iterator[Settings]:
    """Run embedded PostgreSQL if it is configured, and yield the settings with the database's URL.

    Raises `EmbeddedPostgresError`, and `ConfigError` as `restartable_database` does.
    """
    with restartable_database(settings, may_create=may_create) as start:
        yield start()


@contextmanager
def restartable_database(settings: Settings, *, may_create: bool = False) -> Iterator[Callable[[], Settings]]:
    """Yield a function that starts embedded PostgreSQL, if configured and not running, and returns the settings.

    Before it starts anything, raises `ConfigError` for wrong settings of mails and of the broker, and if embedded
    PostgreSQL has no data yet, unless the caller `may_create` it.
    """
    build_mail_transport(settings)
    build_message_broker(settings)
    if not settings.embedded:
        yield lambda: settings
        return
    postgres = EmbeddedPostgres(settings.postgres_folder, max_connections=settings.max_database_connections)
    if not may_create and not postgres.exists():
        msg = (
            f"there is no database in {settings.data_dir}, and SUBUSERS_DATABASE_URL is not set: set it, set "
            "SUBUSERS_DATA_DIR to the service's folder, or create a database with `subusers serve` or "
            "`subusers migrate`"
        )
        raise ConfigError(msg)

    def start() -> Settings:
        owner_url = postgres.start()
        keys = settings.master_keys or load_or_generate_master_keys(settings)
        url = postgres.service_url
        return replace(settings, database_url=url, admin_database_url=owner_url, master_keys=keys)

    try:
        yield start
    finally:
        postgres.stop()


def load_or_generate_master_keys(settings: Settings) -> tuple[bytes, ...]:
    """Return the master keys in the key file of embedded PostgreSQL.

    The first start generates the file, readable only by its owner. During a rotation it has several keys, as the
    setting does. Raises `ConfigError`.
    """
    file = settings.master_key_file
    if not file.exists():
        key_files.create(file, base64.b64encode(new_key()).decode())
    return config.parse_master_keys(str(file), file.read_text().strip())
