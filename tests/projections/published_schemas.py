"""Published JSON Schemas of messages, pinned in `published_schemas.json`.

`.venv/bin/python -m tests.projections.published_schemas` pins the current schemas if they are compatible.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from projections.feed import published_checkpoints
from projections.feed.event_catalog import CATALOG, Envelopes

FILE = Path(__file__).with_suffix(".json")
ANNOTATIONS = {"title", "description", "examples"}
SOURCE = "https://subusers.example"


def pinned() -> dict[str, Any]:
    """Return the pinned schemas by message type."""
    schemas: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return schemas


def current() -> dict[str, Any]:
    """Return the current schemas by message type."""
    envelopes = Envelopes(SOURCE)
    schemas = {kind.type: envelopes.schema(kind) for kind in CATALOG}
    return {**schemas, published_checkpoints.TYPE: published_checkpoints.schema()}


def incompatibilities(before: dict[str, Any], now: dict[str, Any], path: str = "") -> list[str]:
    """Return the changes that break consumers of the earlier schema; additions break none."""
    incompatible = []
    for name, schema in before.get("properties", {}).items():
        if name in now.get("properties", {}):
            incompatible += incompatibilities(schema, now["properties"][name], f"{path}{name}.")
        else:
            incompatible.append(f"{path}{name} is gone")
    for name in sorted(set(before.get("required", ())) - set(now.get("required", ()))):
        incompatible.append(f"{path}{name} may be absent now")
    for keyword in sorted((before.keys() | now.keys()) - ANNOTATIONS - {"properties", "required"}):
        if before.get(keyword) != now.get(keyword):
            incompatible.append(f"{path}{keyword} was {before.get(keyword)!r}, is {now.get(keyword)!r}")
    return incompatible


def all_incompatibilities() -> list[str]:
    """Return the incompatible changes of all message types."""
    before, now = pinned(), current()
    incompatible = [f"{name} is gone" for name in sorted(before.keys() - now.keys())]
    for name in before.keys() & now.keys():
        incompatible += incompatibilities(before[name], now[name], f"{name}: ")
    return incompatible


def main() -> int:
    """Pin the current schemas unless they are incompatible, and return the exit code."""
    incompatible = all_incompatibilities()
    if incompatible:
        print(*incompatible, sep="\n", file=sys.stderr)
        return 1
    FILE.write_text(json.dumps(current(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
