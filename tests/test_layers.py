"""The rules of the layers that import-linter cannot express; its own are in setup.cfg."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
LAYERS = ("domain", "application", "projections", "adapters", "api")
MODULES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))

ALLOWED_IN = {
    "domain": {"domain", "eventsourcing.domain", "eventsourcing.utils"},
    "application": {"domain", "application", "eventsourcing"},
}
"""What a layer may import beside the standard library: a package's name stands for everything in it."""

READERS_OF_THE_ENVIRONMENT = {"api/config.py"}
"""An exception goes here, with its reason beside it."""

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}

IMPORT_EVERYTHING = """
import importlib, sys, threading

FORBIDDEN = {"os.fork", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.rename", "os.system"}
FORBIDDEN |= {"signal.signal", "socket.bind", "socket.connect", "subprocess.Popen"}

def watch(event, args):
    if event in FORBIDDEN or (event == "open" and set(str(args[1])) & set("wax+")):
        raise RuntimeError(f"an import caused {event} {args[:1]}")

sys.addaudithook(watch)
for module in sys.argv[1:]:
    importlib.import_module(module)
if threading.active_count() > 1:
    raise RuntimeError(f"an import started {threading.enumerate()}")
"""


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


def reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in ENVIRONMENT
    return isinstance(node, ast.ImportFrom) and node.module == "os" and any(a.name in ENVIRONMENT for a in node.names)


@pytest.mark.parametrize("path", [path for path in MODULES if path.relative_to(ROOT).parts[0] in ALLOWED_IN], ids=name)
def test_inner_layers_import_only_what_is_allowed(path: Path) -> None:
    """The domain and the application know the standard library, themselves and eventsourcing, and nothing else."""
    allowed = ALLOWED_IN[path.relative_to(ROOT).parts[0]]
    for module in imported(ast.parse(path.read_text())):
        parts = module.split(".")
        prefixes = {".".join(parts[: length + 1]) for length in range(len(parts))}
        assert parts[0] in sys.stdlib_module_names or prefixes & allowed, f"{name(path)} imports {module}"


def test_environment_is_read_in_one_place() -> None:
    """Settings come in through api/config.py, so that everything else can be run with any."""
    readers = [path for path in MODULES if any(map(reads_environment, ast.walk(ast.parse(path.read_text()))))]
    assert {path.relative_to(ROOT).as_posix() for path in readers} <= READERS_OF_THE_ENVIRONMENT


def test_imports_do_nothing() -> None:
    """Importing every module opens no file to write, no connection, no process and no thread."""
    modules = [name(path) for path in MODULES if path.stem != "__main__"]
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_EVERYTHING, *modules], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
