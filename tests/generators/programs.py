"""Programs that others wrote, installed in this folder, and scripts that use them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
STORIES = HERE / "stories"
NODE_MODULES = HERE / "node_modules"
PYTHON = HERE / ".venv" / "bin" / "python"


def require_installed(*paths: Path | str) -> None:
    """Skip the test without these files and programs; in CI, where all must be installed, fail it."""
    missing = [str(path) for path in paths if shutil.which(path) is None and not Path(path).exists()]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"CI needs {', '.join(missing)}")
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: make test-generators")


def run(folder: Path, *command: Path | str) -> str:
    """Run a command in a folder, and return its output. Fails the test if the command fails."""
    completed = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, "CI": "true", "REDOCLY_TELEMETRY": "off", "ORVAL_TELEMETRY_DISABLED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout[-8000:]
    return completed.stdout


def node_program(name: str) -> Path:
    path = NODE_MODULES / ".bin" / name
    require_installed("node", path)
    return path


def run_script(folder: Path, name: str, *arguments: Path | str) -> str:
    """Run a script of `stories/` with Python or Node, and return its output. Fails the test if the script fails."""
    interpreter = PYTHON if name.endswith(".py") else "node"
    require_installed(interpreter, NODE_MODULES)
    shutil.copy(STORIES / name, folder)
    return run(folder, interpreter, name, *arguments)
