"""Generate `subusers_client/_sync` from `subusers_client/_async`.

Run it after each change of the async code: `.venv/bin/python tools/generate_sync.py`. With `--check` it only
exits 1 if a generated file is stale.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1]
SOURCE = FOLDER / "src" / "subusers_client" / "_async"
TARGET = SOURCE.with_name("_sync")
HEADER = "# Generated from ../_async/{name} by tools/generate_sync.py. Do not edit.\n"

REPLACEMENTS = [
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\b_async\b", "_sync"),
    (r"\banyio\b", "time"),
    (r"\baclose\b", "close"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\baiter_bytes\b", "iter_bytes"),
]


def generate() -> dict[Path, str]:
    """Return the text of each generated file."""
    return {TARGET / source.name: to_sync(source) for source in sorted(SOURCE.glob("*.py"))}


def to_sync(source: Path) -> str:
    """Return the formatted sync text of an async module."""
    text = source.read_text()
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text)
    text = HEADER.format(name=source.name) + text
    name = f"--stdin-filename={TARGET / source.name}"
    text = ruff("check", "--select=I", "--fix-only", "--quiet", name, "-", text=text)
    return ruff("format", "--quiet", name, "-", text=text)


def ruff(*arguments: str, text: str) -> str:
    """Return what ruff makes of a text."""
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=FOLDER).stdout


def main() -> None:
    """Write the files, or check them."""
    files = generate()
    superfluous = set(TARGET.glob("*.py")) - set(files)
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        if stale or superfluous:
            sys.exit(f"stale, run tools/generate_sync.py: {', '.join(path.name for path in [*stale, *superfluous])}")
        return
    TARGET.mkdir(exist_ok=True)
    for path in superfluous:
        path.unlink()
    for path in stale:
        path.write_text(files[path])


if __name__ == "__main__":
    main()
