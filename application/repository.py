"""Repository of main accounts: loads an account, lets it decide, and saves its events with other writes."""

from __future__ import annotations

import contextlib
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.utils import Environment

from application.contact_history import contacts_from
from application.errors import StoreUnavailable, TooBusy, VersionConflict
from application.keyed_locks import KeyedLocks
from application.side_effects import side_effects_of
from domain.main_account import MainAccount
from domain.refusals import AccountNotFound, Refusal
from domain.snapshot import MainAccountSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from eventsourcing.application import ProcessingEvent
    from eventsourcing.domain import DomainEventProtocol
    from eventsourcing.persistence import InfrastructureFactory, Mapper, StoredEvent
    from eventsourcing.utils import EnvType

    from application.contact_history import Contact
    from application.ports.account_streams import AccountStreams
    from application.transactional_writes import TransactionalWrite
    from domain.events import Event

R = TypeVar("R")

ATTEMPTS = 40
"""Maximum attempts of a command after version conflicts. Commands on one account are serialized within a process, so
each conflict is with another process, and this many in a row indicate a defect."""

SNAPSHOT_EVERY = 20
"""Events between snapshots. Accounts are not cached, so each command reads the latest snapshot and all later events.
Reading ten events, the average, takes half as long as writing one."""


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """Result of a command, and the position of its last event, None if it recorded none."""

    value: R
    position: int | None


Decision = tuple[R, "Sequence[TransactionalWrite]"]
"""Result of a command, and the writes to commit with its events."""


class MainAccounts(Application[UUID]):
    """Repository of all main accounts."""

    name = "subusers"
    is_snapshotting_enabled = True

    def __init__(self, factory: InfrastructureFactory[Any], mapper: Mapper[UUID], streams: AccountStreams) -> None:
        self._injected_factory = factory
        self._injected_mapper = mapper
        self._streams = streams
        self._locks = KeyedLocks()
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Return an environment without the process's variables, so that they do not configure the library."""
        return Environment(name, env)

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:  # noqa: ARG002  # it is injected
        """Return the injected factory."""
        return self._injected_factory

    def construct_mapper(self) -> Mapper[UUID]:
        """Return the injected mapper."""
        return self._injected_mapper

    def _take_snapshots(self, processing_event: ProcessingEvent[UUID]) -> None:  # called by the library's `save`
        accounts = [
            aggregate for aggregate in processing_event.aggregates.values() if isinstance(aggregate, MainAccount)
        ]
        self._store_snapshots(processing_event.events, accounts)

    def _store_snapshots(self, events: Sequence[DomainEventProtocol[UUID]], accounts: Sequence[MainAccount]) -> None:
        """Store a snapshot after every `SNAPSHOT_EVERY` events. The command succeeds even if this fails."""
        if self.snapshots is None or not any(event.originator_version % SNAPSHOT_EVERY == 0 for event in events):
            return
        snapshots = [MainAccountSnapshot.take(account) for account in accounts]
        with contextlib.suppress(StoreUnavailable):
            self.snapshots.put(snapshots)

    def load(self, account_id: UUID) -> MainAccount:
        """Return the current version of an account. Raises `AccountNotFound`."""
        return self._account_of(self._streams.read(account_id))

    def load_by_email(self, email_hash: str, now: datetime) -> MainAccount:
        """Return the account with an e-mail, or with a former one that still works. Raises `AccountNotFound`."""
        return self._account_of(self._streams.read_by_email(email_hash, now))

    def _account_of(self, stored_events: Sequence[StoredEvent]) -> MainAccount:
        events = self._read(stored_events)
        first = next(events, None)
        if first is None:
            raise AccountNotFound
        if isinstance(first, MainAccountSnapshot) and first.is_outdated:
            events = self._read(self._streams.read_from_beginning(first.originator_id))
            first = next(events)
        account = cast("MainAccount", first.mutate(None))
        for event in events:
            event.mutate(cast("Any", account))
        return account

    def _read(self, stored_events: Iterable[StoredEvent]) -> Iterator[Event | MainAccountSnapshot]:
        return cast("Iterator[Event | MainAccountSnapshot]", map(self.mapper.to_domain_event, stored_events))

    def event(self, account_id: UUID, version: int) -> Event:
        """Return the event of an account with a version, which must exist."""
        return cast("Event", self.mapper.to_domain_event(self._streams.read_event(account_id, version)))

    def contacts(self, account_id: UUID, sub_user_id: UUID) -> list[Contact]:
        """Return the e-mails and names that a sub-user has had, oldest first."""
        return contacts_from(self._read(self._streams.read_contacts(account_id, sub_user_id)))

    def add(self, account: MainAccount, writes: Sequence[TransactionalWrite]) -> int | None:
        """Save a new account together with other writes, and return the position of its last event."""
        return self._save(account, writes)

    def change(
        self, account_id: UUID, decide: Callable[[MainAccount], Decision[R]], *, loaded: MainAccount | None = None
    ) -> Outcome[R]:
        """Let `decide` change an account, and save its events with the writes that `decide` returns.

        After a conflict with another process, load the account again and call `decide` again. `loaded` is the account
        if the caller has already loaded it. It may be outdated: appending events detects that, and a refusal or a
        decision without events is repeated on the current version.

        Raises the refusals of `decide`, `AccountNotFound`, and `TooBusy` after too many conflicts.
        """
        with self._locks.hold(account_id):
            for attempt in range(ATTEMPTS):
                account = loaded if loaded is not None and attempt == 0 else self.load(account_id)
                try:
                    value, writes = decide(account)
                except Refusal:
                    if account is loaded:
                        continue
                    raise
                if account is loaded and not account.pending_events:
                    continue
                try:
                    return Outcome(value, self._save(account, writes))
                except VersionConflict:
                    time.sleep(random.uniform(0, 0.002 * min(attempt, 10)))  # noqa: S311  # spreads retries; not a secret
        raise TooBusy

    def save_together(
        self,
        events: Sequence[DomainEventProtocol[UUID]],
        accounts: Sequence[MainAccount],
        writes: Sequence[TransactionalWrite],
    ) -> int | None:
        """Save events of other streams, the pending events of accounts, and other writes in one transaction.

        Return the position of the last event. Raises `VersionConflict`: the caller decides again. The library's `save`
        does the same with more overhead, and without the side effects of the events.
        """
        all_events = [*events, *(event for account in accounts for event in account.collect_events())]
        stored_events = [self.mapper.to_stored_event(event) for event in all_events]
        positions = self.recorder.insert_events(stored_events, writes=[*side_effects_of(all_events), *writes])
        self._store_snapshots(all_events, accounts)
        return positions[-1] if positions else None

    def _save(self, account: MainAccount, writes: Sequence[TransactionalWrite]) -> int | None:
        return self.save_together([], [account], writes)
