"""Completeness of the event descriptions in every language."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import application
import domain
from api.console.pages import ICONS, STATIC
from api.presentation.event_descriptions import SERVICE_ACTIONS, VARIANTS
from api.presentation.event_kinds import ICONS_BY_EFFECT, KINDS, KINDS_BY_GROUP
from api.presentation.translations import LANGUAGES, load_texts
from application.commands.webhooks import DisableReason
from application.transparency.export_claims import NON_DETAIL_FIELDS
from domain import events
from domain.event_metadata import ActorType, ReadTarget, Via
from domain.mails import LinkPurpose, SecurityNotice
from domain.plan import Resource
from domain.second_factor import SecondFactorKind, SecondFactorPolicy, VerificationMethod
from domain.sub_user import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

MAIL_VARIANTS = {"access_data", "invitation", "password_changed", "email_changed"}
SENTENCE_VARIANTS: Mapping[str, AbstractSet[str]] = {
    "main_account.logged_in": set(Via),
    "main_account.logged_out": {"one", "all"},
    "main_account.usage_threshold_reached": set(Resource),
    "sub_user.visibility_changed": {"visible", "hidden"},
    "sub_user.access_expiry_set": {"end", "no_end"},
    "sub_user.activated": {Notice.ACTIVATION, Notice.REACTIVATION, Notice.INVITATION},
    "sub_user.password_reset": {"set", "sent", "invitation"},
    "sub_user.logged_in": {"own", "temporary"},
    "sub_user.login_refused": {"known", "unknown"},
    "sub_user.logged_out": {"one", "by_other", "all"},
    "sub_user.credentials_mailed": MAIL_VARIANTS,
    "sub_user.credentials_mail_failed": MAIL_VARIANTS,
    "sub_user.personal_data_erased": {"owner", "sub_user"},
    "person.new_device_signed_in": {"owner", "sub_user"},
    "sub_user.role_granted": {"everything", "everything_until", "resource", "resource_until"},
    "sub_user.role_revoked": {"everything", "resource"},
    **{
        action: {"owner", "sub_user"}
        for action in ("person.password_reset_requested", "person.notice_mailed", "person.notice_mail_failed")
    },
    "main_account.second_factor_policy_set": set(SecondFactorPolicy),
    "person.second_factor_added": set(SecondFactorKind),
    "person.second_factors_reset": {"owner", "sub_user"},
    "person.second_factor_verified": set(VerificationMethod),
    "person.second_factor_refused": {"owner", "sub_user"},
    "audit_log.read": set(ReadTarget),
}
"""Variants of the actions that have several sentences."""

for_each_language = pytest.mark.parametrize("language", LANGUAGES)


def keys_below(language: str, table: str) -> set[str]:
    """Return the keys of a table of texts."""
    return {key.removeprefix(f"{table}.") for key in load_texts(language) if key.startswith(f"{table}.")}


@for_each_language
def test_every_action_has_a_sentence_and_a_label(language: str) -> None:
    expected = {
        f"{action}.{variant}" if variant else action
        for action in SERVICE_ACTIONS
        for variant in SENTENCE_VARIANTS.get(action, {""})
    }
    assert keys_below(language, "actions.sentence") == expected
    assert keys_below(language, "actions.label") == SERVICE_ACTIONS
    assert set(SENTENCE_VARIANTS) == set(VARIANTS)


def test_every_action_of_an_account_has_a_group_in_the_filter() -> None:
    """The page could not show an action without a group."""
    without_account = (events.ApiKeyEvent, events.InstallationEvent)
    actions = {
        event_class.DESCRIPTOR.name
        for event_class in events.EVENT_CLASSES
        if event_class.DESCRIPTOR.has_own_action and not issubclass(event_class, without_account)
    }
    assert {KINDS[action].group for action in actions} == set(KINDS_BY_GROUP)


def test_icons_are_in_the_sprite() -> None:
    sprite = (STATIC / ICONS).read_text()
    icons = {kind.icon for kind in KINDS.values()} | {icon for icon, _ in ICONS_BY_EFFECT.values()}
    assert {icon for icon in icons if f'id="{icon}"' not in sprite} == set()


@for_each_language
def test_every_group_has_a_label(language: str) -> None:
    assert keys_below(language, "monitoring.groups") == {*KINDS_BY_GROUP, "activity"}


EVENTS_WITH_DETAILS = events.Event, events.WebhookEvent, events.AuditEvent, events.ApiKeyEvent, events.UsageRecorded


@for_each_language
def test_every_event_detail_has_a_label(language: str) -> None:
    details = {
        field.name
        for event in vars(events).values()
        if isinstance(event, type) and issubclass(event, EVENTS_WITH_DETAILS)
        for field in fields(event)
    }
    assert details - NON_DETAIL_FIELDS - keys_below(language, "actions.detail") == set()


@for_each_language
def test_every_enumerated_value_is_translated(language: str) -> None:
    assert keys_below(language, "actions.value.notice") == {*Notice, *SecurityNotice}
    assert keys_below(language, "actions.value.purpose") == set(LinkPurpose)
    assert keys_below(language, "actions.value.via") == set(Via)
    assert keys_below(language, "actions.value.resource") == set(Resource)
    assert keys_below(language, "actions.value.kind") == set(SecondFactorKind)
    assert keys_below(language, "actions.value.method") == set(VerificationMethod)
    assert keys_below(language, "actions.value.policy") == set(SecondFactorPolicy)
    assert keys_below(language, "actions.value.what") == set(ReadTarget)
    assert keys_below(language, "actions.actor") == set(ActorType)
    assert keys_below(language, "actions.person") == keys_below(language, "actions.person_first")
    assert keys_below(language, "actions.value.why") == login_refusal_reasons() | set(DisableReason)


def login_refusal_reasons() -> set[str]:
    """Return all reasons for refused logins, extracted from the source."""
    sources = (*Path(str(domain.__file__)).parent.rglob("*.py"), *Path(str(application.__file__)).parent.rglob("*.py"))
    raised = {
        why
        for source in sources
        for why in re.findall(r'(?:LoginRefused|SecondFactorWrong)\("(\w+)"\)', source.read_text(encoding="utf-8"))
    }
    account = Path(str(domain.__file__)).with_name("main_account.py").read_text(encoding="utf-8")
    body = account.split("def access_refusal")[1].split("    def ")[0]
    return raised | set(re.findall(r'return "(\w+)"', body))


def test_event_texts_have_the_same_placeholders_in_all_languages() -> None:
    for page in ("actions", "monitoring", "sub_user"):
        texts = [
            {
                key: set(re.findall(r"{(\w+)}", text))
                for key, text in load_texts(language).items()
                if key.startswith(page)
            }
            for language in LANGUAGES
        ]
        assert texts[0].keys() == texts[1].keys()
        assert {key: {name.lower() for name in names} for key, names in texts[0].items()} == {
            key: {name.lower() for name in names} for key, names in texts[1].items()
        }
