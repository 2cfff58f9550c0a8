"""Progress of the followers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.builders import catch_up

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from tests.builders import Company


def test_progress_reports_the_lag_of_each_follower(service: Service, company: Company) -> None:
    catch_up(service)
    for _ in range(3):
        company.create_sub_user()
    catch_up(service, "audit-log")

    behind = {row.name: row.behind for row in service.queries.progress.followers()}

    assert behind == {"audit-log": 0, "mail-queue": 3, "merkle-tree": 3, "sub-users": 3, "usage": 3}
    assert service.queries.progress.settled_position() == max(
        row.position for row in service.queries.progress.followers()
    )


def test_empty_store_has_no_lag(service: Service) -> None:
    assert service.queries.progress.settled_position() == 0
    catch_up(service)
    assert {row.behind for row in service.queries.progress.followers()} == {0}
    assert service.queries.progress.queued_mails() == (0, 0)
