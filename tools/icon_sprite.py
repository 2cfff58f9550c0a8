"""Adds icons of the npm package lucide-static to the console's sprite.

    npm pack lucide-static@1.62.0 && tar xzf lucide-static-1.62.0.tgz
    .venv/bin/python -m tools.icon_sprite package/icons users trash-2

Each line of the sprite is one icon. Without names, the present icons are read again from the package.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

SPRITE = Path(__file__).parents[1] / "api" / "console" / "static" / "vendor" / "lucide-1.62.0" / "icons.svg"


def symbol(icons: Path, name: str) -> str:
    """Return an icon as a symbol without colors, which the style sheet sets."""
    source = (icons / f"{name}.svg").read_text(encoding="utf-8")
    shapes = re.findall(r"<(?!svg|!--)[a-z][^>]*/>", source)
    return f'<symbol id="{name}" viewBox="0 0 24 24">{"".join(shapes)}</symbol>'


def main(folder: str, *names: str) -> None:
    """Write the sprite with its present icons and the named ones."""
    present = re.findall(r'<symbol id="([^"]+)"', SPRITE.read_text(encoding="utf-8")) if SPRITE.exists() else []
    symbols = [symbol(Path(folder), name) for name in sorted({*present, *names})]
    SPRITE.write_text("\n".join(['<svg xmlns="http://www.w3.org/2000/svg">', *symbols, "</svg>", ""]), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
