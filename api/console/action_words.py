"""What the audit log tells, in words: a sentence for each thing that happened, and a name for each kind of thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from api.console import times
from api.console.language import can_say
from api.console.pages import say, visitor_language, visitor_time_zone
from api.console.sub_user_form import full_name
from application.resources import ERASED
from domain.cause import ActorType
from domain.sub_user import Notice
from projections.audit_actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from application.resources import SubUserDetails
    from projections.audit_queries import AuditRow

OWN_ACTIONS = frozenset(ACTIONS.values())
"""What this service sees itself; any other action is the portal's own word for an activity."""

TOLD = (
    "why",
    "failures",
    "sub_user_limit",
    "access_expires_at",
    "included_minutes",
    "included_tokens",
    "threshold",
    "llm_tokens",
)
"""The details that sentences speak of."""

WITHIN, FIRST = "person", "person_first"
"""Where in a sentence somebody is named: what is no name begins with a capital letter where it comes first."""


def _mail(row: AuditRow) -> str:
    return "password_changed" if row.details["notice"] == Notice.PASSWORD_CHANGED else "access_data"


def _how_many(row: AuditRow) -> str:
    return "one" if row.details.get("session_id") else "all"


def _whose(row: AuditRow) -> str:
    return "owner" if row.sub_user_id is None else "sub_user"


VARIANTS: Mapping[str, Callable[[AuditRow], str]] = {
    "main_account.logged_in": lambda row: str(row.details["via"]),
    "main_account.logged_out": _how_many,
    "main_account.usage_threshold_reached": lambda row: str(row.details["resource"]),
    "sub_user.visibility_changed": lambda row: "visible" if row.details["visible"] else "hidden",
    "sub_user.access_expiry_set": lambda row: "end" if row.details.get("access_expires_at") else "no_end",
    "sub_user.activated": lambda row: str(row.details["notice"]),
    "sub_user.password_reset": lambda row: "sent" if row.details["notice"] == Notice.SEND_AGAIN else "set",
    "sub_user.logged_in": lambda row: "temporary" if row.details["with_temporary_password"] else "own",
    "sub_user.login_refused": lambda row: "known" if row.sub_user_id else "unknown",
    "sub_user.logged_out": _how_many,
    "sub_user.credentials_mailed": _mail,
    "sub_user.credentials_mail_failed": _mail,
    "sub_user.personal_data_erased": _whose,
}
"""The actions that there are several sentences for, and which one a row takes."""


@dataclass(frozen=True)
class People:
    """What living sub-users are called, by the text of their ids."""

    names: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, sub_users: Sequence[SubUserDetails]) -> People:
        """Return what these are called."""
        return cls({str(one.sub_user_id): full_name(one) for one in sub_users})

    def whom(self, row: AuditRow, place: str = WITHIN) -> str:
        """Return what the sub-user is called whom a row is about."""
        return self.names.get(str(row.sub_user_id)) or say(f"actions.{place}.erased")


def who(row: AuditRow, place: str = WITHIN) -> str:
    """Return what whoever did it is called, in that place of a sentence."""
    name = person(row.actor["name"], place)
    match row.actor["type"]:
        case ActorType.SUPPORT if name:
            return say(f"actions.{place}.support", name=name)
        case ActorType.SUPPORT | ActorType.SYSTEM | ActorType.ANONYMOUS as kind if not name:
            return say(f"actions.{place}.{kind}")
    return name or say(f"actions.{place}.erased")


def person(name: str | None, place: str = WITHIN) -> str | None:
    """Return a name as it is shown: a deleted person's in words."""
    return say(f"actions.{place}.erased") if name == ERASED else name


def sentence(row: AuditRow, people: People) -> str:
    """Return what happened, as one plain sentence. It may begin with `{Who}` or `{Whom}`."""
    persons = {
        "Who": who(row, FIRST),
        "who": who(row),
        "Whom": people.whom(row, FIRST),
        "whom": people.whom(row),
    }
    if row.action not in OWN_ACTIONS:
        return _activity(row, persons["Who"])
    key = f"actions.sentence.{row.action}"
    if row.action in VARIANTS:
        key = f"{key}.{VARIANTS[row.action](row)}"
    return say(key, **persons, **_facts(row.details))


def label(action: str) -> str:
    """Return the name of a kind of thing that happens: an activity's is the portal's own word."""
    return say(f"actions.label.{action}") if action in OWN_ACTIONS else action


def fact_label(name: str) -> str:
    """Return what a detail of ours is called."""
    key = f"actions.fact.{name}"
    return say(key) if can_say(visitor_language(), key) else name


def fact_value(name: str, value: Any) -> str:
    """Return what a detail of ours says."""
    if isinstance(value, bool):
        return say("actions.yes" if value else "actions.no")
    if isinstance(value, datetime):
        return times.written_moment(value, visitor_language(), visitor_time_zone())
    if isinstance(value, date):
        return times.written_date(value, visitor_language())
    if isinstance(value, int):
        return times.written_number(value, visitor_language())
    if value == ERASED:
        return say("actions.erased_data")
    key = f"actions.value.{name}.{value}"
    return say(key) if can_say(visitor_language(), key) else str(value)


def _activity(row: AuditRow, doer: str) -> str:
    if row.target is None:
        return say("actions.activity.alone", Who=doer, action=row.action)
    target = say("actions.erased_data") if row.target == ERASED else row.target
    return say("actions.activity.with_target", Who=doer, action=row.action, target=target)


def _facts(details: Mapping[str, Any]) -> dict[str, str]:
    """Return what sentences tell of the details of a row."""
    facts = {name: fact_value(name, details[name]) for name in TOLD if name in details}
    if "conversation_ms" in details:
        facts["minutes"] = times.written_number(times.minutes(details["conversation_ms"]), visitor_language())
    return facts
