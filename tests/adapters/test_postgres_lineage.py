"""Store lineage: a restored or replaced store begins a new epoch, and consumers of the old one get an error."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import psycopg
import pytest
from structlog.testing import capture_logs

from adapters.postgres import deadlines
from adapters.postgres.event_store.lineage import Lineage
from adapters.postgres.maintenance.migrations import migrate
from api.bootstrap import composition_root
from application.errors import StoreUnavailable, StoreWentBack
from projections.feed.pages import FeedFilter
from projections.transparency.checkpointer import HistoryRewritten
from tests.builders import Company, catch_up
from tests.clusters import Cluster, clusters_folder
from tests.conftest import settings_on
from tests.postgres import connect, fetch
from tests.tcp_forwarder import Forwarder
from tests.waiting import eventually, run_concurrently

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from api.bootstrap.service import Service

EPOCHS = "SELECT epoch, previous_epoch, begun_position, lost_position FROM store_lineage ORDER BY number"


def check_epoch(lineage: Lineage, url: str) -> UUID:
    with deadlines.connect(url, "test", 8) as connection:
        lineage.check(connection)
    assert lineage.epoch is not None
    return lineage.epoch


def test_concurrent_checks_begin_one_epoch(database_url: str) -> None:
    """Applies to the first epoch of a store and to the next one after a change of timeline."""
    lineages = [Lineage() for _ in range(8)]
    tasks = [partial(check_epoch, lineage, database_url) for lineage in lineages]
    assert len(set(run_concurrently(tasks))) == 1
    fetch(database_url, "UPDATE store_lineage SET timeline = 77")
    (epoch,) = set(run_concurrently(tasks))
    assert len(fetch(database_url, EPOCHS)) == 2
    assert fetch(database_url, EPOCHS)[1][0] == epoch
    assert check_epoch(Lineage(), database_url) == epoch


def test_store_that_ends_before_a_seen_position_has_gone_back(database_url: str) -> None:
    """The first process logs it and begins the epoch; another with a later position only extends the loss."""
    first, second = Lineage(), Lineage()
    before = check_epoch(first, database_url)
    assert check_epoch(second, database_url) == before
    first.record_position(100)
    second.record_position(120)
    with capture_logs() as lines:
        after = check_epoch(first, database_url)
    assert [(line["event"], line["seen_position"]) for line in lines] == [("store.went_back", 100)]
    assert check_epoch(second, database_url) == after != before
    assert check_epoch(first, database_url) == after
    assert fetch(database_url, EPOCHS)[1:] == [(after, before, 0, 120)]


def test_events_recorded_during_the_check_do_not_count_as_lost(database_url: str) -> None:
    """They are committed after the query for the last position."""
    lineage = Lineage()
    before = check_epoch(lineage, database_url)

    class RecordingCursor(psycopg.Cursor[Any]):
        """Records another position after each statement."""

        def execute(self, *arguments: Any, **named: Any) -> Self:
            super().execute(*arguments, **named)
            lineage.record_position(next(positions))
            return self

    positions = count(1)
    with connect(database_url) as connection:
        connection.cursor_factory = RecordingCursor
        lineage.check(connection)
    assert lineage.epoch == before
    assert len(fetch(database_url, EPOCHS)) == 1


def test_lineage_checks_do_not_wait_for_each_other(database_url: str) -> None:
    """If the server does not answer, all of them end within a single deadline."""
    lineage = Lineage()
    with Forwarder(urlsplit(database_url).port or 5432) as forwarder, ExitStack() as stack:
        url = forwarder.url(database_url)
        connections = [stack.enter_context(deadlines.connect(url, "test", 1)) for _ in range(8)]
        started = time.monotonic()
        with forwarder.stalled():
            results = run_concurrently([partial(lineage.check, connection) for connection in connections])
        assert time.monotonic() - started < len(connections) / 2
    assert [type(result) for result in results] == [deadlines.DeadlineExceeded] * len(connections)


def test_store_without_the_known_epoch_has_gone_back(database_url: str) -> None:
    """The store was restored from a backup older than the current epoch."""
    process = Lineage()
    previous = check_epoch(process, database_url)
    process.record_position(10)
    fetch(database_url, "UPDATE store_lineage SET epoch = gen_random_uuid()")
    epoch = check_epoch(process, database_url)
    assert fetch(database_url, EPOCHS)[1:] == [(epoch, previous, 0, 10)]


@pytest.fixture
def primary() -> Iterator[Cluster]:
    """Yield a server with an empty, migrated database."""
    with clusters_folder() as folder:
        cluster = Cluster(folder / "primary")
        try:
            cluster.create()
            with connect(cluster.url) as connection:
                migrate(connection)
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def other_cluster(primary: Cluster) -> Iterator[Cluster]:
    """Yield a cluster without data; stop it after the test."""
    cluster = Cluster(primary.folder.parent / "other")
    yield cluster
    cluster.stop()


@pytest.fixture
def forwarder(primary: Cluster) -> Iterator[Forwarder]:
    """Yield a forwarder to the primary."""
    with Forwarder(primary.port) as forwarder:
        yield forwarder


@pytest.fixture
def forwarded_service(primary: Cluster, forwarder: Forwarder, tmp_path: Path, quick_hashes: None) -> Iterator[Service]:
    """Yield a service whose database connections lead through the forwarder."""
    url = forwarder.url(primary.url)
    settings = replace(settings_on(url, tmp_path), database_url=url, admin_database_url=None)
    with closing(composition_root.build(settings)) as service:
        yield service


@pytest.mark.parametrize("kind_of_loss", ["promoted standby", "restored files"])
def test_service_continues_after_the_store_went_back(
    primary: Cluster, other_cluster: Cluster, forwarder: Forwarder, forwarded_service: Service, kind_of_loss: str
) -> None:
    """Accounts accept commands, streams have no gaps, no fork is signed, and consumers get an error."""
    service = forwarded_service
    companies = [Company.register(service) for _ in range(3)]
    for company in companies:
        company.create_sub_user()
    common_position = service.queries.events.end()
    other_cluster.restore_backup_of(primary, as_standby=kind_of_loss == "promoted standby")
    lost_epoch = service.lineage.epoch

    for company in companies[:2]:
        for _ in range(3):
            company.create_sub_user()
    catch_up(service, "merkle-tree")
    assert service.workers.checkpointer.sign_now()
    read_position = service.queries.events.end()
    primary.stop()
    other_cluster.start()
    if kind_of_loss == "promoted standby":
        other_cluster.promote()
    forwarder.retarget(other_cluster.port)

    eventually(lambda: can_be_checked(service))
    assert service.lineage.epoch != lost_epoch
    assert fetch(other_cluster.url, EPOCHS)[-1] == (service.lineage.epoch, lost_epoch, common_position, read_position)
    assert service.warnings()
    for company in companies:
        company.create_sub_user()
        company.create_sub_user()
    assert fetch(other_cluster.url, STREAMS_WITH_GAPS) == []

    for position, known_epoch in ((read_position, lost_epoch), (10**6, None)):
        with pytest.raises(StoreWentBack) as raised:
            service.queries.events.require_reached(position, known_epoch)
        assert raised.value.epoch == service.lineage.epoch
    with pytest.raises(StoreWentBack) as raised:
        service.queries.events.require_reached(common_position + 1, lost_epoch)
    assert raised.value.common_position == common_position
    service.queries.events.require_reached(common_position, lost_epoch)
    page = service.queries.events.page(common_position, 100, FeedFilter())
    assert {item["epoch"] for item in page.items} == {str(service.lineage.epoch)}

    catch_up(service, "merkle-tree")
    with pytest.raises(HistoryRewritten, match="gone back"):
        service.workers.checkpointer.sign_now()
    assert service.accept_lost_history()
    assert service.workers.checkpointer.sign_now()
    assert not service.warnings()


STREAMS_WITH_GAPS = """
SELECT originator_id FROM stored_events GROUP BY originator_id HAVING max(originator_version) <> count(*)
"""


def can_be_checked(service: Service) -> bool:
    try:
        service.check_store()
    except StoreUnavailable:
        return False
    return True
