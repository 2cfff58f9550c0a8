"""Comparison of recorded and present responses, with the intended differences and the changes that announce them."""

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
    """A value that differs: the request, the keys that lead to the value, the recorded and the present value."""

    request: str
    keys: tuple[str, ...]
    former: Any
    present: Any

    @property
    def name(self) -> str:
        """The innermost name."""
        return next((key for key in reversed(self.keys) if not key.isdecimal()), "")

    def __str__(self) -> str:
        return f"{self.request} {'/'.join(self.keys)}: {self.former!r} -> {self.present!r}"


@dataclass(frozen=True)
class Intended:
    """A kind of intended difference, and a quotation from the changelog that announces it."""

    announcement: str
    matches: Callable[[Difference], bool]

    @property
    def is_announced(self) -> bool:
        """Whether the changelog has the quotation."""
        return self.announcement in CHANGELOG


def differences(request: str, former: Any, present: Any, keys: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Yield what differs between two JSON values."""
    if isinstance(former, dict) and isinstance(present, dict):
        for key in [*former, *(key for key in present if key not in former)]:
            yield from differences(request, former.get(key, ABSENT), present.get(key, ABSENT), (*keys, key))
    elif isinstance(former, list) and isinstance(present, list) and len(former) == len(present):
        for number, (former_item, present_item) in enumerate(zip(former, present, strict=True)):
            yield from differences(request, former_item, present_item, (*keys, str(number)))
    elif former != present:
        yield Difference(request, keys, former, present)


def unintended(found: Iterable[Difference], intended: Iterable[Intended]) -> tuple[list[str], list[str]]:
    """Return the differences that nothing announces, and the announcements that no difference needs."""
    found, intended = list(found), list(intended)
    unannounced = [str(difference) for difference in found if not any(kind.matches(difference) for kind in intended)]
    unused = [kind.announcement for kind in intended if not any(kind.matches(difference) for difference in found)]
    return unannounced, unused


def is_new_field(*names: str) -> Callable[[Difference], bool]:
    """Return a predicate for fields and headers with one of these names that the former version lacks."""
    return lambda difference: difference.name in names and difference.former == ABSENT


def is_reworded(difference: Difference) -> bool:
    """Return whether a text for people was reworded: of a problem, or of an event in words."""
    texts = isinstance(difference.former, str) and isinstance(difference.present, str)
    for_people = difference.name in {"detail", "message", "in_words"} or "errors" in difference.keys
    return texts and for_people and ABSENT not in {difference.former, difference.present}


def mentions(text: str) -> Callable[[Difference], bool]:
    """Return a predicate for texts that only the present version has."""
    return lambda difference: text in str(difference.present) and text not in str(difference.former)
