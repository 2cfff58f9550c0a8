"""Filters of the audit log, and their conditions in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import LiteralString
    from uuid import UUID

    from domain.event_metadata import ActorType
    from projections.audit_log.target_search import TextMatches


class Order(StrEnum):
    """Order of rows, newest first. Positions follow the time of recording: reports of the portal may come late."""

    POSITION = "position"
    OCCURRED_AT = "occurred_at"


@dataclass(frozen=True)
class AuditFilter:
    """Which rows to read, from `since` on and before `until`, and in which order. None, or no actions, means no limit.

    `text` is part of the target of an activity or of the name of its sub-user.
    """

    sub_user_id: UUID | None = None
    actions: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    actor_type: ActorType | None = None
    actor_id: str | None = None
    excluded_actions: tuple[str, ...] = ()
    text: str | None = None
    order: Order = Order.POSITION
    matches: TextMatches | None = None
    """What the text was found in. The queries find it themselves unless it is set."""

    def cursor_scope(self, account_id: UUID) -> list[str]:
        """Return the values that a cursor of this list is bound to."""
        return [str(account_id), *(str(value) for name, value in vars(self).items() if name != "matches")]


@dataclass(frozen=True)
class Conditions:
    """Conditions on rows of `audit_view AS a`, and their parameters."""

    where: sql.Composable
    parameters: Mapping[str, Any]

    def and_also(self, condition: LiteralString, **parameters: Any) -> Conditions:
        """Return these conditions and another one, which must be a constant."""
        where = sql.SQL(" AND ").join([self.where, sql.SQL(condition)])
        return Conditions(where, {**self.parameters, **parameters})


def conditions(account_id: UUID, audit_filter: AuditFilter) -> Conditions:
    """Return the conditions of a filter whose text has been searched for."""
    matches = audit_filter.matches
    where = [sql.SQL("a.account_id = %(account_id)s")]
    if audit_filter.sub_user_id is not None:
        where.append(sql.SQL("a.sub_user_id = %(sub_user_id)s"))
    if len(audit_filter.actions) == 1:
        where.append(sql.SQL("a.action = %(action)s"))  # the index has the rows of one action in their order
    elif audit_filter.actions:
        where.append(sql.SQL("a.action = ANY(%(actions)s)"))
    if audit_filter.excluded_actions:
        where.append(sql.SQL("a.action <> ALL(%(excluded_actions)s)"))
    if audit_filter.actor_type is not None:
        where.append(sql.SQL("a.actor_type = %(actor_type)s"))
    if audit_filter.actor_id is not None:
        where.append(sql.SQL("a.actor_id = %(actor_id)s"))
    if audit_filter.since is not None:
        where.append(sql.SQL("a.occurred_at >= %(since)s"))
    if audit_filter.until is not None:
        where.append(sql.SQL("a.occurred_at < %(until)s"))
    if matches is not None:
        where.append(sql.SQL("(a.target_key = ANY(%(target_keys)s) OR a.sub_user_id = ANY(%(named_ids)s))"))
    parameters = {
        **vars(audit_filter),
        "actions": list(audit_filter.actions),
        "excluded_actions": list(audit_filter.excluded_actions),
        "action": next(iter(audit_filter.actions), None),
        "account_id": account_id,
        "target_keys": list(matches.target_keys) if matches is not None else [],
        "named_ids": list(matches.sub_user_ids) if matches is not None else [],
    }
    return Conditions(sql.SQL(" AND ").join(where), parameters)
