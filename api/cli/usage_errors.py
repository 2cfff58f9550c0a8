"""Messages about wrong options and arguments, in this program's own words instead of the library's."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from typer.exceptions import TyperException

PYDANTIC_PREFIX = "Value error, "
"""Words of the library with which typer parses values, in front of each of its messages."""

QUOTED_OPTION = re.compile(r"'(-[\w-]+)'")
"""An option in messages of typer. Those of the commands have no quotes around it."""

OWN_WORDS = (
    (r"No such option: (\S+).*", r"there is no option \1"),
    (r"No such command '(.*?)'.*", r"there is no command \1"),
    (r"Got unexpected extra argument\(s\) \((.*)\)", r"unexpected argument: \1"),
    (r"Option (\S+) requires an argument", r"\1 needs a value"),
    (r"Option (\S+) requires (\d+) arguments", r"\1 needs \2 values"),
    (r"Option (\S+) does not take a value", r"\1 takes no value"),
    (r"Missing (option|argument) '?(.*?)'?\. Choose from: (.*)", r"the \1 \2 is missing, which is one of: \3"),
    (r"Missing (option|argument) '?(.*?)'?", r"the \1 \2 is missing"),
)
"""Patterns of the library's messages, and what to say instead."""

MIN_SIMILARITY = 0.75
"""Similarity of a suggestion, as difflib measures it. With the library's lower bound, `--json` suggests `--since`."""


def usage_message(error: TyperException) -> str:
    """Return the message about a wrong option or argument; an empty one if there is nothing to say."""
    message = " ".join(error.format_message().replace(PYDANTIC_PREFIX, "").split()).rstrip(".")
    message = QUOTED_OPTION.sub(r"\1", message)
    for pattern, own_words in OWN_WORDS:
        if match := re.fullmatch(pattern, message):
            return match.expand(own_words) + _suggestion(match[1], _known_names(error))
    return message


def _suggestion(name: str, known: Collection[str]) -> str:
    similar = get_close_matches(name, known, 1, MIN_SIMILARITY)
    return f": did you mean {similar[0]}?" if similar else ""


def _known_names(error: Any) -> Collection[str]:
    """Return the options or commands that an unknown one could be."""
    options: Collection[str] | None = getattr(error, "possibilities", None)
    command = getattr(getattr(error, "ctx", None), "command", None)
    commands: Collection[str] = getattr(command, "commands", ())
    return options or commands
