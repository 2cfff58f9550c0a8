"""The words of the pages, in each language that they come in.

They stand in `translations/<language>/<page>.toml`; the key of a text is the page's name and its own, with a dot
between. A text that counts something has two forms, `one` and `other`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from werkzeug.datastructures import LanguageAccept

LANGUAGES = {"en": "English", "it": "Italiano"}
"""The languages of the pages, each by its own name; the first is that of visitors who prefer none of them."""

FOLDER = Path(__file__).parent / "translations"


def say(language: str, key: str, /, **values: Any) -> str:
    """Return a text with these values in it."""
    return words(language)[key].format(**values)


def say_count(language: str, key: str, count: int, /, **values: Any) -> str:
    """Return a text about so many of something."""
    return say(language, f"{key}.{'one' if count == 1 else 'other'}", count=count, **values)


def can_say(language: str, key: str) -> bool:
    """Tell whether there is such a text."""
    return key in words(language)


def chosen_language(chosen: str | None, of_account: str | None, accepted: LanguageAccept) -> str:
    """Return the visitor's own choice, or the account's language, or what the browser asks for."""
    for language in (chosen, of_account):
        if language in LANGUAGES:
            return language
    return accepted.best_match(LANGUAGES) or next(iter(LANGUAGES))


@cache
def words(language: str) -> Mapping[str, str]:
    """Return every text of a language, by key."""
    return {
        f"{file.stem}.{key}": text
        for file in sorted((FOLDER / language).glob("*.toml"))
        for key, text in _flat(tomllib.loads(file.read_text(encoding="utf-8")))
    }


def _flat(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", text) for inner, text in _flat(value))
        else:
            yield key, value
