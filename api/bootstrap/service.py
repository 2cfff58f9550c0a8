"""The service: its commands, queries and workers, and what they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapters.mail.branding import Branding
from adapters.mail.mailbox import FiledMail, Mailbox
from adapters.postgres.maintenance import database_role
from adapters.postgres.maintenance.housekeeping import delete_expired
from projections.runtime.rebuild import drop_abandoned

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from adapters.keyed_hashes import HmacHasher
    from adapters.mail.filed_mail_eraser import FiledMailEraser
    from adapters.postgres.clock import DatabaseClock
    from adapters.postgres.database import Database
    from adapters.postgres.event_store.lineage import Lineage
    from adapters.postgres.maintenance.master_key_rotation import MasterKeyRotation
    from adapters.postgres.signals import Signals
    from adapters.postgres.tables.account_directory import PostgresAccountDirectory
    from adapters.postgres.tables.api_key_uses import ApiKeyUses
    from adapters.postgres.tables.legal_holds import PostgresLegalHolds
    from adapters.postgres.tables.sessions import PostgresSessions
    from adapters.postgres.tables.vault import PostgresVault
    from api.bootstrap.config import Settings
    from application.commands.access_control import AccessChecks, PermissionCatalogues, RoleGrants, Roles
    from application.commands.accounts import Accounts
    from application.commands.activities import Activities
    from application.commands.activity_types import ActivityTypeRegistry
    from application.commands.api_keys import ApiKeys
    from application.commands.audit_access import AuditAccessRecorder
    from application.commands.second_factors import SecondFactorResets
    from application.commands.sub_users import SubUsers
    from application.commands.usage import UsageReports
    from application.commands.webhooks import WebhookDisabling, Webhooks
    from application.ports.clock import Clock
    from application.ports.idempotent_responses import IdempotentResponses
    from application.ports.sign_in.client_details import ClientDescriber
    from application.ports.vault import PersonKey
    from application.repository import MainAccounts
    from application.sign_in.account_email_changes import AccountEmailChanges
    from application.sign_in.own_sessions import OwnSessions
    from application.sign_in.owner_sign_in import OwnerSessions
    from application.sign_in.password_resets import PasswordResets
    from application.sign_in.second_factors.own_second_factors import OwnSecondFactors
    from application.sign_in.second_factors.verification import SecondFactorVerification
    from application.sign_in.sub_user_sign_in import SubUserSessions
    from application.workers.erasure import Erasures
    from application.workers.mailer import Mailer
    from application.workers.webhook_deliveries import WebhookDeliveries
    from projections.audit_log.counts import AuditCounts
    from projections.audit_log.queries import AuditQueries
    from projections.audit_log.retention import AuditRetention
    from projections.feed.pages import EventFeed
    from projections.feed.publisher import Publisher
    from projections.feed.tail import EventTail
    from projections.history.exports import Exports
    from projections.history.past_access import PastAccess
    from projections.history.personal_data import PersonalData
    from projections.history.queries import History
    from projections.runtime.progress import Progress
    from projections.runtime.projection_follower import Projection, ProjectionFollower
    from projections.sub_users.queries import SubUserQueries
    from projections.transparency.checkpointer import Checkpointer
    from projections.transparency.checkpoints import Checkpoints
    from projections.transparency.proofs import Proofs
    from projections.usage.queries import UsageQueries


__all__ = ["Branding", "Commands", "FiledMail", "Mailbox", "Queries", "Service", "Workers"]


@dataclass(frozen=True)
class Commands:
    """Everything that records events."""

    accounts: Accounts
    sub_users: SubUsers
    sub_user_sessions: SubUserSessions
    owner_sessions: OwnerSessions
    own_sub_user_sessions: OwnSessions
    own_owner_sessions: OwnSessions
    password_resets: PasswordResets
    sub_user_second_factors: OwnSecondFactors
    owner_second_factors: OwnSecondFactors
    sub_user_verification: SecondFactorVerification
    owner_verification: SecondFactorVerification
    second_factor_resets: SecondFactorResets
    account_email_changes: AccountEmailChanges
    activities: Activities
    usage: UsageReports
    webhooks: Webhooks
    webhook_disabling: WebhookDisabling
    api_keys: ApiKeys
    audit_access: AuditAccessRecorder
    erasures: Erasures
    legal_holds: PostgresLegalHolds
    catalogues: PermissionCatalogues
    activity_types: ActivityTypeRegistry
    roles: Roles
    grants: RoleGrants
    access: AccessChecks


@dataclass(frozen=True)
class Queries:
    """Everything that only reads."""

    sub_users: SubUserQueries
    audit_log: AuditQueries
    audit_counts: AuditCounts
    history: History
    past_access: PastAccess
    exports: Exports
    personal_data: PersonalData
    usage: UsageQueries
    events: EventFeed
    event_tail: EventTail
    progress: Progress
    checkpoints: Checkpoints
    proofs: Proofs
    sessions: PostgresSessions
    idempotent_responses: IdempotentResponses


@dataclass(frozen=True)
class Workers:
    """Background work of `subusers work` and of maintenance commands."""

    views: Sequence[Projection]
    followers: Sequence[ProjectionFollower]
    publisher: Publisher | None
    mailer: Mailer
    webhook_deliveries: WebhookDeliveries
    checkpointer: Checkpointer
    audit_retention: AuditRetention
    master_key_rotation: MasterKeyRotation
    filed_mails: FiledMailEraser | None
    api_key_uses: ApiKeyUses


@dataclass(frozen=True)
class Service:
    """The service, as HTTP, console, command line and workers use it."""

    settings: Settings
    clock: Clock
    database_clock: DatabaseClock
    database: Database
    lineage: Lineage
    signals: Signals
    source: str
    """The attribute `source` of published events."""

    main_accounts: MainAccounts
    account_directory: PostgresAccountDirectory
    keyed_hasher: HmacHasher
    vault: PostgresVault
    clients: ClientDescriber
    commands: Commands
    queries: Queries
    workers: Workers
    mailbox: Mailbox | None
    """Mails that were written as files; None with a mail server or with the operator's own database."""

    demo_account_id: UUID | None
    """Id of the demo account, which only exists with embedded PostgreSQL."""

    def delete_expired(self) -> int:
        """Delete a batch of expired rows, and return their number.

        Nothing is deleted while the clocks of this host and the database differ, because either may be wrong.
        """
        if not self.clocks_agree():
            return 0
        with self.database.get_connection() as connection:
            drop_abandoned([view for view in self.workers.views if view.tables], connection)
        disabled = self.commands.webhook_disabling.disable_webhooks_of_ended_keys()
        return disabled + delete_expired(self.database, self.clock()) + self.workers.audit_retention.step(self.database)

    def delete_mails_of_erased(self) -> int:
        """Delete the files of mails to erased people, and return their number."""
        return self.workers.filed_mails.delete_erased() if self.workers.filed_mails is not None else 0

    def clocks_agree(self) -> bool:
        """Measure the database's clock, and return whether this host's agrees with it."""
        with self.database.get_connection() as connection:
            self.database_clock.measure(connection)
        return not self.database_clock.is_skewed

    def check_store(self) -> None:
        """Compare the store with the lineage that this process knows. Raises `StoreUnavailable`."""
        with self.database.get_connection() as connection:
            self.lineage.check(connection)

    def warnings(self) -> list[str]:
        """Return warnings for the operator about faults that do not stop requests."""
        warnings = []
        store = self.queries.progress.store()
        if store is not None and store.has_unaccepted_loss:
            warnings.append(
                f"the store has gone back: it had reached position {store.lost_position} before; see "
                "docs/operating.md#recover-from-lost-history"
            )
        if self.database_clock.is_skewed:
            skew = self.database_clock.skew_seconds
            warnings.append(f"the clock of this host is {skew:+.0f} s off the database's: expired data is not deleted")
        return warnings

    def accept_lost_history(self) -> bool:
        """Allow checkpoints again after the store has gone back. Return whether a loss was pending."""
        with self.database.get_connection() as connection:
            return self.lineage.accept_loss(connection)

    def may_alter_history(self) -> bool:
        """Return whether the database role of this process could change or delete events."""
        with self.database.get_connection() as connection:
            return database_role.may_alter_history(connection, connection.info.user)

    def person_key(self, person_id: Any) -> PersonKey | None:
        """Return a person's key, None if they were erased."""
        entry = self.vault.entries([person_id]).get(person_id)
        return entry.key if entry is not None else None

    def find_account_id(self, email: str) -> UUID | None:
        """Return the id of the open account with this e-mail, which can be a former one; None if there is none."""
        return self.account_directory.find_account_id(self.keyed_hasher.email(email), self.clock())

    def close(self) -> None:
        """Close every connection."""
        self.workers.api_key_uses.close()
        self.signals.close()
        self.main_accounts.close()
