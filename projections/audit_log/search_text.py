"""Text for searches that ignore accents and case."""

from __future__ import annotations

import unicodedata

LETTERS_WITHOUT_ACCENT = str.maketrans(
    {
        **dict(zip("øđðłħ\u0131\u2018\u2019", "oddlhi''", strict=True)),
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
    }
)
"""Letters that NFKD does not split, and typographic apostrophes."""

INVISIBLE_CATEGORIES = frozenset({"Mn", "Cf"})
"""Accents, and formatting such as the isolates of right-to-left text."""

GRAM_LENGTH = 3


def search_text(text: str) -> str:
    """Return a text without accents and case."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    characters = (character for character in decomposed if unicodedata.category(character) not in INVISIBLE_CATEGORIES)
    return "".join(characters).translate(LETTERS_WITHOUT_ACCENT)


def grams(searched: str) -> set[str]:
    """Return all substrings of three characters: a text can only contain another one if it has all of its grams."""
    return {searched[start : start + GRAM_LENGTH] for start in range(len(searched) - GRAM_LENGTH + 1)}
