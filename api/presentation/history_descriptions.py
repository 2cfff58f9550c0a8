"""History entries for output, shared by the HTTP API and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.presentation.event_descriptions import EventDescriptions

if TYPE_CHECKING:
    from application.commands.activity_types import ActivityTypes
    from projections.history.reader import HistoryEntry


def describe_entry(entry: HistoryEntry, activity_types: ActivityTypes) -> str:
    """Return a one-sentence description in English, with the sub-user's name at the time of the event."""
    name_by_id = {str(entry.row.sub_user_id): entry.subject_name} if entry.subject_name is not None else {}
    return EventDescriptions(activity_types=activity_types).describe(entry.row, name_by_id)


def history_entry_fields(entry: HistoryEntry, activity_types: ActivityTypes) -> dict[str, Any]:
    """Return the values of an entry for the schema `HistoryEntryAnswer`, which selects and renames them."""
    return {**vars(entry.row), **vars(entry), "in_words": describe_entry(entry, activity_types)}
