"""Locates tampering with the history, as exactly as the signed roots and the stored leaves permit.

Only signed roots are authentic. If the events produce the root of a checkpoint, all events in it are unchanged.
Otherwise the first bad event is after the last checkpoint that still matches. If the stored leaves do produce the root,
they are genuine, and the first event that differs from its leaf is the first bad one. If the leaves were rewritten as
well, the first bad event can only be narrowed down to the range between the two checkpoints.

External checkpoints, which were stored outside of this store, take precedence. If they contradict the store's own ones,
the key has signed two histories, and the store's checkpoints are no evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class CannotVerify(Exception):
    """The check is not possible. The message gives the reason."""


@dataclass(frozen=True)
class SignedRoot:
    """Signed root of the first `size` events, up to `position`. `external` marks one from outside of the store.

    If `may_be_lost`, the store has signed that it lost events of this root, so that it need not match.
    """

    size: int
    root: bytes = field(repr=False)
    position: int
    name: str
    external: bool
    may_be_lost: bool = False


@dataclass(frozen=True)
class Difference:
    """First event that differs from its stored leaf. `leaf` is the index of this leaf, from 0."""

    leaf: int
    position: int
    description: str


@dataclass(frozen=True)
class Finding:
    """Result of a check: a fault at a position, or between two positions (inclusive)."""

    first: int
    last: int
    description: str

    def __str__(self) -> str:
        place = f"position {self.first}" if self.first == self.last else f"positions {self.first} to {self.last}"
        return f"{place}: {self.description}"


@dataclass
class Roots:
    """Comparison of signed roots with computed ones: the last good and the first bad one, in total and external.

    `lost` are those of events that the store has lost.
    """

    signed: int = 0
    good: SignedRoot | None = None
    bad: SignedRoot | None = None
    external_good: SignedRoot | None = None
    external_bad: SignedRoot | None = None
    lost: list[SignedRoot] = field(default_factory=list)

    def compare(self, signed: SignedRoot, root: bytes | None) -> None:
        """Compare a signed root with a computed one, None if the tree is smaller. Call in ascending order of size."""
        if signed.may_be_lost and root != signed.root:
            self.lost.append(signed)
            return
        self.signed += 1
        if root == signed.root:
            self.good = signed
            self.external_good = signed if signed.external else self.external_good
        else:
            self.bad = self.bad or signed
            self.external_bad = self.external_bad or (signed if signed.external else None)

    @property
    def is_contradictory(self) -> bool:
        """Whether the roots contradict each other: a good one cannot come after a bad one in one history."""
        return self.good is not None and self.bad is not None and self.good.size >= self.bad.size

    def is_authenticated(self, leaf: int) -> bool:
        """Return whether signed roots authenticate the leaves up to this one."""
        if self.external_bad is not None and (self.is_contradictory or self.external_bad.size <= leaf):
            good = self.external_good
        else:
            good = self.good
        return good is not None and good.size > leaf


def locate_tampering(events: Roots, leaves: Roots, difference: Difference | None) -> Finding | None:
    """Return the first fault in the events, None if there is no evidence of any."""
    if events.bad is None:
        return None if difference is None else _difference_alone(events, difference)
    if difference is not None and leaves.is_authenticated(difference.leaf):
        return Finding(difference.position, difference.position, difference.description)
    if not events.is_contradictory:
        return _between(events.good, events.bad, "the events do not match")
    if events.external_bad is not None:
        description = "the key has signed two histories: that of the store, and that of"
        return _between(events.external_good, events.external_bad, description)
    return Finding(1, events.bad.position, f"the key has also signed another history: {events.bad.name}")


def _between(good: SignedRoot | None, bad: SignedRoot, description: str) -> Finding:
    first = good.position + 1 if good is not None else 1
    return Finding(first, max(bad.position, first), f"{description} {bad.name}")


def _difference_alone(events: Roots, difference: Difference) -> Finding:
    signed = events.good.size if events.good is not None else 0
    if difference.leaf < signed:
        description = (
            f"stored data for proofs was altered, but the events are as they were signed ({difference.description})"
        )
    else:
        description = f"{difference.description}, and no checkpoint has it yet"
    return Finding(difference.position, difference.position, description)
