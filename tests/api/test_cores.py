"""Number of cores that the service may use, which a CPU quota can limit, and number of database connections."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from api.bootstrap import cores
from api.bootstrap.config import COMMAND_CONNECTIONS, EXTRA_WORKER_CONNECTIONS, MIN_DATABASE_CONNECTIONS
from api.bootstrap.cores import available_cores, cpu_quotas

if TYPE_CHECKING:
    from pathlib import Path

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service


def test_cgroup_v2_quotas_include_parent_groups(tmp_path: Path) -> None:
    """`max` means no quota."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/cpu.max").write_text("max 100000\n")
    (tmp_path / "a/cpu.max").write_text("150000 100000\n")
    own_cgroup = tmp_path / "own"
    own_cgroup.write_text("0::/a/b\n")
    assert list(cpu_quotas(tmp_path, own_cgroup)) == [1.5]


def test_cgroup_v1_quotas_ignore_other_controllers(tmp_path: Path) -> None:
    """-1 means no quota."""
    for name, quota in (("a", "50000"), (".", "-1")):
        (tmp_path / "cpu,cpuacct" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "cpu,cpuacct" / name / "cpu.cfs_quota_us").write_text(quota)
        (tmp_path / "cpu,cpuacct" / name / "cpu.cfs_period_us").write_text("100000")
    own_cgroup = tmp_path / "own"
    own_cgroup.write_text("5:memory:/a\n4:cpu,cpuacct:/a\n")
    assert set(cpu_quotas(tmp_path, own_cgroup)) == {0.5}


def test_available_cores_are_between_one_and_the_core_count_of_the_affinity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_cgroup = tmp_path / "own"
    own_cgroup.write_text("0::/\n")
    monkeypatch.setattr(cores, "CGROUPS", tmp_path)
    monkeypatch.setattr(cores, "OWN_CGROUPS", own_cgroup)
    cores_without_quota = available_cores(quota=False)
    assert available_cores() == cores_without_quota
    larger_quota = (cores_without_quota + 1) * 100_000
    for quota, expected in ((1000, 1), (larger_quota, cores_without_quota)):
        (tmp_path / "cpu.max").write_text(f"{quota} 100000")
        assert available_cores() == expected


@pytest.mark.parametrize("core_count", [1, 2, 8, 64])
def test_embedded_database_allows_enough_connections(settings: Settings, core_count: int) -> None:
    settings = replace(settings, server_processes=core_count, cores=core_count)
    of_servers = core_count * (settings.database_connections + 2)  # each has a pool, the event tail, and NOTIFY
    of_workers = settings.database_connections + 16  # a pool, followers, the publisher, and NOTIFY
    assert settings.max_database_connections == max(
        MIN_DATABASE_CONNECTIONS, of_servers + of_workers + COMMAND_CONNECTIONS
    )


def test_worker_may_open_each_connection_outside_the_pool_twice(service: Service) -> None:
    """While it reconnects, PostgreSQL may still hold the previous connection."""
    outside_the_pool = len(service.workers.views) + 2  # the followers, the publisher, and NOTIFY
    assert outside_the_pool * 2 <= EXTRA_WORKER_CONNECTIONS
