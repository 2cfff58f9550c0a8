"""Roles of a sub-user as the console shows them: on their page, to themselves and in the audit log."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from api.console.grants import overview
from api.console.roles import abilities
from api.console.sub_users import details
from domain.roles import OPERATOR, VIEWER
from tests.api.clients import OWN_PASSWORD
from tests.console.conftest import AccountConsole
from tests.console.roles import FRONT_DESK, abilities_on, chips, create_role, page_of, set_grants
from tests.console.test_monitoring import timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.clients import ApiClients
    from tests.conftest import TravelingClock


def test_new_sub_user_is_an_operator_on_everything(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    page = page_of(console.owner(), sub_user)

    (chip,) = chips(page)
    assert chip.startswith("Operator Everything Given on ")
    assert "What Grace Hopper can do" in page.text
    on_everything, on_resources = abilities_on(page)
    assert on_everything == [
        "Work with voice assistants",
        "Work with the assistants' tools",
        "Work with RAG collections, the documents that assistants use",
        "See statistics",
        "See reports",
    ]
    assert not on_resources
    assert not page.soup.select(".card:has(> .grants) .notice")


def test_preview_follows_the_checks(console: AccountConsole) -> None:
    """What the page shows is what the introspection of a session answers."""
    sub_user = console.account.create_with_own_password()
    editor = create_role(console.account, permissions=("assistants", "statistics"))
    set_grants(sub_user, {"role_id": editor, "resource": FRONT_DESK}, {"role_id": str(VIEWER)})
    labels = {
        permission["name"]: permission["labels"]["en"]
        for permission in console.account.portal.get("/v1/permissions").json["permissions"]  # type: ignore[index]
    }
    resource = {"type": FRONT_DESK["type"], "id": FRONT_DESK["id"]}
    body = {
        "token": sub_user.new_token(),
        "checks": [{"permission": name, "resource": scope} for scope in (None, resource) for name in labels],
    }
    answers = console.account.portal.post("/v1/sessions/introspect", json=body).json["checks"]  # type: ignore[index]
    allowed = [answer["allowed"] for answer in answers]

    on_everything, on_resources = abilities_on(page_of(console.owner(), sub_user))

    names = list(labels)
    assert on_everything == [labels[name] for name, is_allowed in zip(names, allowed, strict=False) if is_allowed]
    on_front_desk = [labels[name] for name, is_allowed in zip(names, allowed[len(names) :], strict=True) if is_allowed]
    assert on_resources == {"Assistant Front desk asst-1041": ", ".join(on_front_desk)}
    assert (len(on_everything), len(on_front_desk)) == (2, 1)


@pytest.mark.parametrize(
    ("language", "inactive", "temporary", "nothing"),
    [
        ("en", "can do nothing at present", "until they have chosen their own password", "none of the roles allows"),
        ("it", "non può fare nulla, perché", "finché non sceglie una password", "nessuno dei ruoli permette"),
    ],
)
def test_page_says_what_is_missing(
    new_console: Callable[..., AccountConsole], language: str, inactive: str, temporary: str, nothing: str
) -> None:
    """What the sub-user could do is shown too."""
    console = new_console(language=language)
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    page = page_of(browser, sub_user)
    assert inactive in page.find(".card:has(> .grants) > .notice").text
    assert len(abilities_on(page)[0]) == 5
    sub_user.change(status="active")
    page = page_of(browser, sub_user)
    assert temporary in page.find(".card:has(> .grants) > .notice").text
    set_grants(sub_user)
    page = page_of(browser, sub_user)
    assert nothing in page.text
    assert not chips(page)


def test_expired_role_is_marked_and_allows_nothing(own_clients: ApiClients, clock: TravelingClock) -> None:
    """Exactly from its end on. Roles in force come first."""
    console = AccountConsole.register(own_clients)
    sub_user = console.account.create_with_own_password()
    clock.freeze()
    expires_at = clock() + timedelta(minutes=5)
    editor = create_role(console.account)
    set_grants(
        sub_user,
        {"role_id": editor, "resource": FRONT_DESK, "expires_at": expires_at.isoformat()},
        {"role_id": str(VIEWER)},
    )
    browser = console.owner()
    clock.advance(minutes=5, microseconds=-1)
    page = page_of(browser, sub_user)
    assert chips(page)[0].split(" until")[0] == "Account manager Assistant Front desk asst-1041"
    assert abilities_on(page)[1]
    clock.advance(microseconds=1)
    page = page_of(browser, sub_user)
    assert chips(page)[0].startswith("Viewer Everything")
    assert chips(page)[1].startswith("Account manager Assistant Front desk asst-1041 ended on")
    assert not abilities_on(page)[1]
    confirmation = browser.get(str(page.soup.select(".grants a")[0]["href"]))
    assert confirmation.find(".notice.warning").text.startswith("It is the only role")


def test_many_roles_are_on_pages_of_their_own(console: AccountConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(details, "SHOWN_GRANTS", 2)
    monkeypatch.setattr(overview, "PAGE_SIZE", 2)
    monkeypatch.setattr(abilities, "SHOWN_RESOURCES", 2)
    sub_user = console.account.create_with_own_password()
    editor = create_role(console.account)
    resources = [{"type": "assistant", "id": f"asst-{number}"} for number in range(5)]
    set_grants(sub_user, *({"role_id": editor, "resource": resource} for resource in resources))
    browser = console.owner()
    page = page_of(browser, sub_user)
    assert len(chips(page)) == 2
    assert len(abilities_on(page)[1]) == 2
    assert "And on 3 more." in page.text
    page = browser.get(str(page.find("main a[href$='/roles']")["href"]))
    assert page.find("h1").text == "Roles of Grace Hopper"
    seen = chips(page)
    while next_links := page.soup.select("nav a[rel=next]"):
        page = browser.get(str(next_links[0]["href"]))
        seen += chips(page)
    assert len(seen) == len(set(seen)) == 5
    assert str(page.find("nav a[rel=prev]")["href"]).endswith("page=2")
    for number in ("0", "-1", "99", "x", "%00"):
        assert browser.get(f"/sub-users/{sub_user.sub_user_id}/roles?page={number}").status == 200


def test_page_of_a_sub_user_without_roles(console: AccountConsole) -> None:
    set_grants(sub_user := console.account.create_sub_user())
    page = console.owner().get(f"/sub-users/{sub_user.sub_user_id}/roles")
    assert page.find(".notice.warning").text == "Grace Hopper has no role, and can do nothing."


@pytest.mark.parametrize(
    ("language", "chip", "on_resources", "nothing"),
    [
        ("en", "Account manager Assistant Front desk asst-1041 until 31 Jan 2099, 12:00", "Only on single", "Ask the"),
        ("it", "Account manager Assistente Front desk asst-1041 scade: 31 gen 2099, 12:00", "Solo su", "Rivolgiti al"),
    ],
)
def test_sub_user_sees_their_own_roles_and_permissions(
    new_console: Callable[..., AccountConsole], language: str, chip: str, on_resources: str, nothing: str
) -> None:
    """Not the reasons, which are for the owner, and no actions."""
    console = new_console(language=language)
    sub_user = console.account.create_with_own_password()
    editor = create_role(console.account, description="An internal note")
    expires_at = "2099-01-31T12:00:00Z"
    set_grants(
        sub_user, {"role_id": editor, "resource": FRONT_DESK, "expires_at": expires_at}, reason="A private reason"
    )
    browser = console.sub_user(sub_user, OWN_PASSWORD)
    page = browser.get("/profile")

    assert chips(page) == [chip]
    assert on_resources in page.text
    assert not page.soup.select(".grants a")
    assert "A private reason" not in page.response.text
    assert "An internal note" not in page.response.text
    set_grants(sub_user)
    page = browser.get("/profile")
    assert nothing in page.text
    assert not chips(page)


def test_profile_shows_a_part_of_many_roles(console: AccountConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.console.account.profile.SHOWN_GRANTS", 1)
    sub_user = console.account.create_with_own_password()
    set_grants(sub_user, {"role_id": str(VIEWER)}, {"role_id": str(OPERATOR)})
    page = console.sub_user(sub_user, OWN_PASSWORD).get("/profile")
    assert len(chips(page)) == 1
    assert "Only the first 1 roles are shown." in page.text


def test_form_for_new_sub_users_explains_their_role(console: AccountConsole) -> None:
    page = console.owner().get("/sub-users/new")
    assert "They get the role Operator on everything." in page.text
    assert page.find("main form a[href='/roles']").text == "About roles"


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "en",
            [
                "Winds & Waves deleted the role Author",
                "Winds & Waves took the role Author on the assistant asst-1041 from Grace Hopper",
                "Winds & Waves took the role Operator on everything from Grace Hopper",
                "Winds & Waves gave Grace Hopper the role Author on the assistant Front desk (asst-1041)",
                "Winds & Waves changed the role Author",
                "Winds & Waves created the role Editor",
            ],
        ),
        (
            "it",
            [
                "Winds & Waves ha eliminato il ruolo Author",
                "Winds & Waves ha tolto a Grace Hopper il ruolo Author per: assistente asst-1041",
                "Winds & Waves ha tolto a Grace Hopper il ruolo Operatore su tutto",
                "Winds & Waves ha assegnato a Grace Hopper il ruolo Author per: assistente Front desk (asst-1041)",
                "Winds & Waves ha modificato il ruolo Author",
                "Winds & Waves ha creato il ruolo Editor",
            ],
        ),
    ],
)
def test_monitoring_describes_roles_in_words(
    new_console: Callable[..., AccountConsole], language: str, sentences: list[str]
) -> None:
    """By the latest name of the role, also once it is deleted. The filter has the actions."""
    console = new_console(language=language)
    sub_user = console.account.create_sub_user()
    role_id = create_role(console.account, "Editor")
    path = f"{console.account.path}/roles/{role_id}"
    console.account.portal.patch(path, json={"name": "Author"})
    set_grants(sub_user, {"role_id": role_id, "resource": FRONT_DESK})
    set_grants(sub_user)
    assert console.account.portal.delete(path).status_code == 204
    page = console.owner().get("/monitoring")

    assert [sentence for sentence in timeline(page) if "rol" in sentence or "ruol" in sentence] == sorted(
        sentences, key=timeline(page).index
    )
    actions = {str(option["value"]) for option in page.soup.select("select[name=action] option")}
    assert {"main_account.role_created", "sub_user.role_granted", "sub_user.role_revoked"} <= actions
