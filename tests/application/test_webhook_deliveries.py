"""Events on their way to receivers that are well, down, slow, gone, busy, or elsewhere."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from application.errors import ServiceError, StoreUnavailable
from application.webhook_deliveries import CLAIMED_FOR, DELAYS, Receipt, delay_after
from application.webhooks import Why
from domain.refusals import WebhookNotFound
from projections.event_feed import FeedFilter
from tests.people import PORTAL, Company, catch_up
from tests.receiver import receiving, status
from tests.waiting import at_once
from tests.webhooks import Hook, allowing_this_machine, deliver

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from uuid import UUID

    from api.bootstrap import Service
    from api.config import Settings
    from tests.conftest import TravelingClock
    from tests.receiver import Receiver


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return allowing_this_machine(settings)


def feed(service: Service, account_id: UUID | None = None, after: int = 0) -> list[dict[str, Any]]:
    """Return what the feed has."""
    return service.event_feed.page(after, 1000, FeedFilter(account_id=account_id)).items


def ids(events: list[dict[str, Any]]) -> list[str]:
    return [event["id"] for event in events]


def pass_time_until_due(hook: Hook, clock: TravelingClock) -> timedelta:
    """Have the next attempt come due, and return how long that took."""
    due = hook.state().next_attempt_at
    assert due is not None
    wait = due - clock()
    clock.advance(seconds=wait.total_seconds() + 0.01)
    return wait


def test_every_event_arrives_once_in_order_and_as_the_feed_has_it(
    service: Service, company: Company, receiver: Receiver
) -> None:
    """From the beginning where that is asked for, with a signature that a receiver verifies."""
    for _ in range(5):
        company.let_in_active()
    Company.register(service)
    hook = Hook.to(receiver, service, after=0)
    deliver(service)
    assert [one.verified_with(hook.shown) for one in receiver.received] == feed(service)
    assert receiver.ids == ids(feed(service))
    assert {one.headers["content-type"] for one in receiver.received} == {"application/cloudevents+json"}
    assert hook.state().position == service.progress.settled_position()
    assert deliver(service) == 0


def test_one_account_s_events_of_some_types(service: Service, company: Company, receiver: Receiver) -> None:
    """And nothing of others; what is not wanted is passed over."""
    types = ["subusers.sub_user.created.v1", "subusers.sub_user.deleted.v1"]
    hook = Hook.to(receiver, service, company, types=types)
    one, other = company.let_in_active(), Company.register(service)
    other.let_in()
    one.delete()
    deliver(service)
    assert receiver.types == types
    assert {event.event["accountid"] for event in receiver.received} == {str(company.account_id)}
    assert hook.state().position == service.progress.settled_position()


def test_without_anything_else_said_it_begins_now(service: Service, company: Company, receiver: Receiver) -> None:
    """Its first event is that it was made."""
    company.let_in()
    Hook.to(receiver, service, company)
    company.let_in()
    deliver(service)
    assert receiver.types == ["subusers.webhook.created.v1", "subusers.sub_user.created.v1"]


def test_a_receiver_that_is_down_for_an_hour_misses_nothing(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """The oldest event is tried 5 seconds, 5 minutes, 30 minutes and 2 hours later; the others wait for it."""
    hook = Hook.to(receiver, service, company)
    receiver.usually = status(503)
    company.let_in()
    up_again = clock() + timedelta(hours=1)
    while clock() < up_again:
        deliver(service)
        pass_time_until_due(hook, clock)
    assert len(receiver.received) == hook.state().failures == 4
    assert len(set(receiver.ids)) == 1
    receiver.usually = status(200)
    receiver.received.clear()
    deliver(service)
    assert receiver.types == ["subusers.webhook.created.v1", "subusers.sub_user.created.v1"]
    assert [(entry.attempt, entry.status) for entry in hook.log()] == [(1, 200), (5, 200), *four_failures()]
    assert hook.state().failures == 0


def four_failures() -> list[tuple[int, int]]:
    return [(attempt, 503) for attempt in (4, 3, 2, 1)]


def test_the_schedule_is_that_of_the_specification(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """Ten attempts over 75 hours and 35 minutes, then it is disabled, and that is an event."""
    clock.stand_still()
    receiver.usually = status(500)
    hook = Hook.to(receiver, service, company)
    waits = []
    for _ in DELAYS:
        deliver(service)
        waits.append(pass_time_until_due(hook, clock))
    deliver(service)
    minutes = [wait.total_seconds() / 60 for wait in waits]
    scheduled = [5 / 60, 5, 30, 120, 300, 600, 840, 1200, 1440]
    assert all(planned * 0.9 <= took <= planned * 1.11 for planned, took in zip(scheduled, minutes, strict=True))
    shown = hook.state()
    assert (shown.status, shown.disabled_why, shown.failures) == ("disabled", Why.FAILING, 10)
    clock.advance(days=30)
    company.let_in()
    deliver(service)
    assert len(receiver.received) == 10
    disabled = next(one for one in feed(service) if one["type"] == "subusers.webhook.disabled.v1")
    assert disabled["data"] == {
        "actor": {"type": "system", "id": "webhooks"},
        "webhook_id": str(hook.webhook_id),
        "why": "failing",
        "failures": 10,
    }
    assert disabled["accountid"] == str(company.account_id)


def test_a_disabled_webhook_goes_on_where_it_stopped(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """Once it is enabled, with everything since: what it was told of last comes again, then the rest."""
    receiver.first = [status(200), status(410)]
    hook = Hook.to(receiver, service, company)
    one = company.let_in()
    deliver(service)
    assert hook.state().disabled_why is Why.GONE
    one.delete()
    clock.advance(days=10)
    hook.enable()
    deliver(service)
    assert hook.state().status == "active"
    assert receiver.types == [
        "subusers.webhook.created.v1",
        "subusers.sub_user.created.v1",
        "subusers.sub_user.created.v1",
        "subusers.webhook.disabled.v1",
        "subusers.sub_user.deleted.v1",
        "subusers.sub_user.personal_data_erased.v1",
        "subusers.webhook.enabled.v1",
    ]


def test_410_disables_at_once(service: Service, receiver: Receiver) -> None:
    """Whatever else waits; a webhook of all accounts is told of in no account's history."""
    receiver.usually = status(410)
    hook = Hook.to(receiver, service)
    Company.register(service)
    deliver(service)
    deliver(service)
    assert len(receiver.received) == 1
    assert (hook.state().disabled_why, hook.state().failures) == (Why.GONE, 1)
    disabled = feed(service)[-1]
    assert disabled["type"] == "subusers.webhook.disabled.v1"
    assert not {"accountid", "accountversion", "subject"} & disabled.keys()


@pytest.mark.parametrize("code", [301, 302, 307, 308, 404, 500, 502])
def test_other_answers_are_failures(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock, code: int
) -> None:
    """Redirects as well: they are not followed."""
    clock.stand_still()
    receiver.usually = status(code, f"Location: {receiver.url}/elsewhere", "Retry-After: 7000")
    hook = Hook.to(receiver, service, company)
    deliver(service)
    (entry,) = hook.log()
    assert (entry.status, entry.error, entry.attempt) == (code, None, 1)
    assert [one.path for one in receiver.received] == ["/hook"]
    due = hook.state().next_attempt_at
    assert due is not None
    assert due - entry.attempted_at < timedelta(seconds=7)


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(("asked", "waits"), [("600", 600), ("1", 5), ("999999999", 24 * 3600)])
def test_a_receiver_may_ask_for_more_time(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock, code: int, asked: str, waits: float
) -> None:
    """With Retry-After: longer than scheduled, never sooner, and for a day at most."""
    clock.stand_still()
    receiver.first = [status(code, f"Retry-After: {asked}")]
    hook = Hook.to(receiver, service, company)
    deliver(service)
    took = pass_time_until_due(hook, clock).total_seconds()
    assert waits * 0.9 <= took <= waits * 1.11
    deliver(service)
    assert [entry.status for entry in hook.log()] == [204, code]


def test_a_connection_that_breaks_is_a_failure(service: Service, company: Company, receiver: Receiver) -> None:
    """The log says what happened, in a word."""
    receiver.usually = lambda connection: connection.close()
    hook = Hook.to(receiver, service, company)
    deliver(service)
    (entry,) = hook.log()
    assert entry.status is None
    assert entry.error in {"bad-answer", "no-connection"}


def test_one_that_fails_holds_up_nobody_else(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    clock.stand_still()
    with receiving() as other:
        other.usually = status(500)
        Hook.to(other, service, company)
        Hook.to(receiver, service, company)
        one = company.let_in()
        deliver(service)
        one.delete()
        deliver(service)
    assert len(other.received) == 1
    assert receiver.ids == ids(feed(service, company.account_id))[2:]


def test_what_was_sent_is_sent_again_from_a_position(service: Service, company: Company, receiver: Receiver) -> None:
    """With the same ids; and a later position leaves out what is between."""
    hook = Hook.to(receiver, service, company)
    for _ in range(3):
        company.let_in()
    deliver(service)
    first = receiver.ids
    middle = receiver.received[1].event["position"]
    receiver.received.clear()
    hook.replay(middle)
    deliver(service)
    assert receiver.ids == first[2:]
    receiver.received.clear()
    hook.replay(0)
    deliver(service)
    assert receiver.types[0] == "subusers.main_account.registered.v1"
    assert receiver.ids == ids(feed(service, company.account_id))


def test_a_replay_skips_an_event_that_a_receiver_cannot_take(
    service: Service, company: Company, receiver: Receiver
) -> None:
    """And what failed counts no more."""
    hook = Hook.to(receiver, service, company)
    deliver(service)
    company.let_in()
    receiver.usually = status(400)
    deliver(service)
    stuck = hook.log()[0].position
    company.let_in()
    receiver.usually = status(200)
    receiver.received.clear()
    hook.replay(stuck)
    deliver(service)
    assert [one.event["position"] for one in receiver.received] == [feed(service)[-1]["position"]]
    assert hook.state().failures == 0


def test_a_replay_takes_up_a_disabled_one(service: Service, company: Company, receiver: Receiver) -> None:
    receiver.first = [status(410)]
    hook = Hook.to(receiver, service, company)
    deliver(service)
    hook.replay(0)
    deliver(service)
    assert hook.state().status == "active"
    assert receiver.types[1] == "subusers.main_account.registered.v1"


def test_a_deleted_webhook_gets_nothing_more(service: Service, company: Company, receiver: Receiver) -> None:
    """Nor does one of an account that was closed; also if it happens while an event is on its way."""
    hook = Hook.to(receiver, service, company)
    company.let_in()
    answer = receiver.usually

    def delete_and_answer(connection: socket.socket) -> None:
        hook.delete()
        answer(connection)

    receiver.first = [delete_and_answer]
    deliver(service)
    assert len(receiver.received) == 1
    with pytest.raises(WebhookNotFound):
        hook.state()
    other = Company.register(service)
    Hook.to(receiver, service, other)
    service.accounts.close(other.account_id, PORTAL)
    deliver(service)
    assert len(receiver.received) == 1


def test_a_replay_while_an_event_is_on_its_way_counts(service: Service, company: Company, receiver: Receiver) -> None:
    """What is answered to the former request does not move it on."""
    hook = Hook.to(receiver, service, company)
    answer = receiver.usually

    def replay_and_answer(connection: socket.socket) -> None:
        hook.replay(0)
        answer(connection)

    receiver.first = [replay_and_answer]
    deliver(service)
    assert receiver.types[1] == "subusers.main_account.registered.v1"
    assert receiver.ids[1:] == ids(feed(service, company.account_id))


def test_several_workers_send_to_each_webhook_in_order(
    service: Service, company: Company, build: Callable[..., Service]
) -> None:
    """Every event once, where nobody dies: one worker at a time holds each webhook."""
    services = [service, *(build() for _ in range(3))]
    with receiving() as one, receiving() as other:
        made = [Hook.to(receiver, service, company).state().position for receiver in (one, other)]
        for _ in range(10):
            company.let_in_active()
        catch_up(service)

        def work(its: Service) -> int:
            turns = 0
            while its.webhook_deliveries.deliver_next():
                turns += 1
            return turns

        at_once([partial(work, its) for its in services])
        deliver(service)
        for receiver, position in zip((one, other), made, strict=True):
            assert receiver.ids == ids(feed(service, company.account_id, after=position))


def test_a_worker_that_died_is_taken_over_from(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its claim: the event that it may have sent is sent again, and nothing is left out."""
    hook = Hook.to(receiver, service, company)
    for _ in range(3):
        company.let_in()
    catch_up(service)
    sender = service.webhook_deliveries._sender  # noqa: SLF001
    send, count = sender.send, iter(range(100))

    def die_after_two(*given: Any) -> Receipt:
        receipt = send(*given)
        if next(count) == 2:
            raise KeyboardInterrupt
        return receipt

    with monkeypatch.context() as patch:
        patch.setattr(sender, "send", die_after_two)
        with pytest.raises(KeyboardInterrupt):
            service.webhook_deliveries.deliver_next()
    assert deliver(service) == 0
    clock.advance(seconds=CLAIMED_FOR.total_seconds() + 1)
    deliver(service)
    expected = ids(feed(service, company.account_id))[1:]
    assert receiver.ids == [*expected[:3], *expected[2:]]
    assert hook.state().failures == 0


def test_who_lost_a_claim_sends_nothing_more(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """A worker that stood still for so long that another took over ends its turn."""
    Hook.to(receiver, service, company)
    company.let_in()
    answer = receiver.usually

    def stand_still_meanwhile(connection: socket.socket) -> None:
        clock.advance(seconds=CLAIMED_FOR.total_seconds() + 1)
        service.webhook_deliveries.deliver_next()
        answer(connection)

    receiver.first = [stand_still_meanwhile]
    deliver(service)
    expected = ids(feed(service, company.account_id))[1:]
    assert receiver.ids == [expected[0], *expected]


def test_a_feed_that_cannot_be_read_lets_go(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes next may have the webhook soon."""
    clock.stand_still()
    Hook.to(receiver, service, company)
    catch_up(service)

    def fail(*_: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(service.event_feed, "page", fail)
        with pytest.raises(ServiceError):
            service.webhook_deliveries.deliver_next()
    assert not service.webhook_deliveries.deliver_next()
    clock.advance(seconds=1.1)
    deliver(service)
    assert len(receiver.received) == 1


def test_ending_work_is_not_held_up(service: Service, company: Company, receiver: Receiver) -> None:
    """Between two events: the rest is there for whoever works next."""
    Hook.to(receiver, service, company)
    company.let_in()
    catch_up(service)
    service.webhook_deliveries.deliver_next(lambda: len(receiver.received) == 1)
    assert len(receiver.received) == 1
    deliver(service)
    assert len(receiver.received) == 2


def test_a_long_backlog_takes_turns(
    service: Service, company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its turn another webhook comes; each goes on where it was."""
    monkeypatch.setattr("application.webhook_deliveries.AT_A_TIME", 2)
    with receiving() as other:
        for one in (receiver, other):
            Hook.to(one, service, company)
        for _ in range(4):
            company.let_in()
        catch_up(service)
        for _ in range(2):
            service.webhook_deliveries.deliver_next()
        assert [len(one.received) for one in (receiver, other)] == [2, 2]
        deliver(service)
        assert receiver.ids[1:] == other.ids


def test_delays_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a tenth at most; what follows the last one is as long as that."""
    failure = Receipt(status=500)
    for chance, factor in ((0.0, 1.0), (1.0, 1.1)):
        monkeypatch.setattr(random, "uniform", lambda low, high, chance=chance: low + (high - low) * chance)
        assert [delay_after(n, failure) / DELAYS[n - 1] for n in range(1, 10)] == [pytest.approx(factor)] * 9
        assert delay_after(10, failure) == delay_after(9, failure)


def test_the_time_that_is_signed_is_that_of_the_attempt(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """A retry has its own, so that receivers can refuse what is old; the id stays."""
    receiver.first = [status(500)]
    hook = Hook.to(receiver, service, company)
    deliver(service)
    pass_time_until_due(hook, clock)
    deliver(service)
    first, again = receiver.received
    told = [datetime.fromtimestamp(int(one.headers["webhook-timestamp"]), UTC) for one in (first, again)]
    assert told[1] - told[0] >= timedelta(seconds=4)
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.body == again.body
    again.verified_with(hook.shown)
