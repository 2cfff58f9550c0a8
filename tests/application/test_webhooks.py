"""Commands on webhooks."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.postgres.tables.webhooks import PostgresWebhooks
from application.commands.webhooks import (
    MAX_WEBHOOKS_OF_ALL_ACCOUNTS,
    MAX_WEBHOOKS_PER_ACCOUNT,
    DisableReason,
    NewWebhook,
    SignatureAlgorithm,
)
from application.errors import InvalidValue, MasterKeyMissing, StoreUnavailable
from domain.refusals import AccountIsClosed, AccountNotFound, WebhookLimitReached, WebhookNotFound
from projections.audit_log.conditions import AuditFilter
from tests.builders import PORTAL, Company, catch_up
from tests.postgres import LOCK_WAITERS, connect, fetch
from tests.receiver import status
from tests.waiting import eventually, inject_after, run_concurrently
from tests.webhooks import ANALYTICS, Hook, allow_local_receivers, deliver

if TYPE_CHECKING:
    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock
    from tests.receiver import Receiver


class ProcessKilled(BaseException):
    """Simulates the death of the process: nothing catches it."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return allow_local_receivers(settings)


def test_webhook_shows_its_settings_and_position(service: Service, company: Company, receiver: Receiver) -> None:
    """It does not show its secret. The default start position is the current one."""
    now = service.queries.progress.settled_position()
    hook = Hook.to(receiver, service, company, event_types=["subusers.sub_user.created.v1"], description="The desk's")
    webhook = hook.state()
    assert (webhook.url, webhook.event_types, webhook.description) == (
        receiver.url,
        ["subusers.sub_user.created.v1"],
        "The desk's",
    )
    assert (webhook.status, webhook.position, webhook.failures, webhook.next_attempt_at) == ("active", now, 0, None)
    assert receiver.url not in repr(webhook)
    assert hook.receiver_key.startswith("whsec_")


def test_secret_and_url_are_encrypted(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """URLs may contain secrets too."""
    hook = Hook.to(receiver, service, company, description="needle")
    query = "SELECT sealed_details, sealed_secret, w::text FROM webhooks w JOIN webhook_secrets USING (webhook_id)"
    ((details, secret, row),) = fetch(database_url, query)
    encoded = hook.receiver_key.removeprefix("whsec_")
    for needle in (b"localhost", b"needle", encoded.encode(), base64.b64decode(encoded)):
        assert not any(needle in value for value in (bytes(details), bytes(secret), row.encode()))


def test_webhook_of_another_master_key_is_unreadable(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """The error is the one for a missing key."""
    hook = Hook.to(receiver, service, company)
    fetch(database_url, "UPDATE webhooks SET master_key_id = 'another'")
    with pytest.raises(MasterKeyMissing):
        hook.state()


def test_encrypted_details_are_bound_to_their_webhook(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """Write access to rows does not allow redirecting events to another receiver."""
    first, second = Hook.to(receiver, service, company), Hook.to(receiver, service, company)
    fetch(
        database_url,
        "UPDATE webhooks SET sealed_details = (SELECT sealed_details FROM webhooks WHERE webhook_id = %s) "
        "WHERE webhook_id = %s",
        *(first.webhook_id, second.webhook_id),
    )
    first.state()
    with pytest.raises(MasterKeyMissing):
        second.state()


@pytest.mark.parametrize(
    "url", ["http://receiver.example/", "https://10.0.0.1/", "https://user:word@receiver.example/"]
)
def test_disallowed_receiver_is_refused(service: Service, company: Company, url: str) -> None:
    with pytest.raises(InvalidValue, match="url"):
        service.commands.webhooks.create(NewWebhook(url=url, account_id=company.account_id), PORTAL)


def test_position_beyond_the_store_is_refused(service: Service, company: Company, receiver: Receiver) -> None:
    beyond = service.queries.progress.settled_position() + 1
    with pytest.raises(InvalidValue, match="after"):
        Hook.to(receiver, service, company, after=beyond)
    hook = Hook.to(receiver, service, company)
    with pytest.raises(InvalidValue, match="after"):
        hook.replay(beyond + 1)


def test_webhook_requires_an_open_account(service: Service, company: Company, receiver: Receiver) -> None:
    with pytest.raises(AccountNotFound):
        service.commands.webhooks.create(NewWebhook(url=receiver.url, account_id=uuid4()), PORTAL)
    service.commands.accounts.close(company.account_id, PORTAL)
    with pytest.raises(AccountIsClosed):
        Hook.to(receiver, service, company)


def test_closing_an_account_deletes_its_webhooks(service: Service, company: Company, receiver: Receiver) -> None:
    """They are deleted in the same transaction. Other webhooks remain."""
    other = Hook.to(receiver, service, Company.register(service))
    hook, all_accounts = Hook.to(receiver, service, company), Hook.to(receiver, service)
    service.commands.accounts.close(company.account_id, PORTAL)
    with pytest.raises(WebhookNotFound):
        hook.state()
    other.state()
    all_accounts.state()


def test_closing_concurrently_with_a_creation_leaves_no_webhook(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """Either the webhook is deleted with the account, or its creation is refused."""

    def create() -> object:
        return Hook.to(receiver, service, company)

    def close() -> object:
        return service.commands.accounts.close(company.account_id, PORTAL)

    outcomes = run_concurrently([create, close, create, create])
    assert {type(outcome) for outcome in (outcomes[0], *outcomes[2:])} <= {Hook, AccountIsClosed, WebhookNotFound}
    assert fetch(database_url, "SELECT FROM webhooks") == []


def test_account_closed_after_the_check_gets_no_webhook(
    service: Service, company: Company, receiver: Receiver, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction guarantees it, so the process may die right after the commit."""
    inject_after(
        monkeypatch,
        PostgresWebhooks,
        "occupied_slots",
        lambda: service.commands.accounts.close(company.account_id, PORTAL),
    )
    save = service.main_accounts.save

    def save_and_get_killed(*events: Any, **writes: Any) -> None:
        save(*events, **writes)
        raise ProcessKilled

    monkeypatch.setattr(service.main_accounts, "save", save_and_get_killed)
    with pytest.raises(AccountIsClosed):
        Hook.to(receiver, service, company)
    assert fetch(database_url, "SELECT FROM webhooks") == []
    assert fetch(database_url, "SELECT FROM stored_events WHERE topic = 'WebhookCreated'") == []


@pytest.mark.parametrize("command", ["enable", "delete"])
def test_command_on_a_webhook_of_a_closed_account_is_refused(
    service: Service,
    company: Company,
    receiver: Receiver,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """The webhook no longer exists, so no event records the command."""
    hook = Hook.to(receiver, service, company)
    service.commands.webhook_disabling.disable(hook.webhook_id, DisableReason.FAILING)
    inject_after(
        monkeypatch, PostgresWebhooks, "find", lambda: service.commands.accounts.close(company.account_id, PORTAL)
    )
    with pytest.raises(WebhookNotFound):
        getattr(hook, command)()
    query = "SELECT topic FROM stored_events WHERE originator_id = %s ORDER BY originator_version"
    assert fetch(database_url, query, hook.webhook_id) == [("WebhookCreated",), ("WebhookDisabled",)]


def test_closing_waits_for_a_concurrent_creation(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """It then deletes the new webhook."""
    hook = Hook.to(receiver, service, company)
    assign_account = "UPDATE webhooks SET account_id = %s WHERE webhook_id = %s"
    fetch(database_url, assign_account, uuid4(), hook.webhook_id)
    close = threading.Thread(target=service.commands.accounts.close, args=(company.account_id, PORTAL))
    with connect(database_url) as connection, connection.transaction():
        connection.execute("SELECT FROM require_open_account(%s)", [company.account_id])
        close.start()
        eventually(lambda: fetch(database_url, LOCK_WAITERS))
        connection.execute(assign_account, [company.account_id, hook.webhook_id])
    close.join()
    assert fetch(database_url, "SELECT FROM webhooks") == []


def test_webhook_is_created_while_the_accounts_email_changes(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """The change replaces the account's directory entry, but the account is open."""
    with ThreadPoolExecutor(1) as thread, connect(database_url) as connection:
        with connection.transaction():
            row = connection.execute("DELETE FROM account_directory RETURNING account_id").fetchone()
            created = thread.submit(Hook.to, receiver, service, company)
            eventually(lambda: fetch(database_url, LOCK_WAITERS))
            connection.execute("INSERT INTO account_directory VALUES ('another', %s)", row)
        created.result().state()


def test_webhooks_of_one_and_of_all_accounts_are_separate(
    service: Service, company: Company, receiver: Receiver
) -> None:
    """Commands on one kind do not find webhooks of the other."""
    of_account, all_accounts = Hook.to(receiver, service, company), Hook.to(receiver, service)
    for hook in (of_account, all_accounts):
        with pytest.raises(WebhookNotFound):
            service.commands.webhooks.get(hook.webhook_id, all_accounts=not hook.all_accounts)
        with pytest.raises(WebhookNotFound):
            service.commands.webhooks.delete(hook.webhook_id, PORTAL, all_accounts=not hook.all_accounts)
        page, cursor = service.commands.webhooks.page(
            all_accounts=hook.all_accounts, account_id=None, limit=10, cursor=None
        )
        assert ([webhook.webhook_id for webhook in page], cursor) == ([hook.webhook_id], None)


def test_webhooks_are_listed_in_pages(service: Service, company: Company, receiver: Receiver) -> None:
    """The oldest come first. A cursor is valid for its own list only."""
    hooks = [Hook.to(receiver, service, company) for _ in range(5)]
    Hook.to(receiver, service, Company.register(service))
    page = partial(service.commands.webhooks.page, all_accounts=False, account_id=company.account_id, limit=2)
    webhooks, cursor = page(cursor=None)
    ids = [webhook.webhook_id for webhook in webhooks]
    while cursor is not None:
        webhooks, cursor = page(cursor=cursor)
        ids += [webhook.webhook_id for webhook in webhooks]
    assert ids == [hook.webhook_id for hook in hooks]
    _, cursor = page(cursor=None)
    with pytest.raises(InvalidValue, match="cursor"):
        service.commands.webhooks.page(all_accounts=False, account_id=None, limit=2, cursor=cursor)


def test_webhook_limit_holds_under_concurrency(service: Service, company: Company, receiver: Receiver) -> None:
    """Of 16 concurrent creations, 10 succeed. A deletion frees a place."""
    results = run_concurrently([partial(Hook.to, receiver, service, company) for _ in range(16)])
    hooks = [result for result in results if isinstance(result, Hook)]
    assert len(hooks) == MAX_WEBHOOKS_PER_ACCOUNT
    assert all(isinstance(result, WebhookLimitReached) for result in results if not isinstance(result, Hook))
    hooks[3].delete()
    Hook.to(receiver, service, company)
    for _ in range(MAX_WEBHOOKS_OF_ALL_ACCOUNTS):
        Hook.to(receiver, service)
    with pytest.raises(WebhookLimitReached):
        Hook.to(receiver, service)


def test_audit_log_has_the_commands_on_webhooks(service: Service, company: Company, receiver: Receiver) -> None:
    """Rows have actor and origin. Webhooks for all accounts appear in no account's log."""
    hook, all_accounts = Hook.to(receiver, service, company), Hook.to(receiver, service)
    hook.delete()
    all_accounts.delete()
    service.commands.webhooks.create(NewWebhook(url=receiver.url, account_id=company.account_id), PORTAL)
    catch_up(service)
    rows, _ = service.queries.audit_log.page(company.account_id, AuditFilter(), 10, None)
    entries = [
        (row.action, row.actor["type"], row.ip, row.user_agent) for row in rows if row.action.startswith("webhook")
    ]
    assert entries == [
        ("webhook.created", "main_account", "192.0.2.1", "a browser"),
        ("webhook.deleted", "system", None, None),
        ("webhook.created", "main_account", "192.0.2.1", "a browser"),
    ]
    assert {row.details["webhook_id"] for row in rows if row.action == "webhook.deleted"} == {hook.webhook_id}


def test_concurrent_deletions_record_one_event(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """Of eight deletions, one succeeds; the others are refused."""
    hook = Hook.to(receiver, service, company)
    outcomes = run_concurrently([hook.delete] * 8)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", *["WebhookNotFound"] * 7]
    query = "SELECT topic FROM stored_events WHERE originator_id = %s ORDER BY originator_version"
    assert fetch(database_url, query, hook.webhook_id) == [("WebhookCreated",), ("WebhookDeleted",)]


def test_former_secret_stays_valid_for_a_day(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """Each request is signed with both secrets, the newer first. After 24 hours, only the new one is used."""
    hook = Hook.to(receiver, service, company)
    _, second = service.commands.webhooks.add_secret(hook.webhook_id, ANALYTICS, all_accounts=False).value
    deliver(service)
    assert len(receiver.received[-1].signatures) == 2
    for secret in (hook.receiver_key, second):
        assert receiver.received[-1].verified_with(secret)["type"] == "subusers.webhook.secret_rotated.v1"
    clock.advance(hours=24.1)
    company.create_sub_user()
    deliver(service)
    assert len(receiver.received[-1].signatures) == 1
    service.delete_expired()
    _, third = service.commands.webhooks.add_secret(hook.webhook_id, ANALYTICS, all_accounts=False).value
    assert len({hook.receiver_key, second, third}) == 3


def test_requests_have_five_signatures_at_most(service: Service, company: Company, receiver: Receiver) -> None:
    """They are made with the five newest secrets, so that the header stays short."""
    hook = Hook.to(receiver, service, company, signature_algorithm=SignatureAlgorithm.ED25519)
    for _ in range(9):
        service.commands.webhooks.add_secret(hook.webhook_id, ANALYTICS, all_accounts=False)
    deliver(service)
    assert len(receiver.received[0].signatures) == 5
    assert all(signature.startswith("v1a,") for signature in receiver.received[0].signatures)


def test_secret_for_an_unknown_webhook_is_refused(service: Service) -> None:
    with pytest.raises(WebhookNotFound):
        service.commands.webhooks.add_secret(uuid4(), ANALYTICS, all_accounts=False)


def test_enabling_an_active_webhook_records_nothing(service: Service, company: Company, receiver: Receiver) -> None:
    hook = Hook.to(receiver, service, company)
    before = service.queries.progress.settled_position()
    hook.enable()
    assert service.queries.progress.settled_position() == before


def test_every_command_on_a_webhook_is_recorded(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """Commands that only change the position or the secret are recorded, too."""
    hook = Hook.to(receiver, service, company)
    hook.replay(0)
    assert hook.state().position == 0
    service.commands.webhooks.add_secret(hook.webhook_id, PORTAL, all_accounts=False)
    receiver.default_response = status(503)
    deliver(service)
    hook.enable()
    assert hook.state().failures == 0
    service.commands.webhook_disabling.disable(hook.webhook_id, DisableReason.GONE)
    hook.replay(1)
    hook.delete()
    query = "SELECT originator_version, topic FROM stored_events WHERE originator_id = %s ORDER BY originator_version"
    topics = ["Created", "Replayed", "SecretRotated", "Replayed", "Disabled", "Replayed", "Enabled", "Deleted"]
    recorded = fetch(database_url, query, hook.webhook_id)
    assert recorded == [(version, f"Webhook{topic}") for version, topic in enumerate(topics, 1)]


def test_expired_log_entries_and_secrets_are_deleted(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock, database_url: str
) -> None:
    """Log entries expire after 30 days or beyond the newest 1,000, and secrets when they sign nothing any more."""
    hook = Hook.to(receiver, service, company)
    deliver(service)
    service.commands.webhooks.add_secret(hook.webhook_id, ANALYTICS, all_accounts=False)
    fetch(
        database_url,
        "INSERT INTO webhook_deliveries (webhook_id, event_id, type, position, attempt, attempted_at, milliseconds) "
        "SELECT %s, n::text, 'a type', n, 1, %s, 1 FROM generate_series(1, 1004) n",
        *(hook.webhook_id, clock()),
    )
    assert service.delete_expired() == 5
    assert len(hook.log()) == 1000
    clock.advance(days=1.1)
    assert service.delete_expired() == 1
    clock.advance(days=28)
    assert service.delete_expired() == 0
    clock.advance(days=1)
    assert service.delete_expired() == 1000
    assert fetch(database_url, "SELECT count(*) FROM webhook_secrets") == [(1,)]


def test_failed_save_creates_no_webhook(
    service: Service, company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command fails as a whole, so no webhook exists without its secret."""

    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(service.main_accounts, "save", fail)
    with pytest.raises(StoreUnavailable):
        Hook.to(receiver, service, company)
    assert service.commands.webhooks.page(all_accounts=False, account_id=None, limit=9, cursor=None) == ([], None)


def test_webhook_of_all_accounts_is_recorded_with_its_api_key(
    service: Service, receiver: Receiver, database_url: str
) -> None:
    """Its events have no account."""
    Hook.to(receiver, service)
    ((state,),) = fetch(database_url, "SELECT convert_from(state, 'UTF8')::jsonb FROM stored_events")
    assert (state["actor_type"], state["actor_id"], "account_id" in state) == ("system", ANALYTICS.actor_id, False)
