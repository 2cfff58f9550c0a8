"""Cache of accounts at past versions, so that a page of a long history need not replay it from the first event.

It is filled from events, never from snapshots: a snapshot is only an optimization, and no inclusion proof covers it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from copy import deepcopy
from operator import itemgetter
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from domain.main_account import MainAccount

MAX_ENTRIES = 64
"""An account with ten sub-users takes about 10 KB. Its personal data is encrypted."""


Key = tuple[UUID, UUID | None, int]
"""Account, sub-user and version. With a sub-user, the account lacks the last logins and mails of the others."""


class AggregateCache:
    """LRU cache of accounts by version. Accounts are copied in and out."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[Key, MainAccount] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, account: MainAccount, sub_user_id: UUID | None = None) -> None:
        """Store a copy of the account in its current state."""
        key = (account.id, sub_user_id, account.version)
        with self._lock:
            self._accounts[key] = deepcopy(account)
            self._accounts.move_to_end(key)
            if len(self._accounts) > MAX_ENTRIES:
                self._accounts.popitem(last=False)

    def nearest(self, account_id: UUID, version: int, sub_user_id: UUID | None = None) -> MainAccount | None:
        """Return the account at the newest cached version that is not after `version`, or None."""
        with self._lock:
            candidates = [key for key in self._accounts if key[:2] == (account_id, sub_user_id) and key[2] <= version]
            return deepcopy(self._accounts[max(candidates, key=itemgetter(2))]) if candidates else None
