"""Exports: progress of a resumed export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from projections.history.exports import ExportFilter
from tests.builders import Company, catch_up

if TYPE_CHECKING:
    from api.bootstrap.service import Service


def test_progress_of_a_resumed_export_starts_at_the_resumption(service: Service, company: Company) -> None:
    """Events before the resumption are counted, but not sent again."""
    company.create_sub_user()
    Company.register(service)
    after = service.queries.progress.settled_position()
    company.create_sub_user()
    catch_up(service)
    export_filter = ExportFilter(company.account_id)
    cursor = service.queries.exports.begin(export_filter, "csv", has_proofs=False).cursor

    resumed = service.queries.exports.begin(export_filter, "csv", has_proofs=False, after=after, cursor=cursor)
    exported_positions = []
    for exported in resumed.rows():
        assert resumed.last_position == after
        exported_positions.append(exported.recorded_event.position)

    assert min(exported_positions) > after
    assert resumed.last_position == exported_positions[-1]
    assert (resumed.event_count, resumed.count_all()) == (1, 3)
