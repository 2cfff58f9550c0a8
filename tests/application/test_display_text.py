"""Safe display of untrusted text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.display_text import (
    COMBINING_MARKS,
    MAX_COMBINING_MARKS,
    escape_unprintable,
    has_visible_character,
    one_line,
    remove_unprintable,
)

HARMFUL = "\x00\x07\x1b\x7f\x85\x9b\x9d\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufff9\ud800"


INVISIBLE = [
    *("", " ", "\u3000", "\u200b", "\u2060", "\ufeff", "\u202e\u202c", "\ufe0f", "\U000e0041", "\xad", "\u034f"),
    *("\u3164", "\u115f\u1160", "\uffa0", "\u2800", "\u180e", "\U0001d159", "\u0301"),
]


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_invisible_text_is_recognized(text: str) -> None:
    """Spaces, zero-width characters, direction controls, selectors, fillers, blanks, tags, and marks on nothing."""
    assert not has_visible_character(text)
    assert not has_visible_character(text * 3 + " \u200b")
    assert has_visible_character(f"{text}x{text}")


@pytest.mark.parametrize("text", ["a", "é", "e\u0301", "株", "م", "👩\u200d💻", "\u06f1", "-", "'", "\u0e01"])
def test_letters_digits_and_symbols_are_visible(text: str) -> None:
    """The texts are in several scripts."""
    assert has_visible_character(text)


@given(st.text(st.one_of(st.sampled_from(HARMFUL), st.characters())))
def test_no_harmful_character_remains(text: str) -> None:
    for displayed in (escape_unprintable(text), remove_unprintable(text), one_line(text)):
        assert not set(HARMFUL) & set(displayed)


@given(st.text(st.one_of(st.sampled_from(HARMFUL.replace("\ud800", "")), st.characters(codec="utf-8"))))
def test_escaped_json_has_the_same_value(text: str) -> None:
    """JSON output for programs can be made safe for terminals."""
    assert json.loads(escape_unprintable(json.dumps(text, ensure_ascii=False))) == text


@pytest.mark.parametrize(
    "text",
    ["Łucja Müller-Núñez", "株式会社", "e\u0301", "👩\u200d💻", "\u0645\u06cc\u200c\u062e\u0648", "t\u00ea\u0309"],
)
def test_legitimate_text_is_unchanged(text: str) -> None:
    """Emoji and Persian words contain joiners."""
    assert escape_unprintable(text) == remove_unprintable(text) == one_line(text) == text


def test_stacked_marks_are_limited() -> None:
    """The limit is the number that real languages need."""
    mark = COMBINING_MARKS[0]
    assert remove_unprintable(f"a{mark * 50}b{mark}") == f"a{mark * MAX_COMBINING_MARKS}b{mark}"
