"""Composition root: builds the service from its adapters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from adapters.client_details import UserAgentAndGeoIpDescriber
from adapters.cursor_cipher import AesCursorCipher
from adapters.ed25519 import verify as verify_signature
from adapters.encryption import MasterKeys, UnknownMasterKey
from adapters.keyed_hashes import HmacHasher
from adapters.mail.filed_mail_eraser import FiledMailEraser
from adapters.mail.mailbox import Mailbox
from adapters.passwords import Argon2Passwords
from adapters.postgres.access_control.grants import PostgresGrants
from adapters.postgres.clock import DatabaseClock
from adapters.postgres.database import Database, Factory
from adapters.postgres.deadlines import REQUEST_LIMITS
from adapters.postgres.event_store.account_streams import PostgresAccountStreams
from adapters.postgres.event_store.lineage import Lineage
from adapters.postgres.event_store.mapper import EventMapper
from adapters.postgres.maintenance.master_key_rotation import MasterKeyRotation
from adapters.postgres.sign_in.console_links import PostgresConsoleLinks
from adapters.postgres.sign_in.devices import PostgresDevices
from adapters.postgres.sign_in.mailed_links import PostgresMailedLinks
from adapters.postgres.sign_in.second_factors import PostgresSecondFactors
from adapters.postgres.signals import CHANNEL, Signals
from adapters.postgres.tables import installation
from adapters.postgres.tables.account_directory import PostgresAccountDirectory
from adapters.postgres.tables.api_key_uses import ApiKeyUses
from adapters.postgres.tables.api_keys import PostgresApiKeys, new_secret
from adapters.postgres.tables.idempotent_responses import PostgresIdempotentResponses
from adapters.postgres.tables.legal_holds import PostgresLegalHolds
from adapters.postgres.tables.mail_queue import PostgresMailQueue
from adapters.postgres.tables.sessions import PostgresSessions
from adapters.postgres.tables.throttle import PostgresThrottle
from adapters.postgres.tables.vault import PostgresVault
from adapters.postgres.tables.webhook_queue import PostgresWebhookQueue
from adapters.postgres.tables.webhooks import PostgresWebhooks, WebhookCipher
from adapters.second_factors.totp_codes import PyotpCodes
from adapters.second_factors.web_authn import WebAuthnPasskeys
from adapters.webhooks.signatures import StandardSignatures
from api.bootstrap.checkpoint_keys import signers
from api.bootstrap.config import ConfigError, Settings
from api.bootstrap.connections import connect_to_follow, connect_to_notify, connect_to_tail
from api.bootstrap.current_reader import current_reader
from api.bootstrap.demo_marker import demo_account
from api.bootstrap.service import Commands, Queries, Service, Workers
from api.bootstrap.transports import build_message_broker, build_transports
from application.commands.access_control import AccessChecks, PermissionCatalogues, RoleGrants, Roles
from application.commands.accounts import Accounts
from application.commands.activities import Activities
from application.commands.activity_types import ActivityTypeRegistry
from application.commands.api_keys import ApiKeys
from application.commands.audit_access import AuditAccessRecorder
from application.commands.second_factors import SecondFactorResets
from application.commands.sub_users import SubUsers
from application.commands.usage import UsageReports
from application.commands.webhooks import WebhookDisabling, WebhookRecorder, Webhooks
from application.pagination_cursors import Cursors
from application.repository import MainAccounts
from application.sign_in.account_email_changes import AccountEmailChanges
from application.sign_in.known_devices import KnownDevices
from application.sign_in.open_sessions import OpenSessions
from application.sign_in.own_sessions import OwnSessions
from application.sign_in.owner_sign_in import OwnerSessions
from application.sign_in.password_resets import PasswordResets
from application.sign_in.second_factors.challenges import Challenges
from application.sign_in.second_factors.own_second_factors import OwnSecondFactors
from application.sign_in.second_factors.verification import SecondFactorVerification
from application.sign_in.sub_user_sign_in import SubUserSessions
from application.workers.erasure import Erasures
from application.workers.mail_composition import MailComposer, SignInUrls
from application.workers.mailer import Mailer
from application.workers.webhook_deliveries import WebhookDeliveries
from domain.permission_catalogue import CATALOGUE_ID
from projections.audit_log.counts import AuditCounts
from projections.audit_log.projection import AuditLogProjection
from projections.audit_log.queries import AuditQueries
from projections.audit_log.retention import AuditRetention
from projections.feed.event_catalog import Envelopes
from projections.feed.pages import EventFeed, FeedFilter
from projections.feed.publisher import Publisher
from projections.feed.tail import EventTail
from projections.history.exports import Exports
from projections.history.past_access import PastAccess
from projections.history.personal_data import PersonalData
from projections.history.queries import History
from projections.history.reader import EventSource
from projections.mail_queue.projection import MailQueueProjection
from projections.runtime.freshness import Freshness
from projections.runtime.progress import Progress
from projections.runtime.projection_follower import Projection, ProjectionFollower
from projections.sub_users.projection import SubUserProjection
from projections.sub_users.queries import SubUserQueries
from projections.transparency.checkpointer import Checkpointer
from projections.transparency.checkpoints import Checkpoints
from projections.transparency.merkle_tree import MerkleLeafProjection
from projections.transparency.proofs import Proofs
from projections.usage.projection import UsageProjection
from projections.usage.queries import UsageQueries
from projections.usage.usage_counts import PostgresUsageCounts

if TYPE_CHECKING:
    from adapters.postgres.deadlines import Limits
    from api.bootstrap.transports import Transports
    from application.commands.webhooks import Webhook
    from application.ports.clock import Clock
    from application.ports.sign_in.client_details import ClientDescriber


__all__ = ["UnknownMasterKey", "build", "utc_now"]


def utc_now() -> datetime:
    """Return the current time of the host."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class _Store:
    """The event store and the tables, with what commands, queries and workers share."""

    settings: Settings
    clock: Clock
    database_clock: DatabaseClock
    database: Database
    lineage: Lineage
    signals: Signals
    source: str
    mapper: EventMapper
    main_accounts: MainAccounts
    master_keys: MasterKeys
    vault: PostgresVault
    keyed_hasher: HmacHasher
    sessions: PostgresSessions
    grants: PostgresGrants
    catalogues: PermissionCatalogues
    directory: PostgresAccountDirectory
    legal_holds: PostgresLegalHolds
    webhook_cipher: WebhookCipher
    freshness: Freshness
    cursors: Cursors
    clients: ClientDescriber


def build(
    settings: Settings,
    clock: Clock | None = None,
    limits: Limits = REQUEST_LIMITS,
    wall_clock: Clock = utc_now,
    transports: Transports | None = None,
) -> Service:
    """Build the service on the migrated database of the settings.

    `limits` are the deadlines of the database. Without a `clock`, the service uses the database's clock, and only
    compares the host's `wall_clock` with it. `transports` replace those of the settings. Raises `ConfigError` if the
    master keys do not decrypt the service's key.
    """
    store = _open_store(settings, clock, limits, wall_clock)
    queries = _queries(store)
    commands = _commands(store, queries)
    return Service(
        settings=settings,
        clock=store.clock,
        database_clock=store.database_clock,
        database=store.database,
        lineage=store.lineage,
        signals=store.signals,
        source=store.source,
        main_accounts=store.main_accounts,
        account_directory=store.directory,
        keyed_hasher=store.keyed_hasher,
        vault=store.vault,
        clients=store.clients,
        commands=commands,
        queries=queries,
        workers=_workers(store, commands, queries, transports or build_transports(settings)),
        mailbox=Mailbox(settings.mail_folder) if settings.embedded and settings.smtp_url is None else None,
        demo_account_id=demo_account(settings),
    )


def _open_store(settings: Settings, clock: Clock | None, limits: Limits, wall_clock: Clock) -> _Store:
    url = settings.database_url or ""
    lineage = Lineage()
    database_clock = DatabaseClock(wall_clock)
    clock = clock or database_clock
    database = Database(
        url, pool_size=settings.database_connections, limits=limits, lineage=lineage, clock=database_clock
    )
    master_keys = MasterKeys(settings.master_keys)
    vault = PostgresVault(database, master_keys)
    try:
        keyed_hasher = HmacHasher(vault.service_key("fingerprints"))
    except UnknownMasterKey:
        msg = "SUBUSERS_MASTER_KEY is not the key that this database was set up with"
        raise ConfigError(msg) from None
    signals = Signals(lambda: connect_to_notify(url))
    mapper = EventMapper()
    factory = Factory(database, signals.signal, lineage.record_position)
    main_accounts = MainAccounts(factory, mapper, PostgresAccountStreams(database))
    sessions = PostgresSessions(database)
    grants = PostgresGrants(database, sessions, CATALOGUE_ID)
    return _Store(
        settings=settings,
        clock=clock,
        database_clock=database_clock,
        database=database,
        lineage=lineage,
        signals=signals,
        source=settings.source or _stored_source(database) or settings.public_url,
        mapper=mapper,
        main_accounts=main_accounts,
        master_keys=master_keys,
        vault=vault,
        keyed_hasher=keyed_hasher,
        sessions=sessions,
        grants=grants,
        catalogues=PermissionCatalogues(main_accounts, grants, vault, clock, lambda: lineage.epoch),
        directory=PostgresAccountDirectory(database),
        legal_holds=PostgresLegalHolds(database),
        webhook_cipher=WebhookCipher(master_keys),
        freshness=Freshness(database, long_waits=max(1, settings.read_threads // 2)),
        cursors=Cursors(AesCursorCipher(keyed_hasher), clock, current_reader),
        clients=UserAgentAndGeoIpDescriber(settings.geoip_database),
    )


def _queries(store: _Store) -> Queries:
    url, database, lineage = store.settings.database_url or "", store.database, store.lineage
    common = (database, store.freshness)
    checkpoints = Checkpoints(database, store.cursors)
    proofs = Proofs(database, checkpoints)
    source = EventSource(database, store.mapper, store.vault)
    return Queries(
        sub_users=SubUserQueries(*common, store.cursors, store.clock),
        audit_log=AuditQueries(*common, store.cursors, store.mapper, store.vault),
        audit_counts=AuditCounts(*common),
        history=History(source, store.freshness, store.cursors, store.clock),
        past_access=PastAccess(source, store.catalogues, store.clock),
        exports=Exports(source, store.freshness, store.cursors, proofs),
        personal_data=PersonalData(*common),
        usage=UsageQueries(*common, store.clock),
        events=EventFeed(*common, _envelopes(store), lambda: lineage.epoch),
        event_tail=EventTail(lambda: connect_to_tail(url, lineage), CHANNEL),
        progress=Progress(database),
        checkpoints=checkpoints,
        proofs=proofs,
        sessions=store.sessions,
        idempotent_responses=PostgresIdempotentResponses(database),
    )


def _commands(store: _Store, queries: Queries) -> Commands:
    settings, database, clock = store.settings, store.database, store.clock
    accounts, vault, keyed_hasher = store.main_accounts, store.vault, store.keyed_hasher
    passwords = Argon2Passwords(max(1, settings.cores // settings.server_processes))
    common = (accounts, vault, keyed_hasher, passwords, clock)
    throttle, links = PostgresThrottle(database), PostgresMailedLinks(database)
    sign_in: dict[str, Any] = {
        "sessions": store.sessions,
        "directory": store.directory,
        "throttle": throttle,
        "devices": KnownDevices(PostgresDevices(database), keyed_hasher),
    }
    sub_user_sessions = SubUserSessions(*common, **sign_in)
    owner_sessions = OwnerSessions(*common, **sign_in, links=PostgresConsoleLinks(database))
    open_sessions = OpenSessions(store.sessions, store.clients)
    own_factors, verification = _second_factors(store)
    webhook_recorder = WebhookRecorder(accounts, vault, clock)
    webhook_store = PostgresWebhooks(database, store.webhook_cipher, store.cursors)
    webhook_disabling = WebhookDisabling(webhook_recorder, webhook_store, clock)
    return Commands(
        accounts=Accounts(*common, directory=store.directory),
        sub_users=SubUsers(
            *common,
            open_sessions=open_sessions,
            catalogues=store.catalogues,
            erasure_delay=settings.erasure_delay,
        ),
        sub_user_sessions=sub_user_sessions,
        owner_sessions=owner_sessions,
        own_sub_user_sessions=OwnSessions(sub_user_sessions, open_sessions),
        own_owner_sessions=OwnSessions(owner_sessions, open_sessions),
        password_resets=PasswordResets(sub_user_sessions, owner_sessions, links),
        account_email_changes=AccountEmailChanges(accounts, vault, keyed_hasher, links, clock),
        sub_user_second_factors=own_factors(sub_user_sessions),
        owner_second_factors=own_factors(owner_sessions),
        sub_user_verification=verification(sub_user_sessions),
        owner_verification=verification(owner_sessions),
        second_factor_resets=SecondFactorResets(accounts, vault, keyed_hasher, clock),
        activities=Activities(accounts, vault, clock),
        usage=UsageReports(accounts, vault, PostgresUsageCounts(database), clock),
        webhooks=Webhooks(
            webhook_recorder,
            accounts,
            webhook_store,
            StandardSignatures(),
            settings.webhook_receivers,
            queries.progress,
            clock,
        ),
        webhook_disabling=webhook_disabling,
        api_keys=ApiKeys(accounts, PostgresApiKeys(database), webhook_disabling, new_secret, clock),
        audit_access=AuditAccessRecorder(accounts, vault, clock, max(1, settings.read_threads // 4)),
        erasures=Erasures(accounts, vault, store.legal_holds, keyed_hasher, clock),
        legal_holds=store.legal_holds,
        catalogues=store.catalogues,
        activity_types=ActivityTypeRegistry(accounts, clock),
        roles=Roles(accounts, vault, store.catalogues, clock),
        grants=RoleGrants(accounts, vault, store.grants, store.catalogues, clock),
        access=AccessChecks(accounts, vault, store.grants, store.catalogues, clock, store.cursors),
    )


def _second_factors(store: _Store) -> tuple[partial[OwnSecondFactors], partial[SecondFactorVerification]]:
    """Return the commands on second factors, which lack the sessions of one kind of person."""
    settings = store.settings
    factors, codes = PostgresSecondFactors(store.database), PyotpCodes(settings.public_host)
    passkeys = WebAuthnPasskeys(settings.passkey_host, settings.passkey_origins)
    tools: dict[str, Any] = {
        "store": factors,
        "totp_codes": codes,
        "passkeys": passkeys,
        "challenges": Challenges(factors, passkeys, store.clock),
    }
    return partial(OwnSecondFactors, **tools), partial(SecondFactorVerification, **tools)


def _workers(store: _Store, commands: Commands, queries: Queries, transports: Transports) -> Workers:
    settings, lineage, clock = store.settings, store.lineage, store.clock
    url = settings.database_url or ""
    audit_retention = AuditRetention(settings.audit_retention, clock)
    mail_queue = PostgresMailQueue(store.database)
    views: tuple[Projection, ...] = (
        SubUserProjection(store.vault),
        AuditLogProjection(audit_retention, store.vault),
        UsageProjection(store.mapper),
        MailQueueProjection(store.mapper),
        MerkleLeafProjection(),
    )
    mailer = Mailer(
        store.main_accounts,
        store.vault,
        mail_queue,
        transports.mails,
        clock,
        MailComposer(
            store.main_accounts,
            store.vault,
            mail_queue,
            PostgresMailedLinks(store.database),
            store.clients,
            clock,
            SignInUrls.of_portal(settings.sign_in_url)
            if settings.sign_in_url is not None
            else SignInUrls.of_console(settings.public_url),
            settings.public_host,
        ),
    )
    webhook_deliveries = WebhookDeliveries(
        commands.webhook_disabling,
        PostgresWebhookQueue(store.database, store.webhook_cipher),
        lambda webhook, limit: queries.events.page(webhook.position, limit, _filter_of(webhook)),
        StandardSignatures(),
        transports.webhooks,
        clock,
    )
    return Workers(
        views=views,
        followers=[ProjectionFollower(view, lambda: connect_to_follow(url, lineage), CHANNEL) for view in views],
        publisher=_publisher(store),
        mailer=mailer,
        webhook_deliveries=webhook_deliveries,
        checkpointer=Checkpointer(store.database, lambda: signers(settings), verify_signature, clock),
        audit_retention=audit_retention,
        master_key_rotation=MasterKeyRotation(store.database, store.master_keys),
        filed_mails=None if settings.smtp_url else FiledMailEraser(settings.mail_folder, mail_queue.filter_erased),
        api_key_uses=ApiKeyUses(commands.api_keys.record_use),
    )


def _envelopes(store: _Store) -> Envelopes:
    return Envelopes(store.source, lambda: store.lineage.epoch)


def _stored_source(database: Database) -> str | None:
    with database.get_connection() as connection:
        return installation.source(connection)


def _publisher(store: _Store) -> Publisher | None:
    broker = build_message_broker(store.settings)
    if broker is None:
        return None
    url = store.settings.database_url or ""
    return Publisher(lambda: connect_to_follow(url, store.lineage), CHANNEL, _envelopes(store), broker)


def _filter_of(webhook: Webhook) -> FeedFilter:
    return FeedFilter(frozenset(webhook.event_types) if webhook.event_types is not None else None, webhook.account_id)
