"""How far everything that is derived from the history has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.people import catch_up

if TYPE_CHECKING:
    from api.bootstrap import Service
    from tests.people import Company


def test_who_is_behind_and_by_how_much(service: Service, company: Company) -> None:
    """Each follower by its name, with its position and how many positions it still has to go."""
    catch_up(service)
    for _ in range(3):
        company.let_in()
    catch_up(service, "audit-log")

    behind = {one.name: one.behind for one in service.progress.followers()}

    assert behind == {"audit-log": 0, "mail-queue": 3, "merkle-tree": 3, "sub-users": 3, "usage": 3}
    assert service.progress.settled_position() == max(one.position for one in service.progress.followers())


def test_an_empty_history_leaves_nobody_behind(service: Service) -> None:
    """Nothing to do is done."""
    assert service.progress.settled_position() == 0
    catch_up(service)
    assert {one.behind for one in service.progress.followers()} == {0}
    assert service.progress.queued_mails() == (0, 0)
