"""What a benchmark has to say: a line each, ours beside a limit or a peer that was measured in the same runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Line:
    """One line of the table: `ours` and its `limit`, both in `unit`, and the bar that their ratio has to meet.

    `against` says what the limit is. The ratio has to be at least the bar, or where less is better (`at_least` False)
    at most.
    """

    what: str
    ours: float
    unit: str
    against: str
    limit: float
    bar: float
    at_least: bool = True

    @property
    def ratio(self) -> float:
        """Ours as a multiple of the limit."""
        return self.ours / self.limit

    @property
    def met(self) -> bool:
        """Whether the ratio meets the bar."""
        return self.ratio >= self.bar if self.at_least else self.ratio <= self.bar


def median_of(runs: Sequence[Line]) -> Line:
    """Return the line of the run with the median ratio: ours and the limit as they were measured together."""
    return sorted(runs, key=lambda line: line.ratio)[len(runs) // 2]


@dataclass(frozen=True)
class Scale:
    """How much is measured: the full size is what the bars are about, the short one tries every line in minutes."""

    name: str
    runs: int
    seconds: float
    """For which ours, and its limit, are under load in each run."""

    audit_rows: int
    accounts: int
    rebuilt_events: int
    long_history: int
    requests: int
    """Over which a worker's memory is watched; the first tenth is its warm-up."""


FULL = Scale(
    "full",
    runs=5,
    seconds=8,
    audit_rows=10_000_000,
    accounts=100_000,
    rebuilt_events=1_000_000,
    long_history=100_000,
    requests=1_000_000,
)
SHORT = Scale(
    "short",
    runs=3,
    seconds=2.5,
    audit_rows=500_000,
    accounts=5_000,
    rebuilt_events=50_000,
    long_history=5_000,
    requests=50_000,
)
