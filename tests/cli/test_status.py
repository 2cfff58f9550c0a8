"""`subusers status`: mails in the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.postgres.tables.mail_queue import PostgresMailQueue
from tests.builders import catch_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from tests.builders import Company


def test_mail_of_a_worker_that_ended_is_not_called_a_failure(
    service: Service, company: Company, run: Callable[..., tuple[int, str]]
) -> None:
    """The queue does not record how an attempt ended: the mail is being sent or waits for another attempt."""
    company.create_active()
    catch_up(service)
    expected = "mails: 1 waiting ({} being sent or waiting for another attempt)"
    assert expected.format(0) in " ".join(run("status")[1].split())
    assert PostgresMailQueue(service.database).claim(service.clock()) is not None  # by a worker that ends
    assert expected.format(1) in " ".join(run("status")[1].split())
