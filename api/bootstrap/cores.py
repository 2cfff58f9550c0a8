"""Number of cores available to this process, by CPU affinity and the cgroup's CPU quota."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def available_cores(*, quota: bool = True) -> int:
    """Return the number of cores, at least one. A quota of one and a half cores counts as two."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not quota:
        return cores
    limits = list(cpu_quotas(CGROUPS, OWN_CGROUPS))
    return max(1, min(cores, *(math.ceil(limit) for limit in limits))) if limits else cores


def cpu_quotas(root: Path, own: Path) -> Iterator[float]:
    """Yield the quotas, in cores, of the cgroups (version 2 or 1) that this process belongs to."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            yield from _quotas(root, path, _version_2)
        elif "cpu" in controllers.split(","):
            for mount in (root / "cpu", root / "cpu,cpuacct", root / controllers):
                yield from _quotas(mount, path, _version_1)


def _quotas(mount: Path, path: str, read: Callable[[Path], float | None]) -> Iterator[float]:
    """Yield the quotas of a cgroup and its parents. In a container the mount may be the cgroup itself."""
    folder = Path(path.lstrip("/"))
    for part in (folder, *folder.parents):
        with suppress(OSError, ValueError):
            quota = read(mount / part)
            if quota is not None:
                yield quota


def _version_2(folder: Path) -> float | None:
    limit, period = (folder / "cpu.max").read_text().split()
    return None if limit == "max" else int(limit) / int(period)


def _version_1(folder: Path) -> float | None:
    limit = int((folder / "cpu.cfs_quota_us").read_text())
    return limit / int((folder / "cpu.cfs_period_us").read_text()) if limit > 0 else None
