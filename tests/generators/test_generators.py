"""Generators take the OpenAPI document, and linters find no error in it.

Each generator reads the document of a running service. Its code compiles, and where a story is given, a client tells it
to the service. Run `make test-generators`, which installs the generators.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.generators.programs import PYTHON, STORIES, node_program, require_installed, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

COMPILER_OPTIONS = (
    *("--strict", "--noUncheckedIndexedAccess", "false", "--skipLibCheck", "--target", "es2022"),
    *("--module", "node16", "--moduleResolution", "node16", "--lib", "es2022,dom,dom.iterable"),
)


def compile_typescript(folder: Path, *files: str) -> None:
    run(folder, node_program("tsc"), *COMPILER_OPTIONS, "--outDir", "compiled", *files)


def test_openapi_python_client(folder: Path, story_arguments: tuple[str, str, str]) -> None:
    """A warning would mean an operation or a schema that is left out."""
    require_installed(PYTHON)
    (folder / "config.yaml").write_text("post_hooks: []\n")
    program = PYTHON.parent / "openapi-python-client"
    options = ("--meta", "none", "--output-path", "generated_client", "--config", "config.yaml", "--fail-on-warning")
    run(folder, program, "generate", "--path", "openapi.json", *options)
    shutil.copy(STORIES / "openapi_python_client_story.py", folder)
    import_all_modules(folder)
    assert run(folder, PYTHON, "openapi_python_client_story.py", *story_arguments) == "done\n"


def test_openapi_generator(folder: Path, story_arguments: tuple[str, str, str]) -> None:
    require_installed(PYTHON, "java")
    options = ("-g", "python", "-o", ".", "--package-name", "generated_client")
    run(folder, PYTHON.parent / "openapi-generator-cli", "generate", "-i", "openapi.json", *options)
    shutil.copy(STORIES / "openapi_generator_story.py", folder)
    import_all_modules(folder)
    assert run(folder, PYTHON, "openapi_generator_story.py", *story_arguments) == "done\n"


def import_all_modules(folder: Path) -> None:
    """Import each module of a generated package, because the clients import some of them only in functions."""
    modules = [
        ".".join(path.relative_to(folder).with_suffix("").parts) for path in folder.glob("generated_client/**/*.py")
    ]
    assert len(modules) > 100
    run(folder, PYTHON, "-c", "\n".join(f"import {module.removesuffix('.__init__')}" for module in modules))


def test_openapi_generator_typescript(folder: Path) -> None:
    require_installed(PYTHON, "java")
    options = ("-g", "typescript-fetch", "-o", "client")
    run(folder, PYTHON.parent / "openapi-generator-cli", "generate", "-i", "openapi.json", *options)
    compile_typescript(folder, "client/index.ts")


def test_openapi_typescript(folder: Path, story_arguments: tuple[str, str, str]) -> None:
    run(folder, node_program("openapi-typescript"), "openapi.json", "--output", "schema.ts")
    shutil.copy(STORIES / "openapi-fetch.ts", folder)
    compile_typescript(folder, "openapi-fetch.ts")
    assert run(folder, "node", "compiled/openapi-fetch.js", *story_arguments) == "done\n"


def test_hey_api(folder: Path, story_arguments: tuple[str, str, str]) -> None:
    options = ("--output", "client", "--client", "@hey-api/client-fetch", "--no-log-file")
    run(folder, node_program("openapi-ts"), "--input", "openapi.json", *options)
    shutil.copy(STORIES / "hey-api.ts", folder)
    compile_typescript(folder, "hey-api.ts")
    assert run(folder, "node", "compiled/hey-api.js", *story_arguments) == "done\n"


def test_orval(folder: Path) -> None:
    options = ("--output", "client.ts", "--client", "fetch")
    run(folder, node_program("orval"), "--input", "openapi.json", *options)
    compile_typescript(folder, "client.ts")


def test_redocly_finds_no_error(folder: Path) -> None:
    run(folder, node_program("redocly"), "lint", "openapi.json", "--extends", "recommended")


def test_spectral_finds_no_error(folder: Path) -> None:
    (folder / "rules.yaml").write_text('extends: ["spectral:oas"]\n')
    run(folder, node_program("spectral"), "lint", "openapi.json", "--ruleset", "rules.yaml", "--fail-severity", "error")
