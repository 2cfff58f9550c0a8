"""The JSON Schemas of events as consumers were given them, pinned in the file beside this one.

`.venv/bin/python -m tests.projections.published_schemas` pins what there is now, unless it would break a promise.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from projections.published_events import CATALOG, Envelopes

FILE = Path(__file__).with_suffix(".json")
ANNOTATIONS = {"title", "description", "examples"}
SOURCE = "https://subusers.example"


def pinned() -> dict[str, Any]:
    """Return the schemas that were pinned, by type."""
    schemas: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return schemas


def present() -> dict[str, Any]:
    """Return the schemas that there are now, by type."""
    envelopes = Envelopes(SOURCE)
    return {kind.type: envelopes.schema(kind) for kind in CATALOG}


def broken_promises(before: dict[str, Any], now: dict[str, Any], where: str = "") -> list[str]:
    """Return what a consumer who relied on the one schema would miss in the other; what is new breaks nothing."""
    broken = []
    for name, schema in before.get("properties", {}).items():
        if name in now.get("properties", {}):
            broken += broken_promises(schema, now["properties"][name], f"{where}{name}.")
        else:
            broken.append(f"{where}{name} is gone")
    for name in sorted(set(before.get("required", ())) - set(now.get("required", ()))):
        broken.append(f"{where}{name} may be absent now")
    for keyword in sorted((before.keys() | now.keys()) - ANNOTATIONS - {"properties", "required"}):
        if before.get(keyword) != now.get(keyword):
            broken.append(f"{where}{keyword} was {before.get(keyword)!r}, is {now.get(keyword)!r}")
    return broken


def all_broken_promises() -> list[str]:
    """Return what consumers were promised of any type, and what is not so any more."""
    before, now = pinned(), present()
    broken = [f"{name} is gone" for name in sorted(before.keys() - now.keys())]
    for name in before.keys() & now.keys():
        broken += broken_promises(before[name], now[name], f"{name}: ")
    return broken


def main() -> int:
    """Pin what there is, and return the exit code."""
    broken = all_broken_promises()
    if broken:
        print(*broken, sep="\n", file=sys.stderr)
        return 1
    FILE.write_text(json.dumps(present(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
