"""The service as most commands need it: on a database that runs and is up to date, and closed afterwards."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from api import bootstrap, config
from api.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap import Service
    from api.config import Settings


READ_FROM = frozenset({"sub-users", "audit-log", "merkle-tree"})
"""What reading an account's history, and proving it, waits for."""


@contextmanager
def ready_service(settings: Settings | None = None) -> Iterator[Service]:
    """Put the service together, on the settings of the environment unless others are given."""
    with bootstrap.opened(settings or config.load()) as ready:
        if bootstrap.pending_migrations(ready.database_url or ""):
            msg = "the database's schema is not up to date: run `subusers migrate` first"
            raise ConfigError(msg)
        service = bootstrap.build(ready)
        try:
            yield service
        finally:
            service.close()


def catch_up(service: Service) -> None:
    """Have the views that are read from take over what there is: nobody else may be at work."""
    for follower in service.followers:
        if follower.view.name in READ_FROM:
            follower.catch_up()
