"""Kinds of events: the icon, the tone and the group of each action, for pages and filters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from application.commands.activity_types import ActivityEffect
from domain.events import EVENT_CLASSES
from domain.events.ocsf import AUTHENTICATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from application.commands.activity_types import ActivityTypes
    from domain.events.descriptor import EventDescriptor


class Tone(StrEnum):
    """Color of an icon. Each value is a class of the style sheet."""

    NEUTRAL = ""
    ACCENT = "acc"
    GOOD = "ok"
    BAD = "bad"


@dataclass(frozen=True)
class EventKind:
    """The group of an action, the name of its Lucide icon, and its tone."""

    group: str
    icon: str
    tone: Tone = Tone.NEUTRAL


ACTIVITY_GROUP = "activity"
"""Group of the portal's activities that have no group of their own. `activity.<name>` is a group of the portal's."""

KINDS_BY_GROUP: Mapping[str, Mapping[str, tuple[str, Tone]]] = {
    "sign_in": {
        "main_account.logged_in": ("log-in", Tone.GOOD),
        "sub_user.logged_in": ("log-in", Tone.GOOD),
        "person.second_factor_verified": ("shield-check", Tone.GOOD),
        "main_account.logged_out": ("log-out", Tone.NEUTRAL),
        "sub_user.logged_out": ("log-out", Tone.NEUTRAL),
        "main_account.login_refused": ("triangle-alert", Tone.BAD),
        "sub_user.login_refused": ("triangle-alert", Tone.BAD),
        "person.second_factor_refused": ("triangle-alert", Tone.BAD),
        "sub_user.locked_out": ("lock", Tone.BAD),
        "sub_user.unlocked": ("lock-open", Tone.NEUTRAL),
        "person.new_device_signed_in": ("laptop", Tone.ACCENT),
    },
    "security": {
        "sub_user.password_changed": ("key-round", Tone.NEUTRAL),
        "sub_user.password_reset": ("key-round", Tone.NEUTRAL),
        "person.password_reset_requested": ("key-round", Tone.NEUTRAL),
        "person.password_reset_forwarded": ("key-round", Tone.NEUTRAL),
        "person.link_used": ("external-link", Tone.NEUTRAL),
        "person.second_factor_added": ("shield-check", Tone.GOOD),
        "person.second_factor_removed": ("shield-alert", Tone.BAD),
        "person.second_factors_reset": ("shield-alert", Tone.BAD),
        "person.recovery_codes_issued": ("shield-check", Tone.NEUTRAL),
        "main_account.second_factor_policy_set": ("shield-check", Tone.ACCENT),
        "main_account.password_reset_policy_set": ("key-round", Tone.ACCENT),
    },
    "people": {
        "sub_user.created": ("user-plus", Tone.GOOD),
        "sub_user.details_changed": ("pencil", Tone.ACCENT),
        "sub_user.email_changed": ("pencil", Tone.ACCENT),
        "sub_user.visibility_changed": ("eye", Tone.ACCENT),
        "sub_user.access_expiry_set": ("calendar-clock", Tone.ACCENT),
        "sub_user.activated": ("user-check", Tone.GOOD),
        "sub_user.deactivated": ("user-x", Tone.BAD),
        "sub_user.deleted": ("trash-2", Tone.BAD),
        "sub_user.personal_data_erased": ("trash-2", Tone.BAD),
    },
    "roles": {
        "main_account.role_created": ("plus", Tone.GOOD),
        "main_account.role_changed": ("pencil", Tone.ACCENT),
        "main_account.role_deleted": ("trash-2", Tone.BAD),
        "sub_user.role_granted": ("user-check", Tone.GOOD),
        "sub_user.role_revoked": ("user-x", Tone.BAD),
    },
    "mails": {
        "sub_user.credentials_mailed": ("mail", Tone.NEUTRAL),
        "sub_user.credentials_mail_failed": ("mail-x", Tone.BAD),
        "person.notice_mailed": ("mail", Tone.NEUTRAL),
        "person.notice_mail_failed": ("mail-x", Tone.BAD),
        "sub_user.sign_in_email_announced": ("mail", Tone.NEUTRAL),
    },
    "account": {
        "main_account.registered": ("building-2", Tone.GOOD),
        "main_account.details_changed": ("building-2", Tone.ACCENT),
        "main_account.external_id_set": ("building-2", Tone.ACCENT),
        "main_account.email_change_requested": ("mail", Tone.ACCENT),
        "main_account.former_email_kept": ("mail", Tone.NEUTRAL),
        "main_account.email_change_undone": ("mail", Tone.BAD),
        "main_account.closed": ("building-2", Tone.BAD),
        "main_account.sub_user_limit_raised": ("users", Tone.ACCENT),
        "main_account.plan_set": ("gauge", Tone.ACCENT),
        "main_account.usage_threshold_reached": ("gauge", Tone.BAD),
    },
    "usage": {"sub_user.usage_recorded": ("gauge", Tone.NEUTRAL)},
    "records": {
        "audit_log.read": ("eye", Tone.NEUTRAL),
        "audit_log.exported": ("download", Tone.NEUTRAL),
        "webhook.created": ("send", Tone.GOOD),
        "webhook.enabled": ("send", Tone.GOOD),
        "webhook.disabled": ("send", Tone.BAD),
        "webhook.deleted": ("send", Tone.BAD),
        "webhook.secret_rotated": ("send", Tone.ACCENT),
        "webhook.replayed": ("send", Tone.NEUTRAL),
        "webhook.adopted": ("send", Tone.NEUTRAL),
    },
}
"""Icon and tone of actions of the service, by group, in display order. Other actions get them from `_derived_kind`."""

GROUPS_BY_SUBJECT = {"main_account": "account", "sub_user": "people", "person": "security"}
ICONS_BY_OCSF_ACTIVITY = {1: ("plus", Tone.GOOD), 3: ("pencil", Tone.ACCENT), 4: ("trash-2", Tone.BAD)}
"""Icons of the activities Create, Update and Delete of OCSF."""


def _derived_kind(descriptor: EventDescriptor) -> EventKind:
    subject = descriptor.name.partition(".")[0]
    if descriptor.ocsf.class_uid == AUTHENTICATION:
        return EventKind("sign_in", "log-in")
    icon, tone = ICONS_BY_OCSF_ACTIVITY.get(descriptor.ocsf.activity_id, ("activity", Tone.NEUTRAL))
    return EventKind(GROUPS_BY_SUBJECT.get(subject, "records"), icon, tone)


KINDS: Mapping[str, EventKind] = {
    **{
        event_class.DESCRIPTOR.name: _derived_kind(event_class.DESCRIPTOR)
        for event_class in EVENT_CLASSES
        if event_class.DESCRIPTOR.has_own_action
    },
    **{
        action: EventKind(group, icon, tone)
        for group, kinds in KINDS_BY_GROUP.items()
        for action, (icon, tone) in kinds.items()
    },
}

ICONS_BY_EFFECT: Mapping[ActivityEffect, tuple[str, Tone]] = {
    ActivityEffect.CREATION: ("plus", Tone.GOOD),
    ActivityEffect.CHANGE: ("pencil", Tone.ACCENT),
    ActivityEffect.DELETION: ("trash-2", Tone.BAD),
    ActivityEffect.READING: ("eye", Tone.NEUTRAL),
    ActivityEffect.OTHER: ("activity", Tone.NEUTRAL),
}


def kind_of(action: str, activity_types: ActivityTypes) -> EventKind:
    """Return the kind of an action."""
    if action in KINDS:
        return KINDS[action]
    activity_type = activity_types.by_action.get(action)
    if activity_type is None:
        return EventKind(ACTIVITY_GROUP, *ICONS_BY_EFFECT[ActivityEffect.OTHER])
    group = ACTIVITY_GROUP if activity_type.group is None else f"{ACTIVITY_GROUP}.{activity_type.group}"
    return EventKind(group, *ICONS_BY_EFFECT[activity_type.effect])


def actions_by_group(actions: Iterable[str], activity_types: ActivityTypes) -> dict[str, list[str]]:
    """Return actions by their groups, in display order: the portal's own groups first."""
    groups: dict[str, list[str]] = {f"{ACTIVITY_GROUP}.{group.name}": [] for group in activity_types.groups}
    groups |= {name: [] for name in (ACTIVITY_GROUP, *KINDS_BY_GROUP)}
    for action in actions:
        groups[kind_of(action, activity_types).group].append(action)
    return {name: group for name, group in groups.items() if group}


def actions_of_group(group: str, activity_types: ActivityTypes) -> tuple[str, ...] | None:
    """Return the actions of a group. None for `ACTIVITY_GROUP`, which has all actions that no other group has.

    Raises `KeyError` for an unknown group.
    """
    if group == ACTIVITY_GROUP:
        return None
    if group in KINDS_BY_GROUP:
        return tuple(action for action, kind in KINDS.items() if kind.group == group)
    known = {f"{ACTIVITY_GROUP}.{activity_group.name}" for activity_group in activity_types.groups}
    if group not in known:
        raise KeyError(group)
    return tuple(
        activity_type.action
        for activity_type in activity_types.activity_types
        if f"{ACTIVITY_GROUP}.{activity_type.group}" == group
    )


def grouped_actions(activity_types: ActivityTypes) -> tuple[str, ...]:
    """Return all actions that have a group other than `ACTIVITY_GROUP`."""
    in_groups = (
        activity_type.action for activity_type in activity_types.activity_types if activity_type.group is not None
    )
    return (*KINDS, *in_groups)
