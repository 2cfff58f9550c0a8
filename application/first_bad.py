"""Where history was rewritten, as exactly as signed roots and kept leaves can tell.

Signed roots alone are certain. Where the events give the root of a checkpoint, all that is in it is as it was; where
they do not, the first bad event stands behind the last checkpoint that is still right. If the kept leaves do give that
root, they are genuine, and the first event that is not what its leaf says is the first bad one, exactly. If somebody
rewrote the leaves as well, nothing is left to tell it by, and the two checkpoints are the bounds.

A checkpoint that was kept elsewhere counts more than those of the store. Where they contradict each other, the key has
signed two histories, and those of the store bound nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class CannotTell(Exception):
    """What was to be checked cannot be; the message says why."""


@dataclass(frozen=True)
class SignedRoot:
    """The root that the events up to a position have to give, so many as `size`."""

    size: int
    root: bytes = field(repr=False)
    position: int
    name: str
    elsewhere: bool


@dataclass(frozen=True)
class Difference:
    """The first event that is not what was kept of it: after so many leaves."""

    leaf: int
    position: int
    what: str


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was: at a position, or between two, both included."""

    first: int
    last: int
    what: str

    def __str__(self) -> str:
        place = f"position {self.first}" if self.first == self.last else f"positions {self.first} to {self.last}"
        return f"{place}: {self.what}"


@dataclass
class Roots:
    """How signed roots compare with what events, or leaves, give: of each kind the last good and the first bad one."""

    signed: int = 0
    good: SignedRoot | None = None
    bad: SignedRoot | None = None
    good_elsewhere: SignedRoot | None = None
    bad_elsewhere: SignedRoot | None = None

    def compare(self, signed: SignedRoot, root: bytes | None) -> None:
        """Take down whether a root is the signed one; None is that of a tree which never grew so far. By size."""
        self.signed += 1
        if root == signed.root:
            self.good = signed
            self.good_elsewhere = signed if signed.elsewhere else self.good_elsewhere
        else:
            self.bad = self.bad or signed
            self.bad_elsewhere = self.bad_elsewhere or (signed if signed.elsewhere else None)

    @property
    def contradict(self) -> bool:
        """Whether two of the roots are not of one history: what is right later cannot have been wrong before."""
        return self.good is not None and self.bad is not None and self.good.size >= self.bad.size

    def vouch_for(self, leaf: int) -> bool:
        """Say whether the leaves up to this one are known to be genuine."""
        if self.bad_elsewhere is not None and (self.contradict or self.bad_elsewhere.size <= leaf):
            good = self.good_elsewhere
        else:
            good = self.good
        return good is not None and good.size > leaf


def first_bad(events: Roots, leaves: Roots, different: Difference | None) -> Finding | None:
    """Say where the events are first not as they were, None if they are not known to be anywhere."""
    if events.bad is None:
        return None if different is None else _difference_alone(events, different)
    if different is not None and leaves.vouch_for(different.leaf):
        return Finding(different.position, different.position, different.what)
    if not events.contradict:
        return _between(events.good, events.bad, "the events are not those of")
    if events.bad_elsewhere is not None:
        what = "the key has signed two histories: that of the store, and that of"
        return _between(events.good_elsewhere, events.bad_elsewhere, what)
    return Finding(1, events.bad.position, f"the key has signed another history, too: {events.bad.name}")


def _between(good: SignedRoot | None, bad: SignedRoot, what: str) -> Finding:
    after = good.position if good is not None else 0
    return Finding(after + 1, max(bad.position, after + 1), f"{what} {bad.name}")


def _difference_alone(events: Roots, different: Difference) -> Finding:
    signed = events.good.size if events.good is not None else 0
    if different.leaf < signed:
        what = f"what was kept for proofs was altered, and the events are as they were signed ({different.what})"
    else:
        what = f"{different.what}, and no checkpoint has it yet"
    return Finding(different.position, different.position, what)
