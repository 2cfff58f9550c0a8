"""What happened, in the words of whoever looks at a page."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from flask import g

from api.action_words import WITHIN, ActionWords
from api.console.pages import visitor_language, visitor_time_zone
from api.console.sub_user_form import full_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from application.resources import SubUserDetails
    from projections.audit_rows import AuditRow


@dataclass(frozen=True)
class People:
    """What living sub-users are called, by the text of their ids."""

    names: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, sub_users: Sequence[SubUserDetails]) -> People:
        """Return what these are called."""
        return cls({str(one.sub_user_id): full_name(one) for one in sub_users})


def who(row: AuditRow, place: str = WITHIN) -> str:
    """Return what whoever did it is called, in that place of a sentence."""
    return _words().who(row, place)


def person(name: str | None, place: str = WITHIN) -> str | None:
    """Return a name as it is shown: a deleted person's in words."""
    return _words().person(name, place)


def sentence(row: AuditRow, people: People) -> str:
    """Return what happened, as one plain sentence."""
    return replace(_words(), names=people.names).sentence(row)


def label(action: str) -> str:
    """Return the name of a kind of thing that happens: an activity's is the portal's own word."""
    return _words().label(action)


def fact_label(name: str) -> str:
    """Return what a detail of ours is called."""
    return _words().fact_label(name)


def fact_value(name: str, value: Any) -> str:
    """Return what a detail of ours says."""
    return _words().fact_value(name, value)


def _words() -> ActionWords:
    """Return the words of the page that is being made: it asks for hundreds."""
    if "action_words" not in g:
        g.action_words = ActionWords(visitor_language(), visitor_time_zone(), {})
    return cast("ActionWords", g.action_words)
