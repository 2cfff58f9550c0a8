"""A history in words and data, as it leaves the service: the same over HTTP and on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.action_words import ActionWords

if TYPE_CHECKING:
    from projections.history_walk import HistoryEntry


def in_words(entry: HistoryEntry) -> str:
    """Return what happened, as one sentence, with the names of then."""
    names = {str(entry.row.sub_user_id): entry.whom} if entry.whom is not None else {}
    return ActionWords(names=names).sentence(entry.row)


def told(entry: HistoryEntry) -> dict[str, Any]:
    """Return all that is told of an entry, by the names that it goes by outside."""
    return {**vars(entry.row), **vars(entry), "in_words": in_words(entry)}
