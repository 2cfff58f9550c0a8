"""CONTRIBUTING.md lists every file that a new event or field touches, and the tests name a forgotten one."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.http.resources.sub_users.schemas import NewSubUser, SubUserAnswer, SubUserPatch
from api.presentation.translations import LANGUAGES, load_texts
from application.commands.resources import SubUserDetails
from application.commands.sub_users import SubUserChanges, SubUsers
from domain import events
from domain.main_account import MainAccount
from domain.sub_user import SubUser, SubUserEdit
from projections.sub_users.projection import DECISION_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from collections.abc import Set as AbstractSet

ROOT = Path(__file__).parents[1]
PRODUCTION = ("domain", "application", "adapters", "projections", "api", "tools")
SUFFIXES = {".py", ".sql", ".toml", ".html"}
FILES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for folder in PRODUCTION
    for path in (ROOT / folder).rglob("*.*")
    if path.suffix in SUFFIXES
}
"""Text of each production file, by path."""

MIGRATIONS = "adapters/postgres/maintenance/migrations/"
MAX_FILES_OF_AN_EVENT = 6
MAX_FILES_OF_A_FIELD = 9

MAIN_ACCOUNT_EVENTS, SUB_USER_EVENTS = "domain/events/main_account.py", "domain/events/sub_user.py"

USES_OF_THE_EXPIRY = {
    "adapters/postgres/access_control/sql/grants.sql",
    "adapters/postgres/event_store/sql/transactional_writes.sql",
    "adapters/postgres/maintenance/sql/housekeeping.sql",
    "adapters/postgres/tables/sql/sessions.sql",
    "api/console/batches/bulk.py",
    "api/console/sub_users/expiry.py",
    "api/console/batches/import_people.py",
    "api/console/sub_users/status.py",
    "api/demo/company.py",
    "application/side_effects.py",
    "application/sign_in/new_session.py",
    "application/sign_in/sub_user_sign_in.py",
    "application/transactional_writes/sessions.py",
    "application/workers/mail_composition.py",
    "domain/refusals.py",
    "projections/sub_users/queries.py",
}
"""Files that act on the expiry of access. An ordinary field has no such files."""

DETAIL_FIELDS = {"active": "status"}
RESPONSE_FIELDS = {**DETAIL_FIELDS, "credentials_kind": "credentials"}
"""Names in the details of a sub-user, and in responses, of stored fields that have another name there."""

NOT_SHOWN = {"revision", "mail_version"}
"""Stored fields of a sub-user that responses do not show, other than as an ETag."""

NOT_SET_AT_CREATION = {"active"}
INPUT_FIELDS = {"changes_expiry", "new_password", "credentials_kind"}
"""Fields of `SubUserEdit` that set no field of a sub-user."""


class Section:
    """A section of CONTRIBUTING.md: the numbered steps, which always apply, and the other files that it names."""

    def __init__(self, heading: str) -> None:
        text = (ROOT / "CONTRIBUTING.md").read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
        items = re.split(r"\n(?=\d\. |- |\n)", text)
        self.steps = [self._paths(item.split(":", 1)[0]) for item in items if re.match(r"\d\. ", item)]
        self.optional = {path for item in items if item.startswith("- ") for path in self._paths(item)}

    def is_listed(self, path: str) -> bool:
        """Return whether a step or an optional item names this file or its folder."""
        return any(path.startswith(listed) for listed in {*self.optional, *(p for step in self.steps for p in step)})

    @staticmethod
    def _paths(item: str) -> list[str]:
        return [path for path in re.findall(r"`([\w./]+)`", item) if path.split("/")[0] in PRODUCTION and "/" in path]


EVENT, FIELD = Section("Add an event"), Section("Add a field")


def files_mentioning(pattern: str) -> set[str]:
    """Return the production files in which a pattern occurs."""
    return {path for path, text in FILES.items() if re.search(pattern, text, re.MULTILINE)}


@pytest.mark.parametrize(
    ("event_class", "module"),
    [
        (events.SubUserAccessExpirySet, SUB_USER_EVENTS),
        (events.SubUserUnlocked, SUB_USER_EVENTS),
        (events.UsageThresholdReached, MAIN_ACCOUNT_EVENTS),
    ],
)
def test_steps_for_an_event_are_its_files(event_class: type[events.Event], module: str) -> None:
    """Each step names a file that mentions an existing event, and no unlisted file mentions it."""
    assert len(EVENT.steps) <= MAX_FILES_OF_AN_EVENT
    key = event_class.DESCRIPTOR.name.partition(".")[2]
    mentioning_files = files_mentioning(rf"\b{event_class.__name__}\b|\.{key}\b|^{key} = ")
    for step in EVENT.steps:
        assert (module if module in step else step[0]) in mentioning_files
    assert {path for path in mentioning_files if not EVENT.is_listed(path)} == set()


def test_steps_for_a_field_are_its_files() -> None:
    """Each step names a file that mentions an existing optional field, and no unlisted file mentions it."""
    assert len(FIELD.steps) <= MAX_FILES_OF_A_FIELD
    mentioning_files = files_mentioning(r"\baccess_expires_at\b")
    for step in FIELD.steps:
        assert any(path.startswith(step[0]) for path in mentioning_files), step[0]
    assert {path for path in mentioning_files if not FIELD.is_listed(path)} - USES_OF_THE_EXPIRY == set()
    assert mentioning_files >= USES_OF_THE_EXPIRY


def missing_places(sub_user: type[SubUser], edit: type[SubUserEdit]) -> list[str]:
    """Return the places in which fields of a sub-user, or of an edit, are missing, with instructions."""
    stored = _names(sub_user) - DECISION_FIELDS
    detailed = {DETAIL_FIELDS.get(name, name) for name in stored - NOT_SHOWN}
    shown = {RESPONSE_FIELDS.get(name, name) for name in stored - NOT_SHOWN}
    edited = _names(edit) - INPUT_FIELDS
    creatable = edited - NOT_SET_AT_CREATION
    places: list[tuple[AbstractSet[str], Collection[str], str]] = [
        (creatable, _fields_of_events(), "no event has {}: add it in domain/events/sub_user.py"),
        (edited, _names(sub_user), "SubUser has no {}: add it in domain/sub_user.py"),
        (edited, _read_by_decision(), "MainAccount.edit_sub_user ignores {}: decide in domain/main_account.py"),
        (
            creatable,
            _parameters(MainAccount.create_sub_user),
            "create_sub_user has no {}: add it in domain/main_account.py",
        ),
        (edited, _names(SubUserChanges), "SubUserChanges has no {}: add it in application/commands/sub_users.py"),
        (creatable, _parameters(SubUsers.create), "create has no {}: add it in application/commands/sub_users.py"),
        (detailed, _names(SubUserDetails), "SubUserDetails has no {}: add it in application/commands/resources.py"),
        (
            stored,
            _words_in_migrations(),
            f"sub_user_view has no {{}}: add it in {MIGRATIONS}",
        ),
        (edited, SubUserPatch().fields, "SubUserPatch has no {}: add it in api/http/resources/sub_users/schemas.py"),
        (creatable, NewSubUser().fields, "NewSubUser has no {}: add it in api/http/resources/sub_users/schemas.py"),
        (shown, SubUserAnswer().fields, "SubUserAnswer has no {}: add it in api/http/resources/sub_users/schemas.py"),
        *(
            (
                creatable,
                _labels(language),
                f"{{}} has no label: add it in api/presentation/texts/{language}/actions.toml",
            )
            for language in LANGUAGES
        ),
    ]
    return [message.format(name) for needed, present, message in places for name in sorted(needed - {*present})]


def _fields_of_events() -> set[str]:
    modules = {"domain.events.sub_user"}
    return {name for event in events.EVENT_CLASSES if event.__module__ in modules for name in _names(event)}


def _read_by_decision() -> set[str]:
    """Return the fields of an edit that the decision reads, also through methods of the edit."""
    sources = inspect.getsource(MainAccount.edit_sub_user) + inspect.getsource(SubUserEdit)
    return set(re.findall(r"\b(?:edit|self)\.(\w+)", sources))


def _parameters(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters)


def _words_in_migrations() -> set[str]:
    return {word for path, text in FILES.items() if path.startswith(MIGRATIONS) for word in re.findall(r"\w+", text)}


def _labels(language: str) -> set[str]:
    return {key.removeprefix("actions.detail.") for key in load_texts(language)}


def _names(dataclass: Any) -> set[str]:
    return {field.name for field in fields(dataclass)}


def test_no_place_of_a_field_is_forgotten() -> None:
    """The failure explains what to add."""
    missing = missing_places(SubUser, SubUserEdit)
    assert missing == [], "\n".join(missing)


def test_forgotten_places_of_a_field_are_reported() -> None:
    """Validates the test above: every step of the list is named for a field that only `domain/sub_user.py` has."""
    extra = [("phone", "str | None", None)]
    sub_user = make_dataclass("SubUserWithPhone", extra, bases=(SubUser,), frozen=True)
    edit = make_dataclass("SubUserEditWithPhone", extra, bases=(SubUserEdit,), frozen=True)
    reported = "\n".join(missing_places(sub_user, edit))
    for step in FIELD.steps:
        assert step == ["domain/sub_user.py"] or step[0] in reported
    assert "SubUser has no phone" in "\n".join(missing_places(SubUser, edit))
