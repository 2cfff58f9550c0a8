"""Webhooks as their owners manage them."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.errors import InvalidValue, MasterKeyMissing, StoreUnavailable
from application.webhooks import MOST_OF_ALL, MOST_OF_AN_ACCOUNT, NewWebhook, Signature
from domain.refusals import AccountIsClosed, AccountNotFound, WebhookLimitReached, WebhookNotFound
from projections.audit_queries import AuditFilter
from tests.people import PORTAL, Company, catch_up
from tests.postgres import ask
from tests.waiting import at_once
from tests.webhooks import ANALYTICS, Hook, allowing_this_machine, deliver

if TYPE_CHECKING:
    from api.bootstrap import Service
    from api.config import Settings
    from tests.conftest import TravelingClock
    from tests.receiver import Receiver


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return allowing_this_machine(settings)


def test_a_webhook_shows_what_it_is(service: Service, company: Company, receiver: Receiver) -> None:
    """All but its secret, and how far it has come: to now, if nothing else was said."""
    now = service.progress.settled_position()
    hook = Hook.to(receiver, service, company, types=["subusers.sub_user.created.v1"], description="The desk's")
    shown = hook.state()
    assert (shown.url, shown.types, shown.description) == (receiver.url, ["subusers.sub_user.created.v1"], "The desk's")
    assert (shown.status, shown.position, shown.failures, shown.next_attempt_at) == ("active", now, 0, None)
    assert receiver.url not in repr(shown)
    assert hook.shown.startswith("whsec_")


def test_what_it_is_signed_with_is_nowhere_in_the_clear(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """Nor its URL, which may hold a secret as well."""
    hook = Hook.to(receiver, service, company, description="needle")
    query = "SELECT sealed_details, sealed_secret, w::text FROM webhooks w JOIN webhook_secrets USING (webhook_id)"
    ((details, secret, row),) = ask(database_url, query)
    encoded = hook.shown.removeprefix("whsec_")
    for needle in (b"localhost", b"needle", encoded.encode(), base64.b64decode(encoded)):
        assert not any(needle in held for held in (bytes(details), bytes(secret), row.encode()))


def test_under_another_master_key_it_cannot_be_read(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """503, as for everything that needs a key that is missing."""
    hook = Hook.to(receiver, service, company)
    ask(database_url, "UPDATE webhooks SET master_key_id = 'another'")
    with pytest.raises(MasterKeyMissing):
        hook.state()


def test_sealed_details_cannot_be_moved_to_another_webhook(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """They are bound to theirs: events cannot be led astray by whoever can write rows."""
    one, other = Hook.to(receiver, service, company), Hook.to(receiver, service, company)
    ask(
        database_url,
        "UPDATE webhooks SET sealed_details = (SELECT sealed_details FROM webhooks WHERE webhook_id = %s) "
        "WHERE webhook_id = %s",
        *(one.webhook_id, other.webhook_id),
    )
    one.state()
    with pytest.raises(MasterKeyMissing):
        other.state()


@pytest.mark.parametrize(
    "url", ["http://receiver.example/", "https://10.0.0.1/", "https://user:word@receiver.example/"]
)
def test_a_receiver_that_nothing_may_be_sent_to_is_refused(service: Service, company: Company, url: str) -> None:
    with pytest.raises(InvalidValue, match="url"):
        service.webhooks.create(NewWebhook(url=url, account_id=company.account_id), PORTAL)


def test_a_position_that_there_is_not_is_refused(service: Service, company: Company, receiver: Receiver) -> None:
    """Nothing would ever come there."""
    beyond = service.progress.settled_position() + 1
    with pytest.raises(InvalidValue, match="after"):
        Hook.to(receiver, service, company, after=beyond)
    hook = Hook.to(receiver, service, company)
    with pytest.raises(InvalidValue, match="after"):
        hook.replay(beyond + 1)


def test_an_account_has_to_be_there_and_open(service: Service, company: Company, receiver: Receiver) -> None:
    with pytest.raises(AccountNotFound):
        service.webhooks.create(NewWebhook(url=receiver.url, account_id=uuid4()), PORTAL)
    service.accounts.close(company.account_id, PORTAL)
    with pytest.raises(AccountIsClosed):
        Hook.to(receiver, service, company)


def test_closing_an_account_removes_its_webhooks(service: Service, company: Company, receiver: Receiver) -> None:
    """In the same transaction; others stay."""
    other = Hook.to(receiver, service, Company.register(service))
    hook, of_all = Hook.to(receiver, service, company), Hook.to(receiver, service)
    service.accounts.close(company.account_id, PORTAL)
    with pytest.raises(WebhookNotFound):
        hook.state()
    other.state()
    of_all.state()


def test_a_closing_at_the_same_moment_leaves_no_webhook(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """Whichever comes first: it is removed with the account, or refused."""

    def create() -> object:
        return Hook.to(receiver, service, company)

    def close() -> object:
        return service.accounts.close(company.account_id, PORTAL)

    outcomes = at_once([create, close, create, create])
    assert {type(one) for one in (outcomes[0], *outcomes[2:])} <= {Hook, AccountIsClosed, WebhookNotFound}
    assert ask(database_url, "SELECT FROM webhooks") == []


def test_each_side_sees_its_own(service: Service, company: Company, receiver: Receiver) -> None:
    """Whoever sees those of all accounts sees none of an account's, and the other way round."""
    of_one, of_all = Hook.to(receiver, service, company), Hook.to(receiver, service)
    for hook in (of_one, of_all):
        with pytest.raises(WebhookNotFound):
            service.webhooks.show(hook.webhook_id, of_all=not hook.of_all)
        with pytest.raises(WebhookNotFound):
            service.webhooks.delete(hook.webhook_id, PORTAL, of_all=not hook.of_all)
        page, cursor = service.webhooks.page(of_all=hook.of_all, account_id=None, limit=10, cursor=None)
        assert ([one.webhook_id for one in page], cursor) == ([hook.webhook_id], None)


def test_lists_have_pages(service: Service, company: Company, receiver: Receiver) -> None:
    """Oldest first; a cursor is good for its own list."""
    hooks = [Hook.to(receiver, service, company) for _ in range(5)]
    Hook.to(receiver, service, Company.register(service))
    page = partial(service.webhooks.page, of_all=False, account_id=company.account_id, limit=2)
    found, cursor = page(cursor=None)
    ids = [one.webhook_id for one in found]
    while cursor is not None:
        found, cursor = page(cursor=cursor)
        ids += [one.webhook_id for one in found]
    assert ids == [hook.webhook_id for hook in hooks]
    _, cursor = page(cursor=None)
    with pytest.raises(InvalidValue, match="cursor"):
        service.webhooks.page(of_all=False, account_id=None, limit=2, cursor=cursor)


def test_there_is_a_limit_that_holds_under_concurrency(service: Service, company: Company, receiver: Receiver) -> None:
    """Of 16 made at once, 10 succeed; deleting one makes room."""
    made = at_once([partial(Hook.to, receiver, service, company) for _ in range(16)])
    hooks = [one for one in made if isinstance(one, Hook)]
    assert len(hooks) == MOST_OF_AN_ACCOUNT
    assert all(isinstance(one, WebhookLimitReached) for one in made if not isinstance(one, Hook))
    hooks[3].delete()
    Hook.to(receiver, service, company)
    for _ in range(MOST_OF_ALL):
        Hook.to(receiver, service)
    with pytest.raises(WebhookLimitReached):
        Hook.to(receiver, service)


def test_the_account_s_audit_log_tells(service: Service, company: Company, receiver: Receiver) -> None:
    """Who made and deleted a webhook, and from where; those of all accounts are in no account's."""
    hook, of_all = Hook.to(receiver, service, company), Hook.to(receiver, service)
    hook.delete()
    of_all.delete()
    service.webhooks.create(NewWebhook(url=receiver.url, account_id=company.account_id), PORTAL)
    catch_up(service)
    rows, _ = service.audit_queries.page(company.account_id, AuditFilter(), 10, None)
    told = [(row.action, row.actor["type"], row.ip, row.user_agent) for row in rows if row.action.startswith("webhook")]
    assert told == [
        ("webhook.created", "main_account", "192.0.2.1", "a browser"),
        ("webhook.deleted", "system", None, None),
        ("webhook.created", "main_account", "192.0.2.1", "a browser"),
    ]
    assert {row.details["webhook_id"] for row in rows if row.action == "webhook.deleted"} == {hook.webhook_id}


def test_two_commands_at_once_are_recorded_one_after_the_other(
    service: Service, company: Company, receiver: Receiver, database_url: str
) -> None:
    """Of eight deletions one succeeds; the others find nothing."""
    hook = Hook.to(receiver, service, company)
    outcomes = at_once([hook.delete] * 8)
    assert sorted(type(one).__name__ for one in outcomes) == ["NoneType", *["WebhookNotFound"] * 7]
    query = "SELECT topic FROM stored_events WHERE originator_id = %s ORDER BY originator_version"
    assert ask(database_url, query, hook.webhook_id) == [("WebhookCreated",), ("WebhookDeleted",)]


def test_a_new_secret_and_the_former_one_for_a_day(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock
) -> None:
    """Each request has a signature by both, the newer first; after 24 hours by the new one alone."""
    hook = Hook.to(receiver, service, company)
    _, second = service.webhooks.add_secret(hook.webhook_id, of_all=False)
    deliver(service)
    assert len(receiver.received[-1].signatures) == 2
    for secret in (hook.shown, second):
        assert receiver.received[-1].verified_with(secret)["type"] == "subusers.webhook.created.v1"
    clock.advance(hours=24.1)
    company.let_in()
    deliver(service)
    assert len(receiver.received[-1].signatures) == 1
    service.clear_away()
    _, third = service.webhooks.add_secret(hook.webhook_id, of_all=False)
    assert len({hook.shown, second, third}) == 3


def test_as_many_signatures_as_fit_a_header(service: Service, company: Company, receiver: Receiver) -> None:
    """The five newest, however often somebody asks for a new secret on one day."""
    hook = Hook.to(receiver, service, company, signature=Signature.ED25519)
    for _ in range(9):
        service.webhooks.add_secret(hook.webhook_id, of_all=False)
    deliver(service)
    assert len(receiver.received[0].signatures) == 5
    assert all(one.startswith("v1a,") for one in receiver.received[0].signatures)


def test_a_secret_for_a_webhook_that_is_gone(service: Service) -> None:
    with pytest.raises(WebhookNotFound):
        service.webhooks.add_secret(uuid4(), of_all=False)


def test_enabling_what_is_enabled_records_nothing(service: Service, company: Company, receiver: Receiver) -> None:
    hook = Hook.to(receiver, service, company)
    before = service.progress.settled_position()
    hook.enable()
    hook.replay(0)
    assert service.progress.settled_position() == before
    assert hook.state().position == 0


def test_what_has_had_its_time_is_cleared_away(
    service: Service, company: Company, receiver: Receiver, clock: TravelingClock, database_url: str
) -> None:
    """The log after 30 days, and beyond the newest 1,000 entries; secrets when nothing is signed with them."""
    hook = Hook.to(receiver, service, company)
    deliver(service)
    service.webhooks.add_secret(hook.webhook_id, of_all=False)
    ask(
        database_url,
        "INSERT INTO webhook_deliveries (webhook_id, event_id, type, position, attempt, attempted_at, milliseconds) "
        "SELECT %s, n::text, 'a type', n, 1, %s, 1 FROM generate_series(1, 1004) n",
        *(hook.webhook_id, clock()),
    )
    assert service.clear_away() == 5
    assert len(hook.log()) == 1000
    clock.advance(days=1.1)
    assert service.clear_away() == 1
    clock.advance(days=28)
    assert service.clear_away() == 0
    clock.advance(days=1)
    assert service.clear_away() == 1000
    assert ask(database_url, "SELECT count(*) FROM webhook_secrets") == [(1,)]


def test_nothing_is_made_where_the_database_is_gone(
    service: Service, company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command fails as a whole: a webhook without what it is signed with does not come to be."""

    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(service.main_accounts, "save", fail)
    with pytest.raises(StoreUnavailable):
        Hook.to(receiver, service, company)
    assert service.webhooks.page(of_all=False, account_id=None, limit=9, cursor=None) == ([], None)


def test_a_webhook_of_all_is_recorded_by_its_key(service: Service, receiver: Receiver, database_url: str) -> None:
    """Its events name no account."""
    Hook.to(receiver, service)
    ((state,),) = ask(database_url, "SELECT convert_from(state, 'UTF8')::jsonb FROM stored_events")
    assert (state["actor_type"], state["actor_id"], "account_id" in state) == ("system", ANALYTICS.actor_id, False)
