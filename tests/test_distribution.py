"""The installed distribution: its command, its package names and its locked dependencies."""

from __future__ import annotations

from importlib.metadata import distribution, entry_points, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.test_layers import LAYERS

LOCK = Path(__file__).parents[1] / "requirements.lock"


@pytest.mark.parametrize("package", LAYERS)
def test_package_belongs_to_this_distribution_alone(package: str) -> None:
    """No dependency installs a top-level package with the name of a layer."""
    assert set(packages_distributions()[package]) == {"subusers"}


def test_subusers_is_the_only_command_and_the_only_plugin() -> None:
    command, plugin = sorted(distribution("subusers").entry_points, key=lambda entry_point: entry_point.group)
    assert (command.group, command.name, command.value) == ("console_scripts", "subusers", "api.cli:main")
    assert command in entry_points(group="console_scripts")
    assert callable(command.load())
    assert (plugin.group, plugin.name, plugin.value) == ("pytest11", "subusers", "subusers.testing.pytest_plugin")


def test_lock_file_satisfies_every_dependency() -> None:
    """Fails if `make lock` was not run after a change of dependencies."""
    pins = [line.split()[0] for line in LOCK.read_text().splitlines() if "==" in line.partition(";")[0]]
    locked = dict(pin.split("==") for pin in pins)
    for requirement in map(Requirement, distribution("subusers").requires or ()):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue  # of an extra
        assert requirement.name in locked, "not locked: make lock"
        assert locked[requirement.name] in requirement.specifier, "locked to another version: make lock"
