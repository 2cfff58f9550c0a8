"""The composition root: here, and nowhere else, what is asked meets what it is done with."""

from __future__ import annotations

import base64
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.ed25519 import Ed25519Signer
from adapters.ed25519 import verify as verify_signature
from adapters.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from adapters.encryption import MasterKeys, UnknownMasterKey, new_key
from adapters.event_mapper import EventMapper
from adapters.fingerprints import KeyedFingerprints
from adapters.mail.erased import FiledMailsOfErased
from adapters.mail.files import FileTransport
from adapters.mail.mailbox import FiledMail, Mailbox
from adapters.mail.sender import default_sender
from adapters.mail.smtp import SmtpTransport
from adapters.passwords import Argon2Passwords
from adapters.postgres import roles
from adapters.postgres.account_directory import PostgresAccountDirectory
from adapters.postgres.ahead import PostgresAhead
from adapters.postgres.answers import PostgresAnswers
from adapters.postgres.api_keys import PostgresApiKeys
from adapters.postgres.console_links import PostgresConsoleLinks
from adapters.postgres.database import NOTICING_A_LOST_PEER, OPTIONS, Database, Factory
from adapters.postgres.housekeeping import clear_away
from adapters.postgres.legal_holds import PostgresLegalHolds
from adapters.postgres.mail_queue import PostgresMailQueue
from adapters.postgres.migrations import MigrationError, migrate, pending
from adapters.postgres.rewrap import Rewrapping
from adapters.postgres.roles import ServiceRole
from adapters.postgres.sessions import PostgresSessions
from adapters.postgres.signals import CHANNEL, Signals
from adapters.postgres.throttle import PostgresThrottle
from adapters.postgres.usage_counts import PostgresUsageCounts
from adapters.postgres.vault import PostgresVault
from adapters.postgres.webhook_queue import PostgresWebhookQueue
from adapters.postgres.webhooks import PostgresWebhooks, WebhookSeals
from adapters.webhooks.sender import WebhookSender
from adapters.webhooks.signatures import StandardSignatures
from api import config
from api.config import ConfigError, Settings
from api.demo.mark import demo_account
from api.signing_keys import SigningKeys, generated_in
from application.accounts import Accounts
from application.activities import Activities
from application.audit_reads import AuditReads
from application.erasures import Erasures
from application.errors import StoreUnavailable, TreeDamaged
from application.first_bad import CannotTell
from application.mailing import Mailing
from application.main_accounts import MainAccounts
from application.owner_sessions import OwnerSessions
from application.sessions import SubUserSessions
from application.sub_users import SubUsers
from application.usage import UsageReports
from application.webhook_deliveries import WebhookDeliveries
from application.webhooks import Webhooks
from projections.audit_counts import AuditCounts
from projections.audit_log import AuditLog
from projections.audit_queries import AuditQueries
from projections.audit_retention import AuditRetention
from projections.checkpointer import Checkpointer, KeyNotHeld
from projections.checkpoints import Checkpoints
from projections.cursors import Cursors
from projections.event_feed import EventFeed, FeedFilter
from projections.event_tail import EventTail
from projections.exports import Exports
from projections.follower import Follower, View
from projections.freshness import Freshness
from projections.history import History
from projections.history_walk import Source
from projections.mail_queue import MailQueueView
from projections.merkle_tree import MerkleLeaves
from projections.personal_data import PersonalData
from projections.progress import Progress
from projections.proofs import Proofs, consistency
from projections.published_events import Envelopes
from projections.publisher import Publisher
from projections.rebuild import drop_abandoned
from projections.store_check import StoreCheck
from projections.sub_user_list import SubUserList
from projections.sub_user_queries import SubUserQueries
from projections.usage import UsageView
from projections.usage_queries import UsageQueries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from adapters.amqp.rabbitmq import RabbitMq
    from application.checkpoints import Checkpoint
    from application.mail import MailTransport
    from application.ports import Clock, PersonKey
    from application.signed_notes import VerifierKey
    from application.webhooks import Webhook
    from projections.store_check import Kept, Verdict

__all__ = [
    "EmbeddedPostgresError",
    "FiledMail",
    "Mailbox",
    "MigrationError",
    "Service",
    "UnknownMasterKey",
    "build",
    "connect",
    "opened",
    "pending_migrations",
    "role_script",
    "run_migrations",
    "verify_signature",
]
"""What else of the outside the doors may know: errors and mails, which they show, and connections of their own."""


@dataclass(frozen=True)
class Service:
    """Everything that a door can open onto."""

    settings: Settings
    clock: Clock
    database: Database
    signals: Signals
    main_accounts: MainAccounts
    accounts: Accounts
    sub_users: SubUsers
    erasures: Erasures
    legal_holds: PostgresLegalHolds
    personal_data: PersonalData
    rewrapping: Rewrapping
    sessions: SubUserSessions
    owner_sessions: OwnerSessions
    open_sessions: PostgresSessions
    activities: Activities
    usage: UsageReports
    answers: PostgresAnswers
    api_keys: PostgresApiKeys
    ahead: PostgresAhead
    fingerprints: KeyedFingerprints
    vault: PostgresVault
    sub_user_queries: SubUserQueries
    audit_queries: AuditQueries
    audit_reads: AuditReads
    history: History
    exports: Exports
    event_feed: EventFeed
    event_tail: EventTail
    audit_counts: AuditCounts
    audit_retention: AuditRetention
    usage_queries: UsageQueries
    progress: Progress
    checkpoints: Checkpoints
    checkpointer: Checkpointer
    proofs: Proofs
    views: Sequence[View]
    followers: Sequence[Follower]
    publisher: Publisher | None
    mailing: Mailing
    webhooks: Webhooks
    webhook_deliveries: WebhookDeliveries
    filed_mails: FiledMailsOfErased | None
    mailbox: Mailbox | None
    """The mails that were written as files, where a service with a database of its own has no mail server."""

    demo_account_id: UUID | None
    """The account that is a demo: with a database of its own alone."""

    def clear_away(self) -> int:
        """Delete some of what has had its time, and return how many rows that was."""
        with self.database.get_connection() as connection:
            drop_abandoned([view for view in self.views if view.tables], connection)
        return clear_away(self.database, self.clock()) + self.audit_retention.step(self.database)

    def clear_away_mails(self) -> int:
        """Remove the files of mails to people who have been erased, and return how many there were."""
        return self.filed_mails.remove() if self.filed_mails is not None else 0

    def may_alter_history(self) -> bool:
        """Say whether the role that this runs as could alter or delete events."""
        with self.database.get_connection() as connection:
            return roles.may_alter_history(connection)

    def person_key(self, person_id: Any) -> PersonKey | None:
        """Return a person's key, None if they were forgotten."""
        entry = self.vault.entries([person_id]).get(person_id)
        return entry.key if entry is not None else None

    def close(self) -> None:
        """Let go of every connection."""
        self.signals.close()
        self.main_accounts.close()


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


def connect_to_follow(url: str) -> psycopg.Connection[Any]:
    """Return a connection for a follower.

    Its commits need not wait for the disk: a crash loses the latest of them whole, rows and position alike, and the
    follower applies those events again.
    """
    connection = connect(url, "follower")
    connection.execute("SET synchronous_commit = off")
    return connection


def connect_to_hint(url: str) -> psycopg.Connection[Any]:
    """Return a connection for signals to followers: none of them need wait for the disk, as what it is about has."""
    connection = connect(url, "signals")
    connection.execute("SET synchronous_commit = off")
    return connection


def connect(url: str, purpose: str) -> psycopg.Connection[Any]:
    """Return a connection of one's own, in autocommit mode and without a limit on how long a statement takes."""
    told = make_conninfo(url, application_name=f"subusers {purpose}", options=OPTIONS, **NOTICING_A_LOST_PEER)
    return psycopg.connect(told, autocommit=True)


def run_migrations(settings: Settings) -> Sequence[str]:
    """Bring the schema, and what the service's role may do, up to date, and return what was run.

    Raises `MigrationError`, `StoreUnavailable`.
    """
    role = None
    if settings.admin_database_url is not None:
        named = conninfo_to_dict(settings.database_url or "")
        role = ServiceRole(str(named["user"]), str(named["password"]) if named.get("password") else None)
    try:
        with connect(settings.owner_url, "migrate") as connection:
            return migrate(connection, role)
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error


def pending_migrations(url: str) -> Sequence[str]:
    """Return what `subusers migrate` has yet to run. Raises `StoreUnavailable`."""
    try:
        with connect(url, "status") as connection:
            return pending(connection)
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error


def role_script(settings: Settings, name: str) -> str:
    """Return the SQL that sets up a role for the service. Raises `StoreUnavailable`."""
    try:
        with connect(settings.owner_url, "migrate") as connection:
            return roles.script(connection, name)
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error


@contextmanager
def opened(settings: Settings) -> Iterator[Settings]:
    """Have the database run that the settings ask for, and yield the settings with which to reach it.

    Raises `EmbeddedPostgresError`.
    """
    with kept_running(settings) as run:
        yield run()


@contextmanager
def kept_running(settings: Settings) -> Iterator[Callable[[], Settings]]:
    """Yield what `opened` does as a function: called again, it has a database of our own run that has ended since.

    Raises `ConfigError` for what can be told to be wrong before anything runs.
    """
    _transport(settings)
    _broker(settings)
    if not settings.embedded:
        yield lambda: settings
        return
    postgres = EmbeddedPostgres(settings.postgres_folder)

    def run() -> Settings:
        owner_url = postgres.start()
        keys = settings.master_keys or generated_master_keys(settings)
        url = postgres.service_url
        return replace(settings, database_url=url, admin_database_url=owner_url, master_keys=keys)

    try:
        yield run
    finally:
        postgres.stop()


def generated_master_keys(settings: Settings) -> tuple[bytes, ...]:
    """Return the master key of an embedded Postgres, made the first time, readable by its owner alone.

    It may have been replaced since: then there are several for a while, as in the setting. Raises `ConfigError`.
    """
    file = settings.master_key_file
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        draft = file.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(base64.b64encode(new_key()).decode())
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(draft, file)  # fails where another process was first, whose key then counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return config.master_keys(str(file), file.read_text().strip())


def build(settings: Settings, clock: Clock = utc_now) -> Service:
    """Put the service together, on a database that `settings` names and that is up to date.

    Raises `ConfigError` where the master keys do not open the database.
    """
    url = settings.database_url or ""
    database = Database(url, pool_size=settings.threads + 4)
    master_keys = MasterKeys(settings.master_keys)
    vault = PostgresVault(database, master_keys)
    try:
        fingerprints = KeyedFingerprints(vault.service_key("fingerprints"))
    except UnknownMasterKey:
        msg = "SUBUSERS_MASTER_KEY is not the key that this database was set up with"
        raise ConfigError(msg) from None
    signals = Signals(lambda: connect_to_hint(url))
    mapper = EventMapper()
    main_accounts = MainAccounts(Factory(database, signals.signal), mapper)
    passwords = Argon2Passwords(max(1, settings.cores // settings.processes))
    common = (main_accounts, vault, fingerprints, passwords, clock)
    sessions = PostgresSessions(database)
    audit_retention = AuditRetention(settings.audit_retention, clock)
    legal_holds, mail_queue = PostgresLegalHolds(database), PostgresMailQueue(database)
    directory = PostgresAccountDirectory(database)
    throttle = PostgresThrottle(database)
    ahead = PostgresAhead(database, vault)
    freshness = Freshness(database)
    cursors = Cursors(fingerprints)
    event_feed = EventFeed(database, freshness, Envelopes(settings.public_url))
    progress = Progress(database)
    seals, signatures = WebhookSeals(master_keys), StandardSignatures()
    webhooks = Webhooks(
        main_accounts,
        vault,
        PostgresWebhooks(database, seals, cursors),
        signatures,
        settings.webhook_receivers,
        progress,
        clock,
    )
    views: tuple[View, ...] = (
        SubUserList(vault),
        AuditLog(audit_retention),
        UsageView(mapper),
        MailQueueView(mapper),
        MerkleLeaves(),
    )
    checkpoints = Checkpoints(database, cursors)
    proofs, source = Proofs(database, checkpoints), Source(database, mapper, vault)
    return Service(
        settings=settings,
        clock=clock,
        database=database,
        signals=signals,
        main_accounts=main_accounts,
        accounts=Accounts(*common),
        sub_users=SubUsers(*common, sessions=sessions, erasure_delay=settings.erasure_delay),
        erasures=Erasures(main_accounts, vault, legal_holds, clock),
        legal_holds=legal_holds,
        personal_data=PersonalData(database, freshness),
        rewrapping=Rewrapping(database, master_keys),
        sessions=SubUserSessions(*common, sessions=sessions, throttle=throttle, ahead=ahead),
        owner_sessions=OwnerSessions(
            *common,
            sessions=sessions,
            directory=directory,
            throttle=throttle,
            links=PostgresConsoleLinks(database),
        ),
        open_sessions=sessions,
        activities=Activities(main_accounts, vault, clock),
        usage=UsageReports(main_accounts, vault, PostgresUsageCounts(database), clock),
        answers=PostgresAnswers(database),
        api_keys=PostgresApiKeys(database),
        ahead=ahead,
        fingerprints=fingerprints,
        vault=vault,
        sub_user_queries=SubUserQueries(database, freshness, cursors),
        audit_queries=AuditQueries(database, freshness, cursors, mapper, vault),
        audit_reads=AuditReads(main_accounts, vault, clock),
        history=History(source, freshness, cursors, clock),
        exports=Exports(source, freshness, cursors, proofs),
        event_feed=event_feed,
        event_tail=EventTail(lambda: connect(url, "event tail"), CHANNEL),
        audit_counts=AuditCounts(database, freshness),
        audit_retention=audit_retention,
        usage_queries=UsageQueries(database, freshness, clock),
        progress=progress,
        checkpoints=checkpoints,
        checkpointer=Checkpointer(database, lambda: _signers(settings), verify_signature, clock),
        proofs=proofs,
        views=views,
        followers=[Follower(view, lambda: connect_to_follow(url), CHANNEL) for view in views],
        publisher=_publisher(settings),
        mailing=Mailing(
            main_accounts,
            vault,
            mail_queue,
            _transport(settings),
            clock,
            login_url=f"{settings.public_url}/login?as=sub-user",
            mail_domain=settings.public_host,
        ),
        webhooks=webhooks,
        webhook_deliveries=WebhookDeliveries(
            webhooks,
            PostgresWebhookQueue(database, seals),
            lambda webhook, limit: event_feed.page(webhook.position, limit, _wanted_by(webhook)),
            signatures,
            WebhookSender(settings.webhook_receivers),
            clock,
        ),
        filed_mails=None if settings.smtp_url else FiledMailsOfErased(settings.mail_folder, mail_queue.of_erased),
        mailbox=Mailbox(settings.mail_folder) if settings.embedded and settings.smtp_url is None else None,
        demo_account_id=demo_account(settings),
    )


def require_signing_key(service: Service) -> None:
    """Raise `ConfigError` unless this service can sign the checkpoints of its store."""
    try:
        service.checkpointer.require_key()
    except KeyNotHeld:
        msg = "SUBUSERS_SIGNING_KEY is not the key that signs the checkpoints of this database"
        raise ConfigError(msg) from None


def held_signing_keys(settings: Settings) -> SigningKeys:
    """Return the keys that sign checkpoints, as they are now: an embedded service's may change while it runs."""
    if settings.signing_keys.private or not settings.embedded:
        return settings.signing_keys
    return generated_in(settings.signing_key_file)


def public_keys(settings: Settings) -> Sequence[bytes]:
    """Return the public halves of the private keys that are held, in their order."""
    return [one.public_key for one in _signers(settings)]


def trusted_keys(settings: Settings) -> Sequence[bytes | VerifierKey]:
    """Return the public keys that the settings name; none for an embedded service that has not signed yet."""
    if not settings.signing_keys.private and not settings.signing_key_file.exists():
        return ()
    return [*public_keys(settings), *held_signing_keys(settings).public]


def check_store(
    settings: Settings,
    trusted: Sequence[bytes | VerifierKey],
    elsewhere: Sequence[Kept],
    progress: Callable[[int, int], None],
) -> Verdict:
    """Check the whole store. Raises `CannotTell`, `StoreUnavailable`."""
    url = settings.database_url or ""
    try:
        if pending_migrations(url):
            msg = "the database's schema is not up to date: run `subusers migrate` first"
            raise CannotTell(msg)
        with connect(url, "verify") as events, connect(url, "verify") as kept:
            return StoreCheck(events, kept, trusted, verify_signature, elsewhere, progress).run()
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error


def consistency_proof(settings: Settings, old: Checkpoint, new: Checkpoint) -> Sequence[bytes] | None:
    """Return what the store has to show that one checkpoint continues another, None if it has nothing.

    Raises `StoreUnavailable`.
    """
    try:
        with connect(settings.database_url or "", "verify") as connection:
            return consistency(connection, old.tree_size, new.tree_size)
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error
    except TreeDamaged:
        return None


def _signers(settings: Settings) -> Sequence[Ed25519Signer]:
    return [Ed25519Signer(one) for one in held_signing_keys(settings).private]


def _wanted_by(webhook: Webhook) -> FeedFilter:
    return FeedFilter(frozenset(webhook.types) if webhook.types is not None else None, webhook.account_id)


def _transport(settings: Settings) -> MailTransport:
    sender = settings.mail_from or default_sender(settings.public_url)
    try:
        files = FileTransport(settings.mail_folder, sender=sender)
    except ValueError as error:
        msg = f"SUBUSERS_MAIL_FROM: {error}"
        raise ConfigError(msg) from None
    try:
        return files if settings.smtp_url is None else SmtpTransport(settings.smtp_url, sender=sender)
    except ValueError as error:
        msg = f"SUBUSERS_SMTP_URL: {error}"
        raise ConfigError(msg) from None


def _publisher(settings: Settings) -> Publisher | None:
    broker = _broker(settings)
    if broker is None:
        return None
    url = settings.database_url or ""
    return Publisher(lambda: connect_to_follow(url), CHANNEL, Envelopes(settings.public_url), broker)


def _broker(settings: Settings) -> RabbitMq | None:
    if settings.broker_url is None:
        return None
    from adapters.amqp.rabbitmq import RabbitMq  # noqa: PLC0415  # a library that nobody else has to load

    try:
        return RabbitMq(settings.broker_url)
    except ValueError as error:
        msg = f"SUBUSERS_BROKER_URL: {error}"
        raise ConfigError(msg) from None
