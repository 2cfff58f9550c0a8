"""The event-sourced application: it loads main accounts, has them decide, and saves what they decided."""

from __future__ import annotations

import contextlib
import random
import time
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.utils import Environment

from application.consequences import consequences
from application.errors import StoreUnavailable, TooBusy, VersionConflict
from application.turns import Turns
from domain.main_account import MainAccount
from domain.main_account_snapshot import MainAccountSnapshot
from domain.refusals import AccountNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eventsourcing.application import ProcessingEvent
    from eventsourcing.domain import DomainEventProtocol
    from eventsourcing.persistence import InfrastructureFactory, Mapper, StoredEvent
    from eventsourcing.utils import EnvType

    from application.records import Record
    from domain.events import Event

R = TypeVar("R")

ATTEMPTS = 40
"""How often a command is decided anew when another process recorded first. Within one process commands take turns,
so a conflict means that another process won: so many losses in a row mean that something is wrong."""

SNAPSHOT_EVERY = 100
"""Events between snapshots: reading so many takes about as long as the write that every command ends with."""


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What a command came to, and the position in the store at which it can be read."""

    value: R
    position: int | None


Decision = tuple[R, "Sequence[Record]"]


class MainAccounts(Application[UUID]):
    """Every main account there is."""

    name = "subusers"
    is_snapshotting_enabled = True

    def __init__(self, factory: InfrastructureFactory[Any], mapper: Mapper[UUID]) -> None:
        self._given_factory = factory
        self._given_mapper = mapper
        self._turns = Turns()
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Return what little the library is to know: the process's own environment is none of its business."""
        return Environment(name, {"AGGREGATE_CACHE_MAXSIZE": "1000", **(env or {})})

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:  # noqa: ARG002  # it was built outside
        """Return the factory that was handed in."""
        return self._given_factory

    def construct_mapper(self) -> Mapper[UUID]:
        """Return the mapper that was handed in."""
        return self._given_mapper

    def _take_snapshots(self, processing_event: ProcessingEvent[UUID]) -> None:
        """Keep the state of every account that was saved."""
        accounts = [one for one in processing_event.aggregates.values() if isinstance(one, MainAccount)]
        self._keep_state(processing_event.events, accounts)

    def _keep_state(self, decided: Sequence[DomainEventProtocol[UUID]], accounts: Sequence[MainAccount]) -> None:
        """Keep the state every so many events. It only saves time later, so the command stands if this fails."""
        if self.snapshots is None or not any(e.originator_version % SNAPSHOT_EVERY == 0 for e in decided):
            return
        snapshots = [MainAccountSnapshot.take(one) for one in accounts]
        with contextlib.suppress(StoreUnavailable):
            self.snapshots.put(snapshots)

    def load(self, account_id: UUID) -> MainAccount:
        """Return the account as it is now. Raises `AccountNotFound`."""
        with self._turns.of(account_id.int):
            return self._load(account_id)

    def add(self, account: MainAccount, records: Sequence[Record]) -> int | None:
        """Save a new account, and return its position."""
        return self._save(account, records)

    def at_hand(self, account_id: UUID) -> MainAccount | None:
        """Return an account as this process knows it already, if it does: to look at, and maybe out of date."""
        if self.repository.cache is None:
            return None
        with contextlib.suppress(KeyError):
            return cast("MainAccount", self.repository.cache.get(account_id))
        return None

    def brought_up(self, account_id: UUID, newer: Sequence[StoredEvent]) -> MainAccount:
        """Return an account, at hand or not, that has at least these events. Raises `AccountNotFound`."""
        with self._turns.of(account_id.int):
            return self._brought_up(account_id, newer)

    def change(
        self, account_id: UUID, decide: Callable[[MainAccount], Decision[R]], newer: Sequence[StoredEvent] | None = None
    ) -> Outcome[R]:
        """Have an account decide, and save that with the records given; decide anew if another process came first.

        `newer` is what has been read already of what the account has recorded since it was `at_hand`.

        Raises what `decide` raises, `AccountNotFound`, and `TooBusy` after too many conflicts.
        """
        with self._turns.of(account_id.int):
            for attempt in range(ATTEMPTS):
                account = self._brought_up(account_id, newer)
                newer = None
                value, records = decide(account)
                try:
                    return Outcome(value, self._save(account, records))
                except VersionConflict:
                    time.sleep(random.uniform(0, 0.002 * min(attempt, 10)))  # noqa: S311  # spreads rivals, no secret
        raise TooBusy

    def _brought_up(self, account_id: UUID, newer: Sequence[StoredEvent] | None) -> MainAccount:
        return (newer is not None and self._advanced(account_id, newer)) or self._load(account_id)

    def _advanced(self, account_id: UUID, newer: Sequence[StoredEvent]) -> MainAccount | None:
        """Return a copy of the account at hand with these events applied, as far as it has not got them."""
        known = self.at_hand(account_id)
        if known is None:
            return None
        for stored in newer:
            if stored.originator_version == known.version + 1:
                cast("Event", self.mapper.to_domain_event(stored)).mutate(known)
        return deepcopy(known)

    def _load(self, account_id: UUID) -> MainAccount:
        try:
            account: MainAccount = self.repository.get(account_id)
        except AggregateNotFoundError:
            raise AccountNotFound from None
        return account

    def _save(self, account: MainAccount, records: Sequence[Record]) -> int | None:
        """Save what an account has decided, as `save` would, which looks for more than there is here, and at length."""
        decided = account.collect_events()
        stored = [self.mapper.to_stored_event(one) for one in decided]
        positions = self.recorder.insert_events(stored, records=[*consequences(decided), *records])
        self._keep_state(decided, [account])
        if self.repository.cache is not None:
            self.repository.cache.put(account.id, account)  # nobody has it any more who could change it
        return positions[-1] if positions else None
