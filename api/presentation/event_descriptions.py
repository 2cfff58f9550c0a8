"""Descriptions of events in the reader's language and time zone.

The texts are in `api/presentation/texts/<language>/actions.toml`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from api.presentation import times, translations
from application.commands.activity_types import NO_ACTIVITY_TYPES
from application.commands.audit_access import OPERATOR
from application.commands.resources import ERASED
from domain.event_metadata import ActorType
from domain.roles import BUILT_IN_ROLES
from domain.sub_user import Notice
from projections.audit_log.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import tzinfo
    from uuid import UUID

    from application.commands.activity_types import ActivityTypes
    from projections.audit_log.rows import AuditRow

SERVICE_ACTIONS = frozenset(ACTIONS.values())
"""Actions that the service records itself. All others are activities, named by the portal."""

SENTENCE_DETAILS = (
    "why",
    "failures",
    "sub_user_limit",
    "access_expires_at",
    "included_minutes",
    "included_tokens",
    "llm_tokens",
    "expires_at",
    "purpose",
    "notice",
    "remaining",
    "remaining_codes",
)
"""Names of the details that sentences have placeholders for."""


MAILS_WITH_OWN_SENTENCE = frozenset({Notice.PASSWORD_CHANGED, Notice.EMAIL_CHANGED, Notice.INVITATION})


TARGET = "{target}"
"""Placeholder in the sentences of activity types."""


class Place(StrEnum):
    """Place of a person in a sentence. Phrases such as "a deleted person" are capitalized in first place.

    Each value is the name of a section of the texts.
    """

    WITHIN = "person"
    FIRST = "person_first"


def _mail_kind(row: AuditRow) -> str:
    notice = row.details["notice"]
    return str(notice) if notice in MAILS_WITH_OWN_SENTENCE else "access_data"


def _new_credentials(row: AuditRow) -> str:
    notice = row.details["notice"]
    return {Notice.SEND_AGAIN: "sent", Notice.INVITATION: "invitation"}.get(notice, "set")


def _session_count(row: AuditRow) -> str:
    return "one" if row.details.get("session_id") else "all"


def _ended_session(row: AuditRow) -> str:
    is_own = row.actor["type"] == ActorType.SUB_USER
    return "all" if not row.details.get("session_id") else "one" if is_own else "by_other"


def _kind_of_person(row: AuditRow) -> str:
    return "owner" if row.sub_user_id is None else "sub_user"


def _scope_of_grant(row: AuditRow) -> str:
    scope = "resource" if row.details.get("resource_id") else "everything"
    return f"{scope}_until" if row.details.get("expires_at") else scope


VARIANTS: Mapping[str, Callable[[AuditRow], str]] = {
    "main_account.logged_in": lambda row: str(row.details["via"]),
    "main_account.logged_out": _session_count,
    "main_account.usage_threshold_reached": lambda row: str(row.details["resource"]),
    "sub_user.visibility_changed": lambda row: "visible" if row.details["visible"] else "hidden",
    "sub_user.access_expiry_set": lambda row: "end" if row.details.get("access_expires_at") else "no_end",
    "sub_user.activated": lambda row: str(row.details["notice"]),
    "sub_user.password_reset": _new_credentials,
    "sub_user.logged_in": lambda row: "temporary" if row.details["with_temporary_password"] else "own",
    "sub_user.login_refused": lambda row: "known" if row.sub_user_id else "unknown",
    "sub_user.logged_out": _ended_session,
    "sub_user.credentials_mailed": _mail_kind,
    "sub_user.credentials_mail_failed": _mail_kind,
    "sub_user.personal_data_erased": _kind_of_person,
    "sub_user.role_granted": _scope_of_grant,
    "sub_user.role_revoked": _scope_of_grant,
    "person.password_reset_requested": _kind_of_person,
    "person.new_device_signed_in": _kind_of_person,
    "person.notice_mailed": _kind_of_person,
    "person.notice_mail_failed": _kind_of_person,
    "main_account.second_factor_policy_set": lambda row: str(row.details["policy"]),
    "person.second_factor_added": lambda row: str(row.details["kind"]),
    "person.second_factors_reset": _kind_of_person,
    "person.second_factor_verified": lambda row: str(row.details["method"]),
    "person.second_factor_refused": _kind_of_person,
    "audit_log.read": lambda row: str(row.details["what"]),
}
"""Functions that select the sentence for a row, by action; other actions have one sentence."""


@dataclass(frozen=True)
class EventDescriptions:
    """Event descriptions in one reader's language and time zone, with the portal's names of its activities."""

    language: str = "en"
    zone: tzinfo = UTC
    activity_types: ActivityTypes = NO_ACTIVITY_TYPES

    def describe(self, row: AuditRow, name_by_id: Mapping[str, str]) -> str:
        """Return a one-sentence description. `name_by_id` has sub-users' names by id as text.

        Texts name people with the placeholders `{actor}` and `{subject}`, capitalized at the beginning of a sentence.
        """
        persons = {
            "Actor": self.emphasized(self.actor(row, Place.FIRST)),
            "actor": self.emphasized(self.actor(row)),
            "Subject": self.emphasized(self.subject(row, name_by_id, Place.FIRST)),
            "subject": self.emphasized(self.subject(row, name_by_id)),
        }
        if row.action not in SERVICE_ACTIONS:
            return self._activity(row, persons["Actor"])
        key = f"actions.sentence.{row.action}"
        if row.action in VARIANTS:
            key = f"{key}.{VARIANTS[row.action](row)}"
        return self.translate(key, **persons, **self._placeholders(row.details), **self._role_placeholders(row))

    def describe_repeated(self, row: AuditRow, name_by_id: Mapping[str, str], count: int) -> str:
        """Return a one-sentence description of `count` rows in a row that have the same description."""
        key = f"actions.repeated.{row.action}.{row.details.get('why')}" if row.action in SERVICE_ACTIONS else ""
        number = times.format_number(count, self.language)
        if translations.has_text(self.language, key):
            subject = self.emphasized(self.subject(row, name_by_id, Place.FIRST))
            return self.translate(key, Subject=subject, count=number)
        return self.translate("actions.repeated.other", sentence=self.describe(row, name_by_id), count=number)

    def subject(self, row: AuditRow, name_by_id: Mapping[str, str], place: Place = Place.WITHIN) -> str:
        """Return the name of the row's sub-user, or "a deleted person"."""
        name = name_by_id.get(str(row.sub_user_id)) or row.subject_name
        return self.person(name, place) or self.translate(f"actions.{place}.erased")

    def actor(self, row: AuditRow, place: Place = Place.WITHIN) -> str:
        """Return the actor's name, or a phrase such as "the service", as it is written at that place in a sentence."""
        name = self.person(row.actor["name"], place)
        match row.actor["type"]:
            case ActorType.SUPPORT | ActorType.AUDITOR as kind if name:
                return self.translate(f"actions.{place}.{kind}", name=name)
            case ActorType.SYSTEM if row.actor["id"] == OPERATOR:
                return self.translate(f"actions.{place}.operator")
            case ActorType.SUPPORT | ActorType.SYSTEM | ActorType.ANONYMOUS as kind if not name:
                return self.translate(f"actions.{place}.{kind}")
        return name or self.translate(f"actions.{place}.erased")

    def person(self, name: str | None, place: Place = Place.WITHIN) -> str | None:
        """Return a name, or "a deleted person" for an erased one."""
        return self.translate(f"actions.{place}.erased") if name == ERASED else name

    def label(self, action: str) -> str:
        """Return the label of an action. An activity that the portal has not registered keeps its code."""
        if action in SERVICE_ACTIONS:
            return self.translate(f"actions.label.{action}")
        activity_type = self.activity_types.by_action.get(action)
        return activity_type.labels[self.language] if activity_type is not None else action

    def detail_label(self, name: str) -> str:
        """Return the label of a detail; its name if it has none."""
        key = f"actions.detail.{name}"
        return self.translate(key) if translations.has_text(self.language, key) else name

    def detail_value(self, name: str, value: Any) -> str:
        """Return the formatted value of a detail."""
        if isinstance(value, bool):
            return self.translate("actions.yes" if value else "actions.no")
        if isinstance(value, datetime):
            return times.format_date_and_time(value, self.language, self.zone)
        if isinstance(value, date):
            return times.format_short_date(value, self.language)
        if isinstance(value, int):
            return times.format_number(value, self.language)
        if value == ERASED:
            return self.translate("actions.erased_data")
        key = f"actions.value.{name}.{value}"
        return self.translate(key) if translations.has_text(self.language, key) else str(value)

    def action_details(self, row: AuditRow) -> Iterator[tuple[str, str]]:
        """Yield label and value of each detail specific to the action. The portal's activities have arbitrary ones."""
        if row.action in SERVICE_ACTIONS:
            yield from (
                (self.detail_label(name), self.detail_value(name, value)) for name, value in row.details.items()
            )
        elif isinstance(row.details, dict):
            yield from ((name, self._json_text(value)) for name, value in row.details.items())
        elif row.details is not None:
            yield self.detail_label("details"), self._json_text(row.details)

    def _json_text(self, value: Any) -> str:
        if isinstance(value, str):
            return self.translate("actions.erased_data") if value == ERASED else value
        return json.dumps(value, ensure_ascii=False)

    def _activity(self, row: AuditRow, actor: str) -> str:
        target = self.translate("actions.erased_data") if row.target == ERASED else row.target
        target = self.emphasized(target) if target is not None else None
        if sentence := self._activity_sentence(row.action, target):
            return self.translate("actions.activity.sentence", Actor=actor, sentence=sentence)
        action = self.label(row.action)
        if target is None:
            return self.translate("actions.activity.alone", Actor=actor, action=action)
        return self.translate("actions.activity.with_target", Actor=actor, action=action, target=target)

    def _activity_sentence(self, action: str, target: str | None) -> str | None:
        """Return the portal's sentence for an activity. None if it has none, or mentions a target that is missing."""
        activity_type = self.activity_types.by_action.get(action)
        if activity_type is None or activity_type.sentences is None:
            return None
        sentence = activity_type.sentences[self.language]
        if target is None and TARGET in sentence:
            return None
        if target is not None and TARGET not in sentence:
            return self.translate("actions.activity.sentence_with_target", sentence=sentence, target=target)
        before, _, after = sentence.partition(TARGET)
        return self.translate("actions.activity.around_target", before=before, target=target or "", after=after)

    def _placeholders(self, details: Mapping[str, Any]) -> dict[str, str]:
        """Return the values of the placeholders for details."""
        values = {name: self.detail_value(name, details[name]) for name in SENTENCE_DETAILS if name in details}
        if "threshold" in details:
            number = str(details["threshold"])
            form = "before_vowel" if number == "11" or number.startswith("8") else "other"  # Italian: l'80%, il 100%
            values["share"] = self.translate(f"actions.share.{form}", number=number)
        if "conversation_ms" in details:
            values["minutes"] = times.format_number(times.minutes(details["conversation_ms"]), self.language)
        return values

    def _role_placeholders(self, row: AuditRow) -> dict[str, str]:
        """Return the values of the placeholders for a role, and for the resource of a grant."""
        values = {}
        if role_id := row.details.get("role_id"):
            values["role"] = self._role(role_id, row.role_name)
        if resource_id := row.details.get("resource_id"):
            values["resource"] = self._resource(row.details["resource_type"], resource_id, row.details)
        return values

    def _role(self, role_id: UUID, name: str | None) -> str:
        """Return the name of a role; its id if its events no longer have the name."""
        if role_id in BUILT_IN_ROLES:
            return self.translate(f"roles.built_in.{BUILT_IN_ROLES[role_id]}.name")
        return name if name is not None and name != ERASED else str(role_id)

    def _resource(self, resource_type: str, resource_id: str, details: Mapping[str, Any]) -> str:
        """Return the type of a resource in words, its name for people if the event has one, and its id."""
        key = f"roles.resource_type.{resource_type}"
        kind = self.translate(key) if translations.has_text(self.language, key) else resource_type
        label = details.get("resource_label")
        if label is None or label == ERASED:
            return self.translate("actions.resource.unnamed", type=kind, id=resource_id)
        return self.translate("actions.resource.named", type=kind, id=resource_id, label=label)

    def emphasized(self, name: str) -> str:
        """Return a name as sentences contain it."""
        return name

    def translate(self, key: str, /, **values: Any) -> str:
        """Return a text in this language."""
        return translations.translate(self.language, key, **values)
