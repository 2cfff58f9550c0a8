"""What happened, in words: there are some for everything that can happen, in every language."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import application
import domain
from api.action_words import OWN_ACTIONS, VARIANTS
from api.console.language import LANGUAGES, words
from application.webhooks import Why
from domain import events
from domain.cause import ActorType, Reading, Via
from domain.plan import Resource
from domain.sub_user import Notice
from projections.audit_rows import NOT_DETAILS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

MAILED = {"access_data", "password_changed"}
SENTENCES: Mapping[str, AbstractSet[str]] = {
    "main_account.logged_in": set(Via),
    "main_account.logged_out": {"one", "all"},
    "main_account.usage_threshold_reached": set(Resource),
    "sub_user.visibility_changed": {"visible", "hidden"},
    "sub_user.access_expiry_set": {"end", "no_end"},
    "sub_user.activated": {Notice.ACTIVATION, Notice.REACTIVATION},
    "sub_user.password_reset": {"set", "sent"},
    "sub_user.logged_in": {"own", "temporary"},
    "sub_user.login_refused": {"known", "unknown"},
    "sub_user.logged_out": {"one", "all"},
    "sub_user.credentials_mailed": MAILED,
    "sub_user.credentials_mail_failed": MAILED,
    "sub_user.personal_data_erased": {"owner", "sub_user"},
    "audit_log.read": set(Reading),
}
"""Of the actions that there are several sentences for."""

in_each_language = pytest.mark.parametrize("language", LANGUAGES)


def below(language: str, table: str) -> set[str]:
    """Return the keys of a table of texts."""
    return {key.removeprefix(f"{table}.") for key in words(language) if key.startswith(f"{table}.")}


@in_each_language
def test_everything_that_can_happen_has_a_sentence_and_a_name(language: str) -> None:
    expected = {
        f"{action}.{variant}" if variant else action
        for action in OWN_ACTIONS
        for variant in SENTENCES.get(action, {""})
    }
    assert below(language, "actions.sentence") == expected
    assert below(language, "actions.label") == OWN_ACTIONS
    assert set(SENTENCES) == set(VARIANTS)


@in_each_language
def test_every_detail_has_a_name(language: str) -> None:
    details = {
        field.name
        for event in vars(events).values()
        if isinstance(event, type)
        and issubclass(event, events.Event | events.WebhookEvent | events.AuditEvent | events.UsageRecorded)
        for field in fields(event)
    }
    assert details - NOT_DETAILS - below(language, "actions.fact") == set()


@in_each_language
def test_every_value_that_can_only_be_one_of_a_few_has_words(language: str) -> None:
    assert below(language, "actions.value.notice") == set(Notice)
    assert below(language, "actions.value.via") == set(Via)
    assert below(language, "actions.value.resource") == set(Resource)
    assert below(language, "actions.value.what") == set(Reading)
    assert below(language, "actions.actor") == set(ActorType)
    assert below(language, "actions.person") == below(language, "actions.person_first")
    assert below(language, "actions.value.why") == reasons() | set(Why)


def reasons() -> set[str]:
    """Return every reason that a login is refused for, as the source has them."""
    sources = (*Path(str(domain.__file__)).parent.glob("*.py"), *Path(str(application.__file__)).parent.glob("*.py"))
    raised = {
        why for source in sources for why in re.findall(r'LoginRefused\("(\w+)"\)', source.read_text(encoding="utf-8"))
    }
    account = Path(str(domain.__file__)).with_name("main_account.py").read_text(encoding="utf-8")
    body = account.split("def why_no_access")[1].split("    def ")[0]
    return raised | set(re.findall(r'return "(\w+)"', body))


def test_the_languages_speak_of_the_same_things() -> None:
    """The same texts, with the same values in them."""
    for page in ("actions", "monitoring", "sub_user"):
        texts = [
            {key: set(re.findall(r"{(\w+)}", text)) for key, text in words(language).items() if key.startswith(page)}
            for language in LANGUAGES
        ]
        assert texts[0].keys() == texts[1].keys()
        assert {key: {name.lower() for name in names} for key, names in texts[0].items()} == {
            key: {name.lower() for name in names} for key, names in texts[1].items()
        }
