"""Commands on API keys, their events, and the webhooks that depend on a key."""

from __future__ import annotations

import json
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from adapters.postgres.tables.webhooks import PostgresWebhooks
from application.commands.api_keys import ApiKey, Limits, Scope
from application.commands.webhooks import DisableReason
from application.errors import InvalidValue
from projections.audit_log.conditions import AuditFilter
from projections.feed.pages import FeedFilter
from projections.history.exports import ExportFilter
from tests.api_keys import BY_OPERATOR, add_api_key
from tests.builders import Company, catch_up
from tests.postgres import fetch
from tests.waiting import inject_after
from tests.webhooks import ANALYTICS, Hook, allow_local_receivers, deliver

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock
    from tests.receiver import Receiver


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return allow_local_receivers(settings)


def new_key(service: Service, scope: Scope = Scope.ANALYTICS, limits: Limits = Limits()) -> ApiKey:  # noqa: B008  # frozen
    key = service.commands.api_keys.find(service.commands.api_keys.create(scope, "a key", BY_OPERATOR, limits))
    assert key is not None
    return key


def recorded_events(url: str, stream: UUID) -> list[tuple[str, dict[str, Any]]]:
    query = (
        "SELECT topic, convert_from(state, 'UTF8') FROM stored_events "
        "WHERE originator_id = %s ORDER BY originator_version"
    )
    return [(topic, json.loads(state)) for topic, state in fetch(url, query, stream)]


def topics(url: str, stream: UUID) -> list[str]:
    return [topic for topic, _ in recorded_events(url, stream)]


def test_every_command_on_a_key_is_recorded(service: Service, database_url: str, clock: TravelingClock) -> None:
    """Events have the limits, but neither the secret nor the name. The row equals the last event."""
    limits = Limits(clock() + timedelta(days=1), (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")))
    secret = service.commands.api_keys.create(Scope.PORTAL, "needle", BY_OPERATOR, limits)
    key = service.commands.api_keys.find(secret)
    assert key is not None
    assert key.limits == limits
    changed = service.commands.api_keys.change_limits(key.api_key_id, Limits(), BY_OPERATOR)
    assert changed is not None
    assert changed.limits == Limits()
    assert service.commands.api_keys.change_limits(key.api_key_id, Limits(), BY_OPERATOR) is not None  # records nothing
    service.commands.api_keys.record_use(changed, clock())
    service.commands.api_keys.record_use(changed, clock())
    assert service.commands.api_keys.revoke(key.api_key_id, BY_OPERATOR) is not None
    assert service.commands.api_keys.change_limits(key.api_key_id, Limits(), BY_OPERATOR) is None
    events = recorded_events(database_url, key.api_key_id)
    assert [topic for topic, _ in events] == [
        "ApiKeyCreated",
        "ApiKeyLimitsChanged",
        "ApiKeyFirstUsed",
        "ApiKeyRevoked",
    ]
    assert events[0][1]["allowed_addresses"] == "192.0.2.0/24 2001:db8::/32"
    assert {state["actor_id"] for topic, state in events if topic != "ApiKeyFirstUsed"} == {"operator"}
    assert "needle" not in str(events)
    assert secret[-20:] not in str(events)


def test_events_of_keys_are_in_the_feed_but_in_no_accounts_audit_log(service: Service, company: Company) -> None:
    key = new_key(service)
    catch_up(service)
    (feed_event,) = [
        item for item in service.queries.events.page(0, 100, FeedFilter()).items if "api_key" in item["type"]
    ]
    assert (feed_event["type"], feed_event["data"]["api_key_id"]) == (
        "subusers.api_key.created.v1",
        str(key.api_key_id),
    )
    assert "accountid" not in feed_event
    exported = service.queries.exports.begin(ExportFilter(), "jsonl", has_proofs=False)
    assert "api_key.created" in [row.row.action for row in exported.rows()]
    rows, _ = service.queries.audit_log.page(company.account_id, AuditFilter(), 10, None)
    assert not [row for row in rows if row.action.startswith("api_key")]


def test_key_of_an_earlier_release_has_no_creation_event(
    service: Service, database_url: str, clock: TravelingClock
) -> None:
    """Its first use is not recorded, because it may have been used before; its revocation is."""
    key = service.commands.api_keys.find(add_api_key(service, Scope.PORTAL))
    assert key is not None
    now = clock()
    service.commands.api_keys.record_use(key, now)
    assert service.commands.api_keys.list()[0].last_used_at == now
    service.commands.api_keys.revoke(key.api_key_id, BY_OPERATOR)
    assert topics(database_url, key.api_key_id) == ["ApiKeyRevoked"]


def test_last_use_is_written_at_most_once_a_minute(service: Service, clock: TravelingClock) -> None:
    key = new_key(service)
    start = clock()
    for seconds, recorded in ((0, 0), (30, 0), (61, 61), (90, 61)):
        used = service.commands.api_keys.get(key.api_key_id)
        assert used is not None
        service.commands.api_keys.record_use(used, start + timedelta(seconds=seconds))
        assert service.commands.api_keys.list()[0].last_used_at == start + timedelta(seconds=recorded)


def test_revoking_a_key_disables_its_webhooks(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """They are disabled in the same transaction, with one event each. Other webhooks stay active."""
    key, other = new_key(service), new_key(service)
    hooks = [Hook.to(receiver, service, api_key_id=key.api_key_id) for _ in range(2)]
    other_hook, hook_without_key = Hook.to(receiver, service, api_key_id=other.api_key_id), Hook.to(receiver, service)
    revocation = service.commands.api_keys.revoke(key.api_key_id, BY_OPERATOR)
    assert revocation is not None
    assert (revocation.webhooks_disabled, revocation.webhooks_handed_over, revocation.active_webhooks_without_key) == (
        2,
        0,
        1,
    )
    for hook in hooks:
        assert hook.state().disabled_reason is DisableReason.KEY_REVOKED
        topic, state = recorded_events(database_url, hook.webhook_id)[-1]
        assert (topic, state["why"], state["actor_id"]) == ("WebhookDisabled", "key_revoked", "operator")
    assert [hook.state().status for hook in (other_hook, hook_without_key)] == ["active", "active"]
    ((transactions,),) = fetch(
        database_url,
        "SELECT count(DISTINCT xmin::text) FROM stored_events WHERE topic IN ('ApiKeyRevoked', 'WebhookDisabled')",
    )
    assert transactions == 1
    company.create_sub_user()
    receiver.received.clear()
    deliver(service)
    assert {request.path for request in receiver.received} == {"/hook"}
    assert all(not hook.log() for hook in hooks)


def test_webhook_created_during_the_revocation_is_disabled(
    service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The revocation searches for the key's webhooks again."""
    key = new_key(service)
    hooks: list[Hook] = []

    def create() -> None:
        hooks.append(Hook.to(receiver, service, api_key_id=key.api_key_id))

    inject_after(monkeypatch, PostgresWebhooks, "list_active_by_key", create)
    revocation = service.commands.api_keys.revoke(key.api_key_id, BY_OPERATOR)
    assert revocation is not None
    assert revocation.webhooks_disabled == 1
    assert hooks[0].state().status == "disabled"


def test_deliveries_stop_when_the_key_is_revoked(service: Service, company: Company, receiver: Receiver) -> None:
    """Each attempt checks the key."""
    key = new_key(service)
    Hook.to(receiver, service, api_key_id=key.api_key_id)
    company.create_sub_user()
    catch_up(service)
    claim = service.workers.webhook_deliveries.claim()
    assert claim is not None
    service.commands.api_keys.revoke(key.api_key_id, BY_OPERATOR)
    service.workers.webhook_deliveries.deliver(claim)
    assert receiver.received == []


def test_webhooks_stop_when_their_key_expires(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """Deliveries stop immediately; the webhooks are disabled by the next housekeeping run."""
    key = new_key(service, limits=Limits(clock() + timedelta(hours=1)))
    hook = Hook.to(receiver, service, api_key_id=key.api_key_id)
    clock.advance(hours=1)
    company.create_sub_user()
    deliver(service)
    assert receiver.received == []
    assert not service.commands.api_keys.is_active(key.api_key_id)
    service.delete_expired()
    assert hook.state().disabled_reason is DisableReason.KEY_EXPIRED


def test_webhooks_are_transferred_to_another_key(service: Service, receiver: Receiver, database_url: str) -> None:
    """They stay active. The other key must be active and have the same scope."""
    key, successor, portal = new_key(service), new_key(service), new_key(service, Scope.PORTAL)
    hook = Hook.to(receiver, service, api_key_id=key.api_key_id)
    for invalid_id in (portal.api_key_id, key.api_key_id, hook.webhook_id):
        with pytest.raises(InvalidValue, match="hand_webhooks_to"):
            service.commands.api_keys.revoke(key.api_key_id, BY_OPERATOR, hand_webhooks_to=invalid_id)
    revocation = service.commands.api_keys.revoke(key.api_key_id, BY_OPERATOR, hand_webhooks_to=successor.api_key_id)
    assert revocation is not None
    assert (revocation.webhooks_disabled, revocation.webhooks_handed_over) == (0, 1)
    assert (hook.state().status, hook.state().api_key_id) == ("active", successor.api_key_id)
    assert topics(database_url, hook.webhook_id) == ["WebhookCreated", "WebhookAdopted"]


@pytest.mark.parametrize("command", ["adopt", "enable"])
def test_webhook_belongs_to_the_key_that_adopts_or_enables_it(
    service: Service, receiver: Receiver, command: str
) -> None:
    """An active webhook is adopted; a disabled one is enabled."""
    key = new_key(service)
    hook = Hook.to(receiver, service)
    commands: dict[str, Callable[[], object]] = {
        "adopt": lambda: service.commands.webhooks.adopt(hook.webhook_id, key.api_key_id, ANALYTICS, all_accounts=True),
        "enable": lambda: service.commands.webhooks.enable(
            hook.webhook_id, ANALYTICS, all_accounts=True, api_key_id=key.api_key_id
        ),
    }
    if command == "enable":
        commands[command]()
        assert hook.state().api_key_id is None
        service.commands.webhook_disabling.disable(hook.webhook_id, DisableReason.FAILING)
    commands[command]()
    assert (hook.state().api_key_id, hook.state().status) == (key.api_key_id, "active")


def test_invalid_limits_are_refused(service: Service, company: Company, clock: TravelingClock) -> None:
    with pytest.raises(InvalidValue, match="expires"):
        new_key(service, limits=Limits(clock()))
    with pytest.raises(InvalidValue, match="account"):
        new_key(service, Scope.ANALYTICS, Limits(accounts=frozenset({company.account_id})))
    assert service.commands.api_keys.list() == []
