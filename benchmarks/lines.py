"""Result lines of the benchmarks: our figure, and a limit or a peer measured in the same runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Line:
    """One line of the table: `ours` and its `limit`, both in `unit`, and the `bar` that their ratio must meet.

    `limit_label` describes the limit. The ratio must be at least the bar, or at most the bar if not `is_minimum`.
    """

    label: str
    ours: float
    unit: str
    limit_label: str
    limit: float
    bar: float
    is_minimum: bool = True

    @property
    def ratio(self) -> float:
        """`ours` divided by `limit`."""
        return self.ours / self.limit

    @property
    def is_met(self) -> bool:
        """Whether the ratio meets the bar."""
        return self.ratio >= self.bar if self.is_minimum else self.ratio <= self.bar


def median_of(runs: Sequence[Line]) -> Line:
    """Return the run with the median ratio, so that `ours` and `limit` were measured together."""
    return sorted(runs, key=lambda line: line.ratio)[len(runs) // 2]


@dataclass(frozen=True)
class Scale:
    """Amount of data and load. The bars apply to `FULL`; `SHORT` tries every line within minutes."""

    name: str
    runs: int
    seconds: float
    """Duration of the load in each run, on our service and on the peer each."""

    audit_rows: int
    accounts: int
    rebuilt_events: int
    long_history: int
    grants: int
    requests: int
    """Requests during which a worker's memory is watched. The first tenth is its warm-up."""


FULL = Scale(
    "full",
    runs=5,
    seconds=8,
    audit_rows=10_000_000,
    accounts=100_000,
    rebuilt_events=1_000_000,
    long_history=100_000,
    grants=1_000_000,
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
    grants=100_000,
    requests=50_000,
)
