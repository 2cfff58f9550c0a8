"""The pytest plugin in projects of portals, and the example of docs/portal.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

UNUSED = """
import sys

import subusers.testing

def test_nothing_is_imported_for_tests_that_do_not_use_it():
    ours = {"adapters", "api", "application", "domain", "projections"}
    assert {name.partition(".")[0] for name in sys.modules} & ours == set()
    assert "subusers.testing.pytest_plugin" in sys.modules
    assert "subusers.testing.hosting" not in sys.modules
"""

WITH_PACKAGES_OF_THE_SAME_NAMES = """
import api

def test_packages_of_the_same_names(subusers_service):
    assert api.NAME == "the portal's"
    assert subusers_service.request("GET", "/v1/accounts")["items"] == []
"""


def run_pytest(folder: Path, *python_path: Path) -> subprocess.CompletedProcess[str]:
    """Run the tests in a folder as a project of its own, with all warnings as errors."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, python_path))}
    for name in [name for name in environment if name.startswith(("PYTEST_", "COV_", "COVERAGE_"))]:
        del environment[name]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:schemathesis", "-W", "error"]
    return subprocess.run(
        [*command, f"--rootdir={folder}", folder],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def test_the_plugin_imports_nothing_for_other_tests(tmp_path: Path) -> None:
    (tmp_path / "test_portal.py").write_text(UNUSED)
    completed = run_pytest(tmp_path)
    assert completed.returncode == 0, completed.stdout + completed.stderr


def test_a_portal_may_have_packages_of_the_same_names(tmp_path: Path) -> None:
    for package in ("api", "domain", "application"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text('NAME = "the portal\'s"\n')
    (tmp_path / "test_portal.py").write_text(WITH_PACKAGES_OF_THE_SAME_NAMES)
    completed = run_pytest(tmp_path, tmp_path)
    assert completed.returncode == 0, completed.stdout + completed.stderr


def test_the_documented_example_passes(tmp_path: Path) -> None:
    """It tests the Flask portal of the examples."""
    (section,) = re.findall(r"\n## Test your portal\n(.*?)\n## ", (ROOT / "docs/portal.md").read_text(), re.DOTALL)
    files = re.findall(r"\n`(\w+\.py)`:\n\n```python\n(.*?)```", section, re.DOTALL)
    assert [name for name, _ in files] == ["conftest.py", "test_sign_in.py"]
    for name, text in files:
        (tmp_path / name).write_text(text)
    completed = run_pytest(tmp_path, ROOT / "examples/flask_portal", ROOT / "clients/python/src")
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert f" {files[1][1].count('def test_')} passed" in completed.stdout
