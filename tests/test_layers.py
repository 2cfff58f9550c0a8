"""Rules of the layers that import-linter cannot express; its contracts are in setup.cfg."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
LAYERS = ("domain", "application", "projections", "adapters", "api", "subusers")
MODULES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))

MAX_MODULES = 14

ALLOWED_IN = {
    "domain": {"domain", "eventsourcing.domain", "eventsourcing.utils"},
    "application": {"domain", "application", "eventsourcing"},
}
"""Packages that a layer may import besides the standard library, including everything in them."""

MAY_READ_ENVIRONMENT = {
    "api/bootstrap/config.py",
    "subusers/testing/service.py",  # passes the environment on to another process
}
"""Modules that may read environment variables. Give the reason for any exception."""

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


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_modules(tree: ast.Module) -> Iterator[str]:
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


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.relative_to(ROOT).parts[0] in ALLOWED_IN], ids=module_name
)
def test_inner_layers_import_only_what_is_allowed(path: Path) -> None:
    """Domain and application import the standard library, eventsourcing and inner layers only."""
    allowed = ALLOWED_IN[path.relative_to(ROOT).parts[0]]
    for module in imported_modules(ast.parse(path.read_text())):
        parts = module.split(".")
        prefixes = {".".join(parts[: length + 1]) for length in range(len(parts))}
        assert parts[0] in sys.stdlib_module_names or prefixes & allowed, f"{module_name(path)} imports {module}"


def test_environment_is_read_in_one_place() -> None:
    """Only api/bootstrap/config.py reads environment variables, so that everything else accepts any settings."""
    readers = [path for path in MODULES if any(map(reads_environment, ast.walk(ast.parse(path.read_text()))))]
    assert {path.relative_to(ROOT).as_posix() for path in readers} <= MAY_READ_ENVIRONMENT


def test_imports_have_no_side_effects() -> None:
    """Importing any module writes no file, opens no connection, and starts no process or thread."""
    modules = [module_name(path) for path in MODULES if path.stem != "__main__"]
    completed = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_EVERYTHING, *modules], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr


def test_no_folder_has_too_many_modules() -> None:
    """A reader can take in a folder at a glance. Resources of the API have a folder each."""
    modules = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    assert modules
    assert {str(folder.relative_to(ROOT)): count for folder, count in modules.items() if count > MAX_MODULES} == {}
