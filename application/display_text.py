"""Safe display of untrusted text in terminals, files and pages."""

from __future__ import annotations

import re

CONTROLS = "\x00-\x1f\x7f-\x9f\u2028\u2029"
"""C0 and C1 controls (terminals execute both), line and paragraph separators."""

DIRECTION_CONTROLS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Bidirectional marks, embeddings, overrides and isolates (UAX 9): they reorder adjacent text."""

COMBINING_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
"""Combining marks, of which a letter can have any number."""

INVISIBLE = (
    DIRECTION_CONTROLS
    + COMBINING_MARKS
    + "\xad\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u2800\u3164"
    + "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Characters without a visible glyph: default-ignorable code points, blank letters and symbols, lone marks."""

MAX_COMBINING_MARKS = 4
"""Maximum combining marks on a letter. Vietnamese and Hebrew need three; more overlap the adjacent lines."""

_VISIBLE = re.compile(f"[^{CONTROLS}{INVISIBLE}\\s]")
_DEPRECATED = "\u206a-\u206f\ufff9-\ufffb"
_UNPRINTABLE = re.compile(f"[{CONTROLS}{DIRECTION_CONTROLS}{_DEPRECATED}\ud800-\udfff]")
_CONTROL_RUNS = re.compile(f"[{CONTROLS}\ud800-\udfff]+")
_REORDERING = re.compile(f"[{DIRECTION_CONTROLS}{_DEPRECATED}]+")
_CONTROLS_EXCEPT_LINE_BREAKS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_REORDERING_EXCEPT_ISOLATES = re.compile(f"[\u061c\u200e\u200f\u202a-\u202e\u2066\u2067{_DEPRECATED}]")
_BALANCED_ISOLATES = re.compile("[^\u2068\u2069]*(?:\u2068[^\u2068\u2069]*\u2069[^\u2068\u2069]*)*")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
_STACKED_MARKS = re.compile(f"([{COMBINING_MARKS}]{{{MAX_COMBINING_MARKS}}})[{COMBINING_MARKS}]+")


def has_visible_character(text: str) -> bool:
    """Return whether the text has a visible character."""
    return _VISIBLE.search(text) is not None


def escape_unprintable(text: str) -> str:
    r"""Return the text with controls and direction controls escaped, as `\u202e`, for terminals and files.

    Inside JSON the value stays the same.
    """
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def remove_unprintable(text: str) -> str:
    """Return the text for a page: controls become spaces, direction controls and excess marks are removed."""
    if text.isascii() and text.isprintable():
        return text
    text = _REORDERING.sub("", _CONTROL_RUNS.sub(" ", text))
    return _STACKED_MARKS.sub(r"\1", text)


def isolate(text: str) -> str:
    """Return text to insert into a sentence. Right-to-left text is isolated, so that it reorders no other words."""
    printable = remove_unprintable(text)
    return f"\u2068{printable}\u2069" if _RIGHT_TO_LEFT.search(printable) else printable


def remove_unprintable_except_layout(text: str) -> str:
    """Return the text for a page, as `remove_unprintable` does, but keep line breaks and the isolates of `isolate`."""
    if text.isascii() and text.isprintable():
        return text
    text = _REORDERING_EXCEPT_ISOLATES.sub("", _CONTROLS_EXCEPT_LINE_BREAKS.sub(" ", text))
    if not _BALANCED_ISOLATES.fullmatch(text):
        text = _REORDERING.sub("", text)
    return _STACKED_MARKS.sub(r"\1", text)


def one_line(text: str) -> str:
    """Return the text as one line without surrounding or repeated spaces."""
    return " ".join(remove_unprintable(text).split())


def quantity(count: int, noun: str, plural: str | None = None) -> str:
    """Return a count and its noun: `1 event`, `2 events`. `plural` is by default the noun with an s."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
