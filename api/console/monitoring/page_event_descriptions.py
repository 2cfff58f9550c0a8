"""Event descriptions for pages, in the visitor's language and time zone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from flask import g
from markupsafe import Markup

from api.console.pages import visitor_language, visitor_time_zone
from api.http.authentication import service
from api.presentation import translations
from api.presentation.event_descriptions import EventDescriptions, Place
from api.presentation.event_kinds import kind_of
from api.presentation.full_name import full_name
from application.display_text import isolate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from api.presentation.event_kinds import EventKind
    from application.commands.resources import SubUserDetails
    from projections.audit_log.rows import AuditRow


class PageEventDescriptions(EventDescriptions):
    """Event descriptions for HTML pages. Inserted values are isolated, so they cannot reorder the text around them."""

    def translate(self, key: str, /, **values: Any) -> str:
        """Return a text in this language as HTML, with isolated and escaped values."""
        isolated = {
            name: isolate(value) if isinstance(value, str) and not isinstance(value, Markup) else value
            for name, value in values.items()
        }
        return Markup(translations.load_texts(self.language)[key]).format(**isolated)  # noqa: S704  # texts of ours

    def emphasized(self, name: str) -> str:
        """Return a name in bold."""
        return Markup("<b>{}</b>").format(name if isinstance(name, Markup) else isolate(name))


@dataclass(frozen=True)
class SubUserNames:
    """Names of existing sub-users, by id as text."""

    name_by_id: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_sub_users(cls, sub_users: Sequence[SubUserDetails]) -> SubUserNames:
        """Return the names of these sub-users."""
        return cls({str(sub_user.sub_user_id): full_name(sub_user) for sub_user in sub_users})


def actor(row: AuditRow, place: Place = Place.WITHIN) -> str:
    """Return the actor's name, as it is written at that place in a sentence."""
    return _descriptions().actor(row, place)


def person(name: str | None, place: Place = Place.WITHIN) -> str | None:
    """Return a name, or "a deleted person" for an erased one."""
    return _descriptions().person(name, place)


def describe(row: AuditRow, names: SubUserNames) -> str:
    """Return a one-sentence description of a row."""
    return _descriptions().describe(row, names.name_by_id)


def describe_repeated(row: AuditRow, names: SubUserNames, count: int) -> str:
    """Return a one-sentence description of several rows in a row with the same description."""
    return _descriptions().describe_repeated(row, names.name_by_id, count)


def kind(action: str) -> EventKind:
    """Return the kind of an action."""
    return kind_of(action, _descriptions().activity_types)


def label(action: str) -> str:
    """Return the label of an action. An activity that the portal has not registered keeps its code."""
    return _descriptions().label(action)


def detail_label(name: str) -> str:
    """Return the label of a detail."""
    return _descriptions().detail_label(name)


def detail_value(name: str, value: Any) -> str:
    """Return the formatted value of a detail."""
    return _descriptions().detail_value(name, value)


def action_details(row: AuditRow) -> Iterator[tuple[str, str]]:
    """Yield label and value of each detail specific to the action."""
    return _descriptions().action_details(row)


def _descriptions() -> EventDescriptions:
    """Return the request's descriptions. They are created once, because a page uses them hundreds of times."""
    if "event_descriptions" not in g:
        g.event_descriptions = PageEventDescriptions(
            visitor_language(), visitor_time_zone(), service().commands.activity_types.current()
        )
    return cast("EventDescriptions", g.event_descriptions)
