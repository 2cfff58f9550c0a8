"""Comparison of recorded and current responses, with the intended differences and their lines in the changelog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.deprecated_names import Kind, deprecated_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHANGELOG = " ".join((Path(__file__).parents[2] / "CHANGELOG.md").read_text().split())

ABSENT = "<absent>"


@dataclass(frozen=True)
class Difference:
    """A value that differs: the request, the keys that lead to the value, the recorded and the current value."""

    request: str
    keys: tuple[str, ...]
    former: Any
    current: Any

    @property
    def name(self) -> str:
        """The innermost name."""
        return next((key for key in reversed(self.keys) if not key.isdecimal()), "")

    def __str__(self) -> str:
        return f"{self.request} {'/'.join(self.keys)}: {self.former!r} -> {self.current!r}"


@dataclass(frozen=True)
class IntendedDifference:
    """A kind of intended difference, and a quotation from the changelog that announces it."""

    announcement: str
    matches: Callable[[Difference], bool]

    @property
    def is_announced(self) -> bool:
        """Whether the changelog has the quotation."""
        return self.announcement in CHANGELOG


def differences(request: str, former: Any, current: Any, keys: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Yield the differences between two JSON values."""
    if isinstance(former, dict) and isinstance(current, dict):
        for key in [*former, *(key for key in current if key not in former)]:
            yield from differences(request, former.get(key, ABSENT), current.get(key, ABSENT), (*keys, key))
    elif isinstance(former, list) and isinstance(current, list) and len(former) == len(current):
        for number, (former_item, current_item) in enumerate(zip(former, current, strict=True)):
            yield from differences(request, former_item, current_item, (*keys, str(number)))
    elif former != current:
        yield Difference(request, keys, former, current)


def unintended(
    found_differences: Iterable[Difference], intended: Iterable[IntendedDifference]
) -> tuple[list[str], list[str]]:
    """Return the differences that nothing announces, and the announcements that no difference needs."""
    found_differences, intended = list(found_differences), list(intended)
    unannounced = [
        str(difference) for difference in found_differences if not any(kind.matches(difference) for kind in intended)
    ]
    unused = [
        kind.announcement for kind in intended if not any(kind.matches(difference) for difference in found_differences)
    ]
    return unannounced, unused


def is_new_field(*names: str) -> Callable[[Difference], bool]:
    """Return a predicate for fields and headers with one of these names that the former version lacks."""
    return lambda difference: difference.name in names and difference.former == ABSENT


def is_reworded(difference: Difference) -> bool:
    """Return whether a text for people was reworded: that of a problem, or the description of an event."""
    texts = isinstance(difference.former, str) and isinstance(difference.current, str)
    for_people = difference.name in {"detail", "message", "in_words"} or "errors" in difference.keys
    return texts and for_people and ABSENT not in {difference.former, difference.current}


def mentions(text: str) -> Callable[[Difference], bool]:
    """Return a predicate for texts that only the current version has."""
    return lambda difference: text in str(difference.current) and text not in str(difference.former)


def is_corrected_ocsf_status(difference: Difference) -> bool:
    """Return whether an OCSF event that had the status "Success" has another one."""
    match difference.name, difference.former, difference.current:
        case ("status", "Success", "Unknown" | "Failure") | ("status_id", 1, 0 | 2):
            return True
    return False


def is_reclassified_ocsf_event(difference: Difference) -> bool:
    """Return whether an OCSF event of the class Base Event has the class Entity Management."""
    if difference.name == "entity":
        return bool(difference.former == ABSENT)
    base_event_values = {
        "class_uid": 0,
        "class_name": "Base Event",
        "category_uid": 0,
        "category_name": "Uncategorized",
        "type_uid": 99,
        "activity_id": 99,
    }
    is_named_by_class = str(difference.current) in {"Create", "Read", "Update", "Delete", "Enable", "Disable"}
    is_activity_name = difference.name == "activity_name" and is_named_by_class
    return is_activity_name or base_event_values.get(difference.name, ABSENT) == difference.former


def without_end_line(body: Any) -> Any:
    """Return a body of 0.1.0 without the end line of CSV and OCSF exports, which later versions add only on request."""
    match body:
        case [*lines, {"unmapped": {"end": True}} | {"position": "end"}]:
            return lines
    return body


def renamed_field_differences() -> list[IntendedDifference]:
    """Return the intended differences by the new names of fields. The old names remain, so they do not differ."""
    new_names = [str(deprecated.replacement) for deprecated in deprecated_names(Kind.RESPONSE_FIELD)]
    return [
        IntendedDifference(
            "Names, for one minor version: requests accept the old and the new name", is_new_field(*new_names)
        ),
    ]


def usage_and_feed_differences() -> list[IntendedDifference]:
    """Return the intended differences in usage, feeds and OCSF exports."""
    return [
        IntendedDifference(
            "`conversation_ms` beside `conversation_minutes` in usage reports, usage",
            is_new_field("conversation_ms", "included_ms", "used_ms"),
        ),
        IntendedDifference("`has_more` in the pages of feeds.", is_new_field("has_more")),
        IntendedDifference(
            "The CloudEvents extensions `partitionkey` and `sequence` in events and checkpoints.",
            is_new_field("sequence", "partitionkey"),
        ),
        IntendedDifference(
            "OCSF exports: events that were Base Event (0) are Entity Management (3004)", is_reclassified_ocsf_event
        ),
    ]
