"""Hostile text in the console: control characters are removed, and adjacent text keeps its order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from bs4 import Tag

from application.command_context import CommandContext
from application.commands.activities import Activity
from application.display_text import MAX_COMBINING_MARKS, has_visible_character
from domain.event_metadata import ActorType
from domain.roles import OPERATOR
from tests.api.clients import OWN_PASSWORD, require_problem
from tests.console.roles import create_role, grants_of, roles_of, set_grants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.api.clients import SubUser
    from tests.console.browsing import Page
    from tests.console.conftest import AccountConsole

RIGHT_TO_LEFT = "\u05d0\u05d1\u05d2"
HOSTILE = f"\u202e{RIGHT_TO_LEFT}\u2066\u200f\u061cz" + "\u0301" * 40
"""A legal name with an override, an unclosed isolate, direction marks and stacked accents."""

HOSTILE_STORED = f"{HOSTILE}\x1b[2J\x9b2J\x07\x7f\x85\u2028\u2069"
"""Text that only events of older versions, or fields without validation, can contain."""

HARMFUL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066\u2067]")
STACKED_MARKS = re.compile(f"\u0301{{{MAX_COMBINING_MARKS + 1}}}")
ISOLATED = re.compile("\u2068[^\u2068\u2069]*\u2069")
ISOLATING_ELEMENTS = {"td", "th", "dd", "dt", "li", "p", "h1", "h2", "h3", "title", "caption", "option", "bdi"}
"""Elements that the bidirectional algorithm treats as paragraphs or isolates."""


@pytest.fixture
def hostile_sub_user(console: AccountConsole) -> SubUser:
    """A sub-user with only hostile texts, in an account with a hostile name."""
    console.account.portal.patch(console.account.path, json={"company_name": HOSTILE})
    sub_user = console.account.create_with_own_password(name=HOSTILE, surname=HOSTILE)
    service, account_id, sub_user_id = (
        console.clients.service,
        UUID(console.account.account_id),
        UUID(sub_user.sub_user_id),
    )
    context = CommandContext(ActorType.SUB_USER, sub_user.sub_user_id, user_agent=HOSTILE_STORED, ip="198.51.100.7")
    activities = [Activity(sub_user_id, "tool.used", HOSTILE_STORED, f'{{"a{RIGHT_TO_LEFT}\u202e": "\u202e\u009b"}}')]
    service.commands.activities.record(account_id, activities, context)
    role_id = create_role(console.account, HOSTILE, description=HOSTILE)
    resource = {"type": "assistant", "id": HOSTILE, "label": HOSTILE}
    grants: list[dict[str, Any]] = [{"role_id": role_id, "resource": resource}, {"role_id": role_id}]
    set_grants(sub_user, *grants, {"role_id": str(OPERATOR)}, reason=HOSTILE)
    return sub_user


def pages(console: AccountConsole, sub_user: SubUser) -> Iterator[Page]:
    owner, sub_user_browser = console.owner(), console.sub_user(sub_user, OWN_PASSWORD)
    for path in ("/account", "/sub-users", f"/sub-users?q={RIGHT_TO_LEFT}", "/monitoring", "/usage", "/login"):
        yield owner.get(path)
    for path in ("", "/edit", "/delete", "/send-again", "/roles", "/roles/new"):
        yield owner.get(f"/sub-users/{sub_user.sub_user_id}{path}")
    for grant in grants_of(sub_user):
        yield owner.get(f"/sub-users/{sub_user.sub_user_id}/roles/{grant['grant_id']}/revoke")
    (role_id,) = [role["role_id"] for role in roles_of(console.account).values() if role["built_in"] is None]
    for path in ("", "/new", f"/{role_id}/edit", f"/{role_id}/delete"):
        yield owner.get(f"/roles{path}")
    yield owner.submit(owner.get(f"/roles/{role_id}/edit"), f"/{role_id}/edit", fingerprint="", description=HOSTILE)
    for path in ("/profile", "/colleagues", "/password", "/login?as=sub-user"):
        yield sub_user_browser.get(path)
    edit = owner.get(f"/sub-users/{sub_user.sub_user_id}/edit")
    yield owner.submit(edit, f"/{sub_user.sub_user_id}/edit", name="\u202e")
    sub_user.change(surname=f"{HOSTILE}2")
    yield owner.submit(edit, f"/{sub_user.sub_user_id}/edit", surname=f"{HOSTILE}3")


def texts(page: Page) -> Iterator[tuple[Tag, str]]:
    """Yield the texts and attributes of a page, except for values of fields, which browsers isolate."""
    for text in page.soup.find_all(string=True):
        assert isinstance(text.parent, Tag)
        yield text.parent, str(text)
    for tag in page.soup.find_all(True):
        for name, value in tag.attrs.items():
            if (tag.name, name) != ("input", "value"):
                yield tag, value if isinstance(value, str) else " ".join(value)


def is_isolated(tag: Tag, text: str) -> bool:
    """Return whether the text's right-to-left part cannot reorder adjacent text."""
    if RIGHT_TO_LEFT not in ISOLATED.sub("", text):
        return True
    return tag.name == "bdi" or (tag.name in ISOLATING_ELEMENTS and tag.get_text().strip() == text.strip())


def test_hostile_text_is_neutralized_on_every_page(console: AccountConsole, hostile_sub_user: SubUser) -> None:
    """The pages are all those with a name, a user agent, a target or details."""
    isolated_texts = 0
    for page in pages(console, hostile_sub_user):
        assert page.status in {200, 409, 422}, page.path
        for tag, text in texts(page):
            assert HARMFUL.search(text) is None, (page.path, tag.name, ascii(text))
            assert STACKED_MARKS.search(text) is None, (page.path, tag.name, ascii(text))
            assert not set("\u2068\u2069") & set(ISOLATED.sub("", text)), (page.path, tag.name, ascii(text))
            if page.path.startswith(("/sub-users?q", "/login")) and tag.name in {"a", "form"}:
                continue  # the URL of a search, in an attribute
            assert is_isolated(tag, text), (page.path, tag.name, ascii(text))
            isolated_texts += RIGHT_TO_LEFT in text
    assert isolated_texts > 30


@pytest.mark.parametrize(
    "name",
    [
        "\u200b",
        "\u202e\u202c",
        "\ufe0f",
        "\u3164",
        "\u115f\u1160",
        "\uffa0",
        "\u2800",
        "\U000e0041\U000e007f",
        "\u0301",
    ],
    ids=ascii,
)
def test_invisible_names_are_refused_by_the_api(console: AccountConsole, name: str) -> None:
    """This holds for names, surnames and company names; the error names the field."""
    assert not has_visible_character(name)
    portal, sub_user = console.account.portal, console.account.create_sub_user()
    for field in ("name", "surname"):
        body: dict[str, Any] = {"email": "ada@company.example", "name": "Ada", "surname": "Lovelace", field: name}
        for response in (
            portal.post(f"{console.account.path}/sub-users", json=body),
            portal.patch(sub_user.path, json={field: name}),
        ):
            problem = require_problem(response, 422, "invalid-input", field)
            assert problem["errors"][field] == ["must have at least one visible character"]
    refused = portal.patch(console.account.path, json={"company_name": name})
    require_problem(refused, 422, "invalid-input", "company_name")


@pytest.mark.parametrize(
    ("language", "message"),
    [("en", "Enter at least one visible character."), ("it", "Inserisci almeno un carattere visibile.")],
)
def test_invisible_names_are_refused_by_the_form(
    new_console: Callable[..., AccountConsole], language: str, message: str
) -> None:
    console = new_console(language=language)
    owner = console.owner()
    sub_user = console.account.create_sub_user()
    refused = owner.submit(
        owner.get(f"/sub-users/{sub_user.sub_user_id}/edit"), f"/{sub_user.sub_user_id}/edit", name="\u3164"
    )
    assert (refused.status, refused.error("name")) == (422, message)
