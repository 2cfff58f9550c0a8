"""Event feed: pages in order of position, filters, and refused positions."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from application.commands.activities import Activity
from application.errors import ProjectionBehind, StoreWentBack
from domain.refusals import AccountNotFound
from projections.feed import pages
from projections.feed.pages import FeedFilter, FeedPage
from projections.runtime import freshness
from tests.builders import PORTAL, Company, catch_up
from tests.postgres import append, connect, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap.service import Service

ALL = FeedFilter()
CREATED = "subusers.sub_user.created.v1"
ACTIVITY = "subusers.sub_user.activity_recorded.v1"


def read_pages(service: Service, limit: int, feed_filter: FeedFilter = ALL, after: int = 0) -> Iterator[FeedPage]:
    """Yield pages as a consumer reads them, up to the last one."""
    while True:
        page = service.queries.events.page(after, limit, feed_filter)
        yield page
        if not page.more:
            return
        after = page.position


def read_items(service: Service, feed_filter: FeedFilter = ALL, limit: int = 1000) -> list[dict[str, Any]]:
    return [item for page in read_pages(service, limit, feed_filter) for item in page.items]


def stored_positions(url: str, where: str = "true") -> list[int]:
    query = f"SELECT notification_id FROM stored_events WHERE {where} ORDER BY 1"  # noqa: S608  # a constant of the tests
    return [row[0] for row in fetch(url, query)]


def positions(items: list[dict[str, Any]]) -> list[int]:
    return [item["position"] for item in items]


def record_activities(company: Company, sub_user_id: UUID, times: int) -> None:
    """Record this many activities of the sub-user."""
    rows = [Activity(sub_user_id, "tool.used", None, None, None)] * times
    company.service.commands.activities.record(company.account_id, rows, PORTAL)


@pytest.fixture
def active_company(company: Company) -> Company:
    """Return a company with a few dozen events."""
    sub_user = company.create_with_own_password()
    record_activities(company, sub_user.sub_user_id, 30)
    company.create_sub_user()
    return company


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_feed_contains_every_event_once_in_order(
    service: Service, active_company: Company, database_url: str, limit: int
) -> None:
    """A page's position is where the next one starts."""
    feed_pages = list(read_pages(service, limit))
    assert positions([item for page in feed_pages for item in page.items]) == stored_positions(database_url)
    for page in feed_pages:
        assert len(page.items) <= limit
        assert page.position == page.items[-1]["position"]
    assert [page.more for page in feed_pages] == [True] * (len(feed_pages) - 1) + [False]


def test_feed_resumes_after_a_position(service: Service, active_company: Company) -> None:
    """Later events follow the position, and no event is repeated."""
    end = list(read_pages(service, 10))[-1].position
    assert service.queries.events.page(end, 10, ALL) == FeedPage([], end, more=False)
    assert service.queries.events.end() == end
    sub_user = active_company.create_sub_user()
    page = service.queries.events.page(end, 10, ALL)
    assert [(item["type"], item["subject"]) for item in page.items] == [(CREATED, str(sub_user.sub_user_id))]
    assert page.position > end


def test_empty_store_has_an_empty_feed(service: Service) -> None:
    assert service.queries.events.page(0, 10, ALL) == FeedPage([], 0, more=False)


def test_position_beyond_the_end_of_the_feed_is_refused(service: Service, active_company: Company) -> None:
    """The position is of another history, as after a restore. A consumer that waits there would miss events."""
    catch_up(service)
    end = service.queries.events.end()
    for feed_filter in (ALL, FeedFilter(frozenset({CREATED})), FeedFilter(account_id=active_company.account_id)):
        for position in (end, end + 1, 2**63 - 1):
            assert service.queries.events.page(position, 10, feed_filter) == FeedPage([], position, more=False)
    service.queries.events.require_reached(end)
    for beyond in (end + 1, 2**63 - 1):
        with pytest.raises(StoreWentBack) as refused:
            service.queries.events.require_reached(beyond)
        assert (refused.value.epoch, refused.value.common_position) == (service.lineage.epoch, end)
    service.queries.events.require_reached(end, service.lineage.epoch)
    with pytest.raises(StoreWentBack):
        service.queries.events.require_reached(1, uuid4())


@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_feed_filtered_by_type(service: Service, active_company: Company, database_url: str, limit: int) -> None:
    """The last page's position is the end of the feed, not the last matching event."""
    topics = {CREATED: "SubUserCreated", ACTIVITY: "SubUserActivityRecorded"}
    for types in ({CREATED}, {ACTIVITY}, {CREATED, ACTIVITY}):
        feed_filter = FeedFilter(frozenset(types))
        names = ", ".join(f"'{topics[event_type]}'" for event_type in types)
        assert positions(read_items(service, feed_filter, limit)) == stored_positions(
            database_url, f"topic IN ({names})"
        )
        assert list(read_pages(service, limit, feed_filter))[-1].position == service.queries.events.end()


@pytest.mark.parametrize("window", [1, 3, 10])
def test_page_of_a_selective_filter_scans_a_bounded_window(
    service: Service, active_company: Company, database_url: str, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page may be empty and have a successor. All pages together contain every match."""
    monkeypatch.setattr(pages, "WINDOW_SIZE", window)
    catch_up(service)
    total = len(stored_positions(database_url))
    for account_id in (None, active_company.account_id):
        feed_filter = FeedFilter(frozenset({CREATED}), account_id)
        feed_pages = list(read_pages(service, 1000, feed_filter))
        assert len(feed_pages) >= total // window
        assert any(page.more and not page.items for page in feed_pages)
        assert all(page.position < following.position for page, following in pairwise(feed_pages))
        items = [item for page in feed_pages for item in page.items]
        assert positions(items) == stored_positions(database_url, "topic = 'SubUserCreated'")


def test_unpublished_type_has_no_events(service: Service, active_company: Company) -> None:
    page = service.queries.events.page(0, 10, FeedFilter(frozenset({"subusers.nothing.v1"})))
    assert page == FeedPage([], service.queries.events.end(), more=False)


def test_feed_filtered_by_account(service: Service, active_company: Company, followers: None) -> None:
    """It contains the account's stream and the activities of its sub-users."""
    other = Company.register(service)
    sub_user = other.create_sub_user()
    record_activities(other, sub_user.sub_user_id, 3)
    record_activities(active_company, active_company.create_sub_user().sub_user_id, 3)

    for company in (active_company, other):
        expected = [item for item in read_items(service) if item["accountid"] == str(company.account_id)]
        for limit in (1, 2, 1000):
            assert read_items(service, FeedFilter(account_id=company.account_id), limit) == expected
        by_type = FeedFilter(frozenset({ACTIVITY}), company.account_id)
        assert read_items(service, by_type) == [item for item in expected if item["type"] == ACTIVITY]


def test_feed_of_an_account_includes_all_earlier_events(service: Service, company: Company, followers: None) -> None:
    after = 0
    for number in range(10):
        sub_user = company.create_sub_user(f"someone-{number}@company.example")
        page = service.queries.events.page(after, 1000, FeedFilter(account_id=company.account_id))
        assert page.items[-1]["subject"] == str(sub_user.sub_user_id)
        after = page.position


def test_feed_of_an_account_fails_if_the_view_lags(
    service: Service, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "MAX_WAIT_SECONDS", 0.1)
    with pytest.raises(ProjectionBehind):
        service.queries.events.page(0, 10, FeedFilter(account_id=company.account_id))


def test_feed_of_an_unknown_account_is_refused(service: Service, active_company: Company, followers: None) -> None:
    """The id of a stream that is not an account is refused, too."""
    activity = next(item for item in read_items(service) if item["type"] == ACTIVITY)
    for account_id in (uuid4(), UUID(activity["id"].partition(":")[0])):
        with pytest.raises(AccountNotFound):
            service.queries.events.page(0, 10, FeedFilter(account_id=account_id))


def test_feed_stops_before_uncommitted_positions(service: Service, database_url: str) -> None:
    """Otherwise consumers would skip the event once it commits."""
    state = json.dumps({"timestamp": "2026-01-01T00:00:00+00:00", "actor_type": "system"}).encode()
    deleted = [StoredEvent(uuid4(), 1, "SubUserDeleted", state) for _ in range(4)]
    with connect(database_url) as slow:
        with slow.transaction():
            append(slow, deleted[0])
            assert service.main_accounts.recorder.insert_events(deleted[1:2]) == [2]
            assert service.queries.events.page(0, 10, ALL).items == []
            service.queries.events.require_reached(2)  # its writer knows this position
        with slow.transaction(force_rollback=True):
            append(slow, deleted[2])
            assert service.main_accounts.recorder.insert_events(deleted[3:4]) == [4]
            assert service.queries.events.page(0, 10, ALL).position == 2
    assert [item["position"] for item in service.queries.events.page(0, 10, ALL).items] == [1, 2, 4]


def test_event_missing_from_the_catalog_stops_the_feed(service: Service, company: Company) -> None:
    """It may come from a newer release. Skipping it would lose it for the consumer."""
    service.main_accounts.recorder.insert_events([StoredEvent(uuid4(), 1, "OfALaterRelease", b"{}")])
    with pytest.raises(KeyError):
        service.queries.events.page(0, 10, ALL)
