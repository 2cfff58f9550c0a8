"""The feed: everything, in order, page by page, from any position; and with filters no page costs much."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from application.activities import Activity
from application.errors import InvalidValue, ViewBehind
from domain.refusals import AccountNotFound
from projections import event_feed as module
from projections import freshness
from projections.event_feed import FeedFilter, FeedPage
from tests.people import PORTAL, Company, catch_up
from tests.postgres import append, ask, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap import Service

ALL = FeedFilter()
CREATED = "subusers.sub_user.created.v1"
ACTIVITY = "subusers.sub_user.activity_recorded.v1"


def pages(service: Service, limit: int, wanted: FeedFilter = ALL, after: int = 0) -> Iterator[FeedPage]:
    """Read on as a consumer does, until there is no more."""
    while True:
        page = service.event_feed.page(after, limit, wanted)
        yield page
        if not page.more:
            return
        after = page.position


def read(service: Service, wanted: FeedFilter = ALL, limit: int = 1000) -> list[dict[str, Any]]:
    return [item for page in pages(service, limit, wanted) for item in page.items]


def stored_positions(url: str, where: str = "true") -> list[int]:
    query = f"SELECT notification_id FROM stored_events WHERE {where} ORDER BY 1"  # noqa: S608  # the tests' own words
    return [row[0] for row in ask(url, query)]


def positions(items: list[dict[str, Any]]) -> list[int]:
    return [item["position"] for item in items]


def act(company: Company, sub_user_id: UUID, times: int) -> None:
    """Record so many activities."""
    rows = [Activity(sub_user_id, "tool.used", None, None, None)] * times
    company.service.activities.record(company.account_id, rows, PORTAL)


@pytest.fixture
def busy(company: Company) -> Company:
    """Give a company with a few dozen events."""
    one = company.let_in_settled()
    act(company, one.sub_user_id, 30)
    company.let_in()
    return company


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_everything_is_told_once_and_in_order(service: Service, busy: Company, database_url: str, limit: int) -> None:
    """Whatever the size of a page; and its position is where to go on."""
    read_so_far = list(pages(service, limit))
    assert positions([item for page in read_so_far for item in page.items]) == stored_positions(database_url)
    for page in read_so_far:
        assert len(page.items) <= limit
        assert page.position == page.items[-1]["position"]
    assert [page.more for page in read_so_far] == [True] * (len(read_so_far) - 1) + [False]


def test_it_goes_on_where_it_stood(service: Service, busy: Company) -> None:
    """What comes later is after the position that was given, and nothing is told twice."""
    end = list(pages(service, 10))[-1].position
    assert service.event_feed.page(end, 10, ALL) == FeedPage([], end, more=False)
    assert service.event_feed.end() == end
    one = busy.let_in()
    page = service.event_feed.page(end, 10, ALL)
    assert [(item["type"], item["subject"]) for item in page.items] == [(CREATED, str(one.sub_user_id))]
    assert page.position > end


def test_an_empty_history_has_an_empty_feed(service: Service) -> None:
    assert service.event_feed.page(0, 10, ALL) == FeedPage([], 0, more=False)


def test_a_position_that_nobody_was_given_is_refused(service: Service, busy: Company) -> None:
    """It is of another history: to wait there in silence would pass over all that comes until then."""
    catch_up(service)
    end = service.event_feed.end()
    for wanted in (ALL, FeedFilter(frozenset({CREATED})), FeedFilter(account_id=busy.account_id)):
        for position in (end, end + 1, 2**63 - 1):
            assert service.event_feed.page(position, 10, wanted) == FeedPage([], position, more=False)
    service.event_feed.require_reached(end)
    for beyond in (end + 1, 2**63 - 1):
        with pytest.raises(InvalidValue) as refused:
            service.event_feed.require_reached(beyond)
        assert (refused.value.field, refused.value.reason) == ("after", "is beyond the end of the history")


@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_kinds_alone(service: Service, busy: Company, database_url: str, limit: int) -> None:
    """One or several; the last page's position is the end of the history, not that of the last that was found."""
    topics = {CREATED: "SubUserCreated", ACTIVITY: "SubUserActivityRecorded"}
    for types in ({CREATED}, {ACTIVITY}, {CREATED, ACTIVITY}):
        wanted = FeedFilter(frozenset(types))
        names = ", ".join(f"'{topics[one]}'" for one in types)
        assert positions(read(service, wanted, limit)) == stored_positions(database_url, f"topic IN ({names})")
        assert list(pages(service, limit, wanted))[-1].position == service.event_feed.end()


@pytest.mark.parametrize("window", [1, 3, 10])
def test_a_filter_that_little_passes_looks_at_a_bounded_part_at_a_time(
    service: Service, busy: Company, database_url: str, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page may be empty and say that there is more; in the end nothing is missing, of one account or of all."""
    monkeypatch.setattr(module, "WINDOW", window)
    catch_up(service)
    everything = len(stored_positions(database_url))
    for account_id in (None, busy.account_id):
        wanted = FeedFilter(frozenset({CREATED}), account_id)
        found = list(pages(service, 1000, wanted))
        assert len(found) >= everything // window
        assert any(page.more and not page.items for page in found)
        assert all(page.position < following.position for page, following in pairwise(found))
        items = [item for page in found for item in page.items]
        assert positions(items) == stored_positions(database_url, "topic = 'SubUserCreated'")


def test_a_type_that_is_not_published_has_no_events(service: Service, busy: Company) -> None:
    page = service.event_feed.page(0, 10, FeedFilter(frozenset({"subusers.nothing.v1"})))
    assert page == FeedPage([], service.event_feed.end(), more=False)


def test_one_account_alone(service: Service, busy: Company, followers: None) -> None:
    """Its own stream, and what its sub-users did; of others nothing."""
    other = Company.register(service)
    one = other.let_in()
    act(other, one.sub_user_id, 3)
    act(busy, busy.let_in().sub_user_id, 3)

    for company in (busy, other):
        expected = [item for item in read(service) if item["accountid"] == str(company.account_id)]
        for limit in (1, 2, 1000):
            assert read(service, FeedFilter(account_id=company.account_id), limit) == expected
        of_a_kind = FeedFilter(frozenset({ACTIVITY}), company.account_id)
        assert read(service, of_a_kind) == [item for item in expected if item["type"] == ACTIVITY]


def test_an_account_s_own_part_is_never_stale(service: Service, company: Company, followers: None) -> None:
    """What was recorded before it was asked for is in it."""
    after = 0
    for number in range(10):
        one = company.let_in(f"someone-{number}@company.example")
        page = service.event_feed.page(after, 1000, FeedFilter(account_id=company.account_id))
        assert page.items[-1]["subject"] == str(one.sub_user_id)
        after = page.position


def test_it_waits_for_the_view_and_says_so_if_that_takes_too_long(
    service: Service, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "LONGEST_WAIT", 0.1)
    with pytest.raises(ViewBehind):
        service.event_feed.page(0, 10, FeedFilter(account_id=company.account_id))


def test_there_is_no_feed_of_an_account_that_there_is_not(service: Service, busy: Company, followers: None) -> None:
    """Nor of what is no account, though it has a stream."""
    activity = next(item for item in read(service) if item["type"] == ACTIVITY)
    for unknown in (uuid4(), UUID(activity["id"].partition(":")[0])):
        with pytest.raises(AccountNotFound):
            service.event_feed.page(0, 10, FeedFilter(account_id=unknown))


def test_nothing_is_passed_over_while_a_slow_writer_is_under_way(service: Service, database_url: str) -> None:
    """A position that was drawn and is not committed yet holds up all that could come after it."""
    state = json.dumps({"timestamp": "2026-01-01T00:00:00+00:00", "actor_type": "system"}).encode()
    deleted = [StoredEvent(uuid4(), 1, "SubUserDeleted", state) for _ in range(4)]
    with connect(database_url) as slow:
        with slow.transaction():
            append(slow, deleted[0])
            assert service.main_accounts.recorder.insert_events(deleted[1:2]) == [2]
            assert service.event_feed.page(0, 10, ALL).items == []
            service.event_feed.require_reached(2)  # as whoever recorded it was told
        with slow.transaction(force_rollback=True):
            append(slow, deleted[2])
            assert service.main_accounts.recorder.insert_events(deleted[3:4]) == [4]
            assert service.event_feed.page(0, 10, ALL).position == 2
    assert [item["position"] for item in service.event_feed.page(0, 10, ALL).items] == [1, 2, 4]


def test_an_event_that_the_catalog_does_not_have_is_never_passed_over(service: Service, company: Company) -> None:
    """It may be of a newer release than this process: to go on would leave it out for ever."""
    service.main_accounts.recorder.insert_events([StoredEvent(uuid4(), 1, "OfALaterRelease", b"{}")])
    with pytest.raises(KeyError):
        service.event_feed.page(0, 10, ALL)
