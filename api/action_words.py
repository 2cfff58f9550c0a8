"""What happened, in words, in whichever language and time zone somebody reads it.

The words are those of the pages: `api/console/translations/<language>/actions.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from api.console import language, times
from application.audit_reads import OPERATOR
from application.resources import ERASED
from domain.cause import ActorType
from domain.sub_user import Notice
from projections.audit_actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from projections.audit_rows import AuditRow

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
    "audit_log.read": lambda row: str(row.details["what"]),
}
"""The actions that there are several sentences for, and which one a row takes."""


@dataclass(frozen=True)
class ActionWords:
    """The words for one reader. `names` is what sub-users are called, by the text of their ids."""

    language: str = "en"
    zone: tzinfo = UTC
    names: Mapping[str, str] = field(default_factory=dict, repr=False)

    def sentence(self, row: AuditRow) -> str:
        """Return what happened, as one plain sentence. It may begin with `{Who}` or `{Whom}`."""
        persons = {
            "Who": self.who(row, FIRST),
            "who": self.who(row),
            "Whom": self.whom(row, FIRST),
            "whom": self.whom(row),
        }
        if row.action not in OWN_ACTIONS:
            return self._activity(row, persons["Who"])
        key = f"actions.sentence.{row.action}"
        if row.action in VARIANTS:
            key = f"{key}.{VARIANTS[row.action](row)}"
        return self.say(key, **persons, **self._facts(row.details))

    def whom(self, row: AuditRow, place: str = WITHIN) -> str:
        """Return what the sub-user is called whom a row is about."""
        return self.person(self.names.get(str(row.sub_user_id)), place) or self.say(f"actions.{place}.erased")

    def who(self, row: AuditRow, place: str = WITHIN) -> str:
        """Return what whoever did it is called, in that place of a sentence."""
        name = self.person(row.actor["name"], place)
        match row.actor["type"]:
            case ActorType.SUPPORT | ActorType.AUDITOR as kind if name:
                return self.say(f"actions.{place}.{kind}", name=name)
            case ActorType.SYSTEM if row.actor["id"] == OPERATOR:
                return self.say(f"actions.{place}.operator")
            case ActorType.SUPPORT | ActorType.SYSTEM | ActorType.ANONYMOUS as kind if not name:
                return self.say(f"actions.{place}.{kind}")
        return name or self.say(f"actions.{place}.erased")

    def person(self, name: str | None, place: str = WITHIN) -> str | None:
        """Return a name as it is shown: a deleted person's in words."""
        return self.say(f"actions.{place}.erased") if name == ERASED else name

    def label(self, action: str) -> str:
        """Return the name of a kind of thing that happens: an activity's is the portal's own word."""
        return self.say(f"actions.label.{action}") if action in OWN_ACTIONS else action

    def fact_label(self, name: str) -> str:
        """Return what a detail of ours is called."""
        key = f"actions.fact.{name}"
        return self.say(key) if language.can_say(self.language, key) else name

    def fact_value(self, name: str, value: Any) -> str:
        """Return what a detail of ours says."""
        if isinstance(value, bool):
            return self.say("actions.yes" if value else "actions.no")
        if isinstance(value, datetime):
            return times.written_moment(value, self.language, self.zone)
        if isinstance(value, date):
            return times.written_date(value, self.language)
        if isinstance(value, int):
            return times.written_number(value, self.language)
        if value == ERASED:
            return self.say("actions.erased_data")
        key = f"actions.value.{name}.{value}"
        return self.say(key) if language.can_say(self.language, key) else str(value)

    def _activity(self, row: AuditRow, doer: str) -> str:
        if row.target is None:
            return self.say("actions.activity.alone", Who=doer, action=row.action)
        target = self.say("actions.erased_data") if row.target == ERASED else row.target
        return self.say("actions.activity.with_target", Who=doer, action=row.action, target=target)

    def _facts(self, details: Mapping[str, Any]) -> dict[str, str]:
        """Return what sentences tell of the details of a row."""
        facts = {name: self.fact_value(name, details[name]) for name in TOLD if name in details}
        if "conversation_ms" in details:
            facts["minutes"] = times.written_number(times.minutes(details["conversation_ms"]), self.language)
        return facts

    def say(self, key: str, /, **values: Any) -> str:
        """Return a text in this language."""
        return language.say(self.language, key, **values)
