"""Comparison of recorded and current responses, with the intended differences and their lines in the changelog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
