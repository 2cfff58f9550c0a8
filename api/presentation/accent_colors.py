"""The operator's accent color: its contrast, and the colors that the console derives from it.

The contrast ratio is that of WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

from __future__ import annotations

import re
from typing import TypeAlias

Rgb: TypeAlias = tuple[int, int, int]

MIN_CONTRAST = 4.5
"""Lowest contrast of text with its background (WCAG 2.2, 1.4.3)."""

HEX_COLOR = re.compile(r"#[0-9A-Fa-f]{6}", re.ASCII)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
LIGHT_SURFACE, DARK_SURFACE = WHITE, (22, 26, 33)
"""Backgrounds of the console's panels (console.css), in the light and the dark theme."""

LIGHT_TINT, DARK_TINT = 0.1, 0.25
"""Share of the accent color in the background of the current menu entry."""

STEP = 0.05


def is_hex_color(text: str) -> bool:
    """Return whether the text is a color of the form #rrggbb."""
    return HEX_COLOR.fullmatch(text) is not None


def contrast_with_white(color: str) -> float:
    """Return the contrast ratio of a color with white, which is the color of texts on it."""
    return _contrast(_parse(color), WHITE)


def style_sheet(color: str) -> str:
    """Return CSS that replaces the console's accent colors in both themes.

    As a background, the color is used as it is. As a text, it is darkened or lightened until it can be read.
    """
    accent = _parse(color)
    tints = _mix(LIGHT_SURFACE, accent, LIGHT_TINT), _mix(DARK_SURFACE, accent, DARK_TINT)
    texts = _readable(accent, tints[0], BLACK), _readable(accent, tints[1], WHITE)
    variables = {"accent": texts, "accent-bg": (accent, accent), "accent-soft": tints}
    lines = [f"--{name}: light-dark({_hex(light)}, {_hex(dark)});" for name, (light, dark) in variables.items()]
    return f"@layer tokens {{ :root {{ {' '.join(lines)} }} }}\n"


def _readable(color: Rgb, background: Rgb, towards: Rgb) -> Rgb:
    """Return the color, mixed with black or white until its contrast with the background suffices."""
    share, text = 0.0, color
    while _contrast(text, background) < MIN_CONTRAST and share < 1:
        share += STEP
        text = _mix(color, towards, min(share, 1))
    return text


def _contrast(one: Rgb, other: Rgb) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Rgb) -> float:
    """Return the relative luminance: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # of the definition
        for value in (channel / 255 for channel in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mix(color: Rgb, other: Rgb, share: float) -> Rgb:
    """Return a color with the given share of the other one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def _parse(color: str) -> Rgb:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _hex(color: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
