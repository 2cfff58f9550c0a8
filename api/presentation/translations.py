"""Texts of the pages in each language.

They are in `texts/<language>/<page>.toml`. A text's key is `<page>.<key in the file>`. Texts with a count have two
forms, `one` and `other`.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from application.display_text import isolate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from werkzeug.datastructures import LanguageAccept

LANGUAGES = {"en": "English", "it": "Italiano"}
"""Native names by language code. The first language is the default."""

ARTICLE = re.compile(r"\b(il|al|dal|del|nel|sul|a) \{(\w+)\}", re.IGNORECASE)
"""An Italian article or preposition before a placeholder."""

FULL_STOP = re.compile(r"\{(\w+)\}\.")
"""A full stop after a placeholder."""

VOWEL_NUMBER = re.compile(r"8|11(?!\d)")
"""Beginning of a number whose Italian word begins with a vowel: otto, ottanta, undici."""

FOLDER = Path(__file__).parent / "texts"


def translate(language: str, key: str, /, **values: Any) -> str:
    """Return a text with its placeholders filled in. Raises KeyError for an unknown key."""
    text = load_texts(language)[key]
    if values:
        text = FULL_STOP.sub(partial(_end_sentence, values), text)
    if values and language == "it":
        text = ARTICLE.sub(partial(_elide, values), text)
    return text.format(**values)


def _end_sentence(values: Mapping[str, Any], match: re.Match[str]) -> str:
    """Leave out the full stop after a value that ends with one, such as "S.r.l."."""
    return match[0][:-1] if str(values.get(match[1], "")).endswith(".") else match[0]


def _elide(values: Mapping[str, Any], match: re.Match[str]) -> str:
    """Write "l'8", "dall'80%" and "ad Anna" instead of "il 8", "dal 80%" and "a Anna"."""
    article, value = match[1], str(values.get(match[2], ""))
    if len(article) == 1:
        return f"{article}{'d' if value[:1] in {'a', 'A', 'à', 'À'} else ''} {{{match[2]}}}"
    if not VOWEL_NUMBER.match(value):
        return match[0]
    elided = {"il": "l'", "Il": "L'"}.get(article, f"{article}l'")
    return f"{elided}{{{match[2]}}}"


def translate_isolated(language: str, key: str, /, **values: Any) -> str:
    """Return a text whose string values are isolated, so that bidirectional characters cannot reorder the text."""
    isolated = {name: isolate(value) if isinstance(value, str) else value for name, value in values.items()}
    return translate(language, key, **isolated)


def translate_count(language: str, key: str, count: int, /, **values: Any) -> str:
    """Return a text in the singular or plural form that `count` needs."""
    return translate(language, f"{key}.{'one' if count == 1 else 'other'}", count=count, **values)


def has_text(language: str, key: str) -> bool:
    """Return whether a text exists."""
    return key in load_texts(language)


def resolve_language(preference: str | None, account_language: str | None, accepted: LanguageAccept) -> str:
    """Return the visitor's preference, or the account's language, or the best match of what the browser accepts."""
    for language in (preference, account_language):
        if language in LANGUAGES:
            return language
    return accepted.best_match(LANGUAGES) or next(iter(LANGUAGES))


@cache
def load_texts(language: str) -> Mapping[str, str]:
    """Return all texts of a language, by key."""
    return {
        f"{file.stem}.{key}": text
        for file in sorted((FOLDER / language).glob("*.toml"))
        for key, text in _flatten(tomllib.loads(file.read_text(encoding="utf-8")))
    }


def _flatten(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{inner_key}", text) for inner_key, text in _flatten(value))
        else:
            yield key, value
