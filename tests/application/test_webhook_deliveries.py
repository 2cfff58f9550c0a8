"""Webhook deliveries: order, retries, back-off, replay, and workers that fail."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from application.commands.webhooks import DisableReason
from application.errors import ServiceError, StoreUnavailable
from application.workers.webhook_deliveries import CLAIM_DURATION, DELAYS, DeliveryResult, delay_after
from domain.refusals import WebhookNotFound
from projections.feed.pages import FeedFilter
from tests.builders import PORTAL, Company, catch_up
from tests.receiver import receiving, status
from tests.waiting import run_concurrently
from tests.webhooks import Hook, allow_local_receivers, deliver

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from uuid import UUID

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock
    from tests.receiver import Receiver


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return allow_local_receivers(settings)


def feed(service: Service, account_id: UUID | None = None, after: int = 0) -> list[dict[str, Any]]:
    """Return the events of the feed."""
    return service.queries.events.page(after, 1000, FeedFilter(account_id=account_id)).items


def ids(events: list[dict[str, Any]]) -> list[str]:
    return [event["id"] for event in events]


def pass_time_until_due(hook: Hook, clock: TravelingClock) -> timedelta:
    """Advance the clock to the next attempt, and return the waiting time."""
    due = hook.state().next_attempt_at
    assert due is not None
    wait = due - clock()
    clock.advance(seconds=wait.total_seconds() + 0.01)
    return wait


def test_events_arrive_once_in_order_as_in_the_feed(service: Service, company: Company, receiver: Receiver) -> None:
    """They start at the requested position, and have a verifiable signature."""
    for _ in range(5):
        company.create_active()
    Company.register(service)
    hook = Hook.to(receiver, service, after=0)
    deliver(service)
    assert [request.verified_with(hook.receiver_key) for request in receiver.received] == feed(service)
    assert receiver.ids == ids(feed(service))
    assert {request.headers["content-type"] for request in receiver.received} == {"application/cloudevents+json"}
    assert hook.state().position == service.queries.progress.settled_position()
    assert deliver(service) == 0


def test_webhook_gets_the_selected_types_of_one_account(service: Service, company: Company, receiver: Receiver) -> None:
    """Other events only advance its position."""
    types = ["subusers.sub_user.created.v1", "subusers.sub_user.deleted.v1"]
    hook = Hook.to(receiver, service, company, event_types=types)
    sub_user, other = company.create_active(), Company.register(service)
    other.create_sub_user()
    sub_user.delete()
    deliver(service)
    assert receiver.types == types
    assert {event.event["accountid"] for event in receiver.received} == {str(company.account_id)}
    assert hook.state().position == service.queries.progress.settled_position()


def test_webhook_starts_at_its_creation_by_default(service: Service, company: Company, receiver: Receiver) -> None:
    """Its first event is its own creation."""
    company.create_sub_user()
    Hook.to(receiver, service, company)
    company.create_sub_user()
    deliver(service)
    assert receiver.types == ["subusers.webhook.created.v1", "subusers.sub_user.created.v1"]


def test_receiver_that_is_down_for_an_hour_misses_nothing(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """The oldest event is retried after 5 seconds, 5 minutes and 30 minutes; later events wait for it."""
    hook = Hook.to(receiver, service, company)
    receiver.default_response = status(503)
    company.create_sub_user()
    end_of_outage = clock() + timedelta(hours=1)
    while clock() < end_of_outage:
        deliver(service)
        pass_time_until_due(hook, clock)
    assert len(receiver.received) == hook.state().failures == 4
    assert len(set(receiver.ids)) == 1
    receiver.default_response = status(200)
    receiver.received.clear()
    deliver(service)
    assert receiver.types == ["subusers.webhook.created.v1", "subusers.sub_user.created.v1"]
    assert [(entry.attempt, entry.status) for entry in hook.log()] == [(1, 200), (5, 200), *failed_attempts()]
    assert hook.state().failures == 0


def failed_attempts() -> list[tuple[int, int]]:
    return [(attempt, 503) for attempt in (4, 3, 2, 1)]


def test_retries_follow_the_schedule(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """Ten attempts within 75 hours and 35 minutes; then the webhook is disabled, which is an event."""
    clock.freeze()
    receiver.default_response = status(500)
    hook = Hook.to(receiver, service, company)
    waits = []
    for _ in DELAYS:
        deliver(service)
        waits.append(pass_time_until_due(hook, clock))
    deliver(service)
    minutes = [wait.total_seconds() / 60 for wait in waits]
    scheduled = [5 / 60, 5, 30, 120, 300, 600, 840, 1200, 1440]
    assert all(planned * 0.9 <= wait <= planned * 1.11 for planned, wait in zip(scheduled, minutes, strict=True))
    webhook = hook.state()
    assert (webhook.status, webhook.disabled_reason, webhook.failures) == ("disabled", DisableReason.FAILING, 10)
    clock.advance(days=30)
    company.create_sub_user()
    deliver(service)
    assert len(receiver.received) == 10
    disabled = next(event for event in feed(service) if event["type"] == "subusers.webhook.disabled.v1")
    assert disabled["data"] == {
        "actor": {"type": "system", "id": "webhooks"},
        "webhook_id": str(hook.webhook_id),
        "why": "failing",
        "failures": 10,
    }
    assert disabled["accountid"] == str(company.account_id)


def test_enabled_webhook_continues_where_it_stopped(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """The failed event is sent again, followed by all later ones."""
    receiver.queued_responses = [status(200), status(410)]
    hook = Hook.to(receiver, service, company)
    sub_user = company.create_sub_user()
    deliver(service)
    assert hook.state().disabled_reason is DisableReason.GONE
    sub_user.delete()
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


def test_status_410_disables_the_webhook_at_once(service: Service, receiver: Receiver) -> None:
    """The event of a webhook for all accounts belongs to no account."""
    receiver.default_response = status(410)
    hook = Hook.to(receiver, service)
    Company.register(service)
    deliver(service)
    deliver(service)
    assert len(receiver.received) == 1
    assert (hook.state().disabled_reason, hook.state().failures) == (DisableReason.GONE, 1)
    disabled = feed(service)[-1]
    assert disabled["type"] == "subusers.webhook.disabled.v1"
    assert not {"accountid", "accountversion", "subject"} & disabled.keys()


@pytest.mark.parametrize("code", [301, 302, 307, 308, 404, 500, 502])
def test_other_statuses_are_failures(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock, code: int
) -> None:
    """Redirects are failures, too: they are not followed."""
    clock.freeze()
    receiver.default_response = status(code, f"Location: {receiver.url}/elsewhere", "Retry-After: 7000")
    hook = Hook.to(receiver, service, company)
    deliver(service)
    (entry,) = hook.log()
    assert (entry.status, entry.error, entry.attempt) == (code, None, 1)
    assert [request.path for request in receiver.received] == ["/hook"]
    due = hook.state().next_attempt_at
    assert due is not None
    assert due - entry.attempted_at < timedelta(seconds=7)


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(("retry_after", "expected"), [("600", 600), ("1", 5), ("999999999", 24 * 3600)])
def test_retry_after_extends_the_delay(
    service: Service,
    company: Company,
    receiver: Receiver,
    clock: TravelingClock,
    code: int,
    retry_after: str,
    expected: float,
) -> None:
    """It never shortens the scheduled delay, and extends it to a day at most."""
    clock.freeze()
    receiver.queued_responses = [status(code, f"Retry-After: {retry_after}")]
    hook = Hook.to(receiver, service, company)
    deliver(service)
    wait = pass_time_until_due(hook, clock).total_seconds()
    assert expected * 0.9 <= wait <= expected * 1.11
    deliver(service)
    assert [entry.status for entry in hook.log()] == [204, code]


def test_broken_connection_is_a_failure(service: Service, company: Company, receiver: Receiver) -> None:
    """The log has the kind of error."""
    receiver.default_response = lambda connection: connection.close()
    hook = Hook.to(receiver, service, company)
    deliver(service)
    (entry,) = hook.log()
    assert entry.status is None
    assert entry.error in {"bad-answer", "no-connection"}


def test_failing_receiver_does_not_delay_others(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    clock.freeze()
    with receiving() as other:
        other.default_response = status(500)
        Hook.to(other, service, company)
        Hook.to(receiver, service, company)
        sub_user = company.create_sub_user()
        deliver(service)
        sub_user.delete()
        deliver(service)
    assert len(other.received) == 1
    assert receiver.ids == ids(feed(service, company.account_id))[2:]


def test_replay_sends_events_again_from_a_position(service: Service, company: Company, receiver: Receiver) -> None:
    """Events have the same ids. A later position skips the events before it."""
    hook = Hook.to(receiver, service, company)
    for _ in range(3):
        company.create_sub_user()
    deliver(service)
    first = receiver.ids
    middle = receiver.received[1].event["position"]
    receiver.received.clear()
    hook.replay(middle)
    deliver(service)
    assert receiver.ids[:-1] == first[2:]
    assert receiver.types[-1] == "subusers.webhook.replayed.v1"
    receiver.received.clear()
    hook.replay(0)
    deliver(service)
    assert receiver.types[0] == "subusers.main_account.registered.v1"
    assert receiver.ids == ids(feed(service, company.account_id))


def test_replay_can_skip_a_rejected_event(service: Service, company: Company, receiver: Receiver) -> None:
    """It also resets the failures."""
    hook = Hook.to(receiver, service, company)
    deliver(service)
    company.create_sub_user()
    receiver.default_response = status(400)
    deliver(service)
    rejected_position = hook.log()[0].position
    company.create_sub_user()
    receiver.default_response = status(200)
    receiver.received.clear()
    hook.replay(rejected_position)
    deliver(service)
    later = [event["position"] for event in feed(service, after=rejected_position)]
    assert [delivery.event["position"] for delivery in receiver.received] == later
    assert hook.state().failures == 0


def test_replay_enables_a_disabled_webhook(service: Service, company: Company, receiver: Receiver) -> None:
    receiver.queued_responses = [status(410)]
    hook = Hook.to(receiver, service, company)
    deliver(service)
    hook.replay(0)
    deliver(service)
    assert hook.state().status == "active"
    assert receiver.types[1] == "subusers.main_account.registered.v1"


def test_deleted_webhook_gets_no_more_events(service: Service, company: Company, receiver: Receiver) -> None:
    """A webhook of a closed account gets none, either, nor one that was deleted during a delivery."""
    hook = Hook.to(receiver, service, company)
    company.create_sub_user()
    send_response = receiver.default_response

    def delete_and_respond(connection: socket.socket) -> None:
        hook.delete()
        send_response(connection)

    receiver.queued_responses = [delete_and_respond]
    deliver(service)
    assert len(receiver.received) == 1
    with pytest.raises(WebhookNotFound):
        hook.state()
    other = Company.register(service)
    Hook.to(receiver, service, other)
    service.commands.accounts.close(other.account_id, PORTAL)
    deliver(service)
    assert len(receiver.received) == 1


def test_replay_during_a_delivery_takes_effect(service: Service, company: Company, receiver: Receiver) -> None:
    """The response to the earlier request does not move the position."""
    hook = Hook.to(receiver, service, company)
    send_response = receiver.default_response

    def replay_and_respond(connection: socket.socket) -> None:
        hook.replay(0)
        catch_up(service)
        send_response(connection)

    receiver.queued_responses = [replay_and_respond]
    deliver(service)
    assert receiver.types[1] == "subusers.main_account.registered.v1"
    assert receiver.ids[1:] == ids(feed(service, company.account_id))


def test_concurrent_workers_keep_the_order(service: Service, company: Company, build: Callable[..., Service]) -> None:
    """Each event arrives once: one worker at a time holds a webhook's lease."""
    services = [service, *(build() for _ in range(3))]
    with receiving() as first_receiver, receiving() as second_receiver:
        start_positions = [
            Hook.to(receiver, service, company).state().position for receiver in (first_receiver, second_receiver)
        ]
        for _ in range(10):
            company.create_active()
        catch_up(service)

        def work(worker: Service) -> int:
            claims = 0
            while worker.workers.webhook_deliveries.deliver_next():
                claims += 1
            return claims

        results = run_concurrently([partial(work, worker) for worker in services])
        assert all(isinstance(claims, int) for claims in results), results
        deliver(service)
        for receiver, position in zip((first_receiver, second_receiver), start_positions, strict=True):
            assert receiver.ids == ids(feed(service, company.account_id, after=position))


def test_delivery_of_a_dead_worker_is_taken_over(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease must expire first. The event that it may have sent is sent again, and none is skipped."""
    hook = Hook.to(receiver, service, company)
    for _ in range(3):
        company.create_sub_user()
    catch_up(service)
    sender = service.workers.webhook_deliveries._sender  # noqa: SLF001
    send, count = sender.send, iter(range(100))

    def die_after_two(*arguments: Any) -> DeliveryResult:
        result = send(*arguments)
        if next(count) == 2:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch:
        patch.setattr(sender, "send", die_after_two)
        with pytest.raises(KeyboardInterrupt):
            service.workers.webhook_deliveries.deliver_next()
    assert deliver(service) == 0
    clock.advance(seconds=CLAIM_DURATION.total_seconds() + 1)
    deliver(service)
    expected = ids(feed(service, company.account_id))[1:]
    assert receiver.ids == [*expected[:3], *expected[2:]]
    assert hook.state().failures == 0


def test_worker_without_its_lease_stops_sending(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """A worker that stalls until another takes over ends its turn."""
    Hook.to(receiver, service, company)
    company.create_sub_user()
    send_response = receiver.default_response

    def stall(connection: socket.socket) -> None:
        clock.advance(seconds=CLAIM_DURATION.total_seconds() + 1)
        service.workers.webhook_deliveries.deliver_next()
        send_response(connection)

    receiver.queued_responses = [stall]
    deliver(service)
    expected = ids(feed(service, company.account_id))[1:]
    assert receiver.ids == [expected[0], *expected]


def test_lease_is_released_if_the_feed_fails(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker can take the webhook soon."""
    clock.freeze()
    Hook.to(receiver, service, company)
    catch_up(service)

    def fail(*_: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(service.queries.events, "page", fail)
        with pytest.raises(ServiceError):
            service.workers.webhook_deliveries.deliver_next()
    assert not service.workers.webhook_deliveries.deliver_next()
    clock.advance(seconds=1.1)
    deliver(service)
    assert len(receiver.received) == 1


def test_delivery_stops_on_request(service: Service, company: Company, receiver: Receiver) -> None:
    """It stops between two events. Another worker sends the rest."""
    Hook.to(receiver, service, company)
    company.create_sub_user()
    catch_up(service)
    claim = service.workers.webhook_deliveries.claim()
    assert claim is not None
    service.workers.webhook_deliveries.deliver(claim, lambda: len(receiver.received) == 1)
    assert len(receiver.received) == 1
    deliver(service)
    assert len(receiver.received) == 2


def test_long_backlogs_are_delivered_alternately(
    service: Service, company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook yields after a number of events, and later continues where it stopped."""
    monkeypatch.setattr("application.workers.webhook_deliveries.PAGE_SIZE", 2)
    with receiving() as other:
        for webhook_receiver in (receiver, other):
            Hook.to(webhook_receiver, service, company)
        for _ in range(4):
            company.create_sub_user()
        catch_up(service)
        for _ in range(2):
            service.workers.webhook_deliveries.deliver_next()
        assert [len(webhook_receiver.received) for webhook_receiver in (receiver, other)] == [2, 2]
        deliver(service)
        assert receiver.ids[1:] == other.ids


def test_delays_have_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jitter is up to a tenth. The last delay repeats."""
    failure = DeliveryResult(status=500)
    for chance, factor in ((0.0, 1.0), (1.0, 1.1)):
        monkeypatch.setattr(random, "uniform", lambda low, high, chance=chance: low + (high - low) * chance)
        assert [delay_after(n, failure) / DELAYS[n - 1] for n in range(1, 10)] == [pytest.approx(factor)] * 9
        assert delay_after(10, failure) == delay_after(9, failure)


def test_signature_has_the_time_of_the_attempt(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """A retry has a new timestamp, so that receivers can refuse old requests, and the same id."""
    receiver.queued_responses = [status(500)]
    hook = Hook.to(receiver, service, company)
    deliver(service)
    pass_time_until_due(hook, clock)
    deliver(service)
    first, retry = receiver.received
    timestamps = [datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC) for request in (first, retry)]
    assert timestamps[1] - timestamps[0] >= timedelta(seconds=4)
    assert first.headers["webhook-id"] == retry.headers["webhook-id"]
    assert first.body == retry.body
    retry.verified_with(hook.receiver_key)
