"""The sub-users who have a role, for the pages that change or delete it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.console.current_user import visitor
from api.http.authentication import service
from domain.refusals import SubUserNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from application.commands.access_control import RoleDetails
    from application.commands.resources import SubUserDetails

SHOWN_HOLDERS = 20


@dataclass(frozen=True)
class Holders:
    """The first sub-users who have a role, and the number of the others."""

    first: Sequence[SubUserDetails]
    more: int


NO_HOLDERS = Holders((), 0)


def holders_of(role: RoleDetails) -> Holders:
    """Return the sub-users who have a role, oldest first."""
    sub_user_ids = service().commands.roles.holders(visitor().account_id, role.role_id)
    first = []
    for sub_user_id in sub_user_ids[:SHOWN_HOLDERS]:
        with suppress(SubUserNotFound):  # deleted in the meantime
            first.append(service().queries.sub_users.sub_user(visitor().account_id, sub_user_id))
    return Holders(first, len(sub_user_ids[SHOWN_HOLDERS:]))
