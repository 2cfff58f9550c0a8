"""Accounts as they were after so many events, kept for a while: a page of a long history need not begin with its first.

Never from snapshots: those are there for speed, and no proof covers them. What an auditor is told comes from events.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from copy import deepcopy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from domain.main_account import MainAccount

KEPT = 64
"""Accounts of usually ten sub-users: some 10 KB each, sealed as they are in the history."""


class Folds:
    """The last ones that were needed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[UUID, int], MainAccount] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, account: MainAccount) -> None:
        """Have an account as it is now be found again."""
        with self._lock:
            self._kept[account.id, account.version] = deepcopy(account)
            self._kept.move_to_end((account.id, account.version))
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def nearest(self, account_id: UUID, version: int) -> MainAccount | None:
        """Return the account as it was after so many events, or the last before that which there is."""
        with self._lock:
            known = [one for one in self._kept if one[0] == account_id and one[1] <= version]
            return deepcopy(self._kept[max(known)]) if known else None
