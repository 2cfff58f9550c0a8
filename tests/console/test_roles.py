"""Pages of roles in the console: cards, editor and deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup

from domain.permission_catalogue import INITIAL_CATALOGUE, Permission, PermissionCatalogue
from domain.roles import MAX_ROLES, OPERATOR, VIEWER
from tests.console.roles import FRONT_DESK, create_role, roles_of, set_grants

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole


def cards(page: Page) -> dict[str, str]:
    """Return the texts of the cards by name."""
    texts = {}
    for card in page.soup.select(".roles > li"):
        heading = card.select("h3 bdi")[0].get_text()
        texts[heading] = " ".join(card.get_text(" ").split())
    return texts


def add_role(browser: Browser, name: str, *permissions: str, **fields: Any) -> Page:
    checked: dict[str, Any] = {f"permission-{permission}": True for permission in permissions}
    return browser.submit(browser.get("/roles/new"), name=name, **checked, **fields)


def selected(page: Page) -> set[str]:
    """Return the names of the checked permissions."""
    return {str(box["name"]).removeprefix("permission-") for box in page.soup.select(".matrix input[checked]")}


def test_menu_leads_to_the_built_in_roles(console: AccountConsole) -> None:
    console.account.create_sub_user()
    browser = console.owner()
    page = browser.get("/sub-users")
    page = browser.get(str(page.find("header nav a[href='/roles']")["href"]))

    assert page.find("h1").text == "Roles"
    assert page.find("header a[aria-current=page]").text == "Roles"
    assert "You have no roles of your own yet." in page.text
    assert "0 of 50 roles of your own" in page.text
    assert cards(page) == {
        "Operator": (
            "Operator Built in Every permission that is not reserved for the main account, also those that the portal "
            "adds later. People with this role can: work with voice assistants, work with the assistants' tools, work "
            "with RAG collections, the documents that assistants use, see statistics and see reports. On a single "
            "resource (assistant, tool or RAG collection), it allows only what is about that type. One sub-user has it."
        ),
        "Viewer": (
            "Viewer Built in Every permission that only reads. People with this role can: see statistics and see "
            "reports. On a single resource, it allows nothing. Nobody has it."
        ),
    }
    assert not page.soup.select(".roles a")


def test_role_is_added_and_shown_in_words(console: AccountConsole) -> None:
    browser = console.owner()
    page = add_role(browser, "Client <b>manager</b>", "assistants", description="For {clients}")

    assert page.path == "/roles"
    assert page.success_message == ("Role Client <b>manager</b> added. Give it to sub-users on their pages.")
    assert cards(page)["Client <b>manager</b>"] == (
        "Client <b>manager</b> For {clients} People with this role can: work with voice assistants. "
        "Nobody has it. Edit Delete"
    )
    assert not page.soup.select(".roles b")
    role = roles_of(console.account)["Client <b>manager</b>"]
    assert (role["description"], role["permissions"]) == ("For {clients}", ["assistants"])
    (created,) = console.account.audit_log_rows(action="main_account.role_created")
    assert created["actor"]["type"] == "main_account"
    assert created["actor"]["id"] == console.account.account_id
    assert created["ip"] == "198.51.100.7"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            "People with this role can: work with voice assistants and see reports. On a single resource (assistant), ",
        ),
        ("it", "Chi ha questo ruolo può: lavorare con gli assistenti vocali e consultare i report. Su una sola "),
    ],
)
def test_form_shows_the_selection_in_words(
    new_console: Callable[..., AccountConsole], language: str, words: str
) -> None:
    """Without scripts by a button, which saves nothing and reports no errors."""
    console = new_console(language=language)
    browser = console.owner()
    boxes: dict[str, Any] = {"permission-assistants": True, "permission-reports": True}
    page = browser.submit(browser.get("/roles/new"), **boxes, preview="1")

    assert page.status == 200
    assert page.find("#words").get_text(" ", strip=True).startswith(words)
    assert selected(page) == {"assistants", "reports"}
    assert not page.soup.select(".error, [role=alert]")
    assert set(roles_of(console.account)) == {"Operator", "Viewer"}


def test_matrix_has_every_grantable_permission_by_type(console: AccountConsole) -> None:
    """Reserved permissions are only named."""
    page = console.owner().get("/roles/new")
    rows = {
        row.select("th")[0].get_text(strip=True): [
            [label.get_text(strip=True) for label in cell.select("label")] for cell in row.select("td")
        ]
        for row in page.soup.select(".matrix tbody tr")
    }
    assert rows == {
        "Assistant": [[], ["Work with voice assistants"]],
        "Tool": [[], ["Work with the assistants' tools"]],
        "RAG collection": [[], ["Work with RAG collections, the documents that assistants use"]],
        "The account as a whole": [["See statistics", "See reports"], []],
    }
    assert (
        "Only the main account, and no role, can: manage sub-users, see the complete logs, change the plan and the "
        "billing settings and change the account's details." in page.text
    )


def test_role_without_permissions_allows_nothing_yet(console: AccountConsole) -> None:
    page = add_role(console.owner(), "Nothing")
    assert "This role allows nothing yet." in cards(page)["Nothing"]


@pytest.mark.parametrize(
    ("language", "name", "message"),
    [
        ("en", "", "Enter 1 to 100 characters."),
        ("en", "\u3164", "Enter at least one visible character."),
        ("en", "x" * 101, "Enter 1 to 100 characters."),
        ("it", "", "Scrivi da 1 a 100 caratteri."),
    ],
)
def test_invalid_name_is_reported(
    new_console: Callable[..., AccountConsole], language: str, name: str, message: str
) -> None:
    """The selection stays."""
    console = new_console(language=language)
    page = add_role(console.owner(), name, "tools")
    assert (page.status, page.error("name")) == (422, message)
    assert page.find("#name")["aria-invalid"] == "true"
    assert selected(page) == {"tools"}


def test_too_long_description_is_reported(console: AccountConsole) -> None:
    page = add_role(console.owner(), "Long", description="x" * 501)
    assert (page.status, page.error("description")) == (422, "Enter up to 500 characters.")


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("en", "One of your roles, or a built-in one, already has this name."),
        ("it", "Uno dei tuoi ruoli, o uno predefinito, ha già questo nome."),
    ],
)
def test_taken_name_is_refused(new_console: Callable[..., AccountConsole], language: str, message: str) -> None:
    """Those of built-in roles in every language, because accounts can change theirs."""
    console = new_console(language=language)
    create_role(console.account, "Editor")
    other_id = create_role(console.account, "Author")
    browser = console.owner()
    for name, status in (("EDITOR", 409), ("operator", 422), ("Operatore", 422), ("Viewer", 422)):
        page = add_role(browser, name, "tools")
        assert (page.status, page.error("name")) == (status, message), name
    page = browser.submit(browser.get(f"/roles/{other_id}/edit"), name="editor")
    assert (page.status, page.error("name")) == (409, message)


def test_sending_a_new_role_twice_adds_it_once(console: AccountConsole) -> None:
    browser = console.owner()
    form = browser.get("/roles/new")
    boxes: dict[str, Any] = {"name": "Editor", "description": "Edits", "permission-assistants": True}
    for _ in range(2):
        page = browser.submit(form, **boxes)
        assert (page.status, page.path) == (200, "/roles")
        assert page.success_message.startswith("Role Editor added.")
    assert len(roles_of(console.account)) == 3


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("en", "A permission that you selected no longer exists. Check the selection."),
        ("it", "Un permesso che hai scelto non esiste più. Controlla la selezione."),
    ],
)
def test_permission_that_no_role_can_have_is_refused(
    new_console: Callable[..., AccountConsole], language: str, message: str
) -> None:
    """Made-up and reserved ones, in new and in changed roles."""
    console = new_console(language=language)
    role_id = create_role(console.account, "Author")
    browser = console.owner()
    for path in ("/roles/new", f"/roles/{role_id}/edit"):
        page = browser.get(path)
        values = {str(field["name"]): str(field.get("value", "")) for field in page.form().select("input[name]")}
        for permission in ("billing_settings", "no.such", "'; --"):
            refused = browser.post(path, {**values, "name": "Editor", f"permission-{permission}": "on"})
            assert (refused.status, refused.error("permissions")) == (422, message)
    assert set(roles_of(console.account)) == {"Operator", "Viewer", "Author"}


@pytest.mark.parametrize(
    ("language", "notice"),
    [
        ("en", "You've used all 50 roles. Delete one that nobody has."),
        ("it", "Hai usato tutti i 50 ruoli. Eliminane uno che nessuno ha."),
    ],
)
def test_limit_of_roles_is_shown_and_enforced(
    new_console: Callable[..., AccountConsole], language: str, notice: str
) -> None:
    console = new_console(language=language)
    browser = console.owner()
    form = browser.get("/roles/new")
    for number in range(MAX_ROLES):
        create_role(console.account, f"Role {number}")

    page = browser.get("/roles")
    assert page.find(".notice.warning").text == notice
    assert page.find(".head button").has_attr("disabled")
    assert len(cards(page)) == MAX_ROLES + 2
    page = browser.get("/roles/new")
    assert (page.status, page.find("[role=alert]").text) == (409, notice)
    assert not page.soup.select("main form")
    page = browser.submit(form, name="One more")
    assert (page.status, page.find("[role=alert]").text) == (409, notice)
    assert page.find("#name")["value"] == "One more"


def test_role_is_edited(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    role_id = create_role(console.account, permissions=("assistants", "reports"), description="Before")
    set_grants(sub_user, {"role_id": role_id})
    browser = console.owner()
    form = browser.get(f"/roles/{role_id}/edit")

    assert form.find("h1").text == "Edit the role Account manager"
    assert selected(form) == {"assistants", "reports"}
    assert form.find("#description")["value"] == "Before"
    assert form.find(f"main a[href='/sub-users/{sub_user.sub_user_id}']").text == "Grace Hopper"
    changes: dict[str, Any] = {"permission-reports": False, "permission-tools": True}
    page = browser.submit(form, name="Editor", description="", **changes)

    assert page.success_message == "Saved. It applies immediately to everyone who has the role Editor."
    role = roles_of(console.account)["Editor"]
    assert (role["description"], role["permissions"], role["holders"]) == ("", ["assistants", "tools"], 1)
    assert "One sub-user has it." in cards(page)["Editor"]


def test_saving_without_changes_records_nothing(console: AccountConsole) -> None:
    role_id = create_role(console.account)
    browser = console.owner()
    rows = console.account.audit_log_rows()
    page = browser.submit(browser.get(f"/roles/{role_id}/edit"))
    assert page.success_message == "Nothing was changed."
    assert console.account.audit_log_rows() == rows


@pytest.mark.parametrize(
    ("language", "notice"),
    [
        (
            "en",
            "This role changed while you were editing. Nothing was saved. It is now: Editor. People with this ",
        ),
        ("it", "Questo ruolo è cambiato mentre lo modificavi. Non è stato salvato nulla. Ora è: Editor. Chi ha "),
    ],
)
def test_concurrent_change_is_not_overwritten(
    new_console: Callable[..., AccountConsole], language: str, notice: str
) -> None:
    """The page shows the other version, and saves only when asked again."""
    console = new_console(language=language)
    role_id = create_role(console.account, permissions=("assistants", "tools"))
    browser = console.owner()
    form = browser.get(f"/roles/{role_id}/edit")
    change = {"name": "Editor", "permissions": ["assistants"]}
    console.account.portal.patch(f"{console.account.path}/roles/{role_id}", json=change)

    conflict = browser.submit(form, description="Mine")
    assert conflict.status == 409
    assert " ".join(conflict.find("[role=alert]").get_text(" ").split()).startswith(notice)
    assert roles_of(console.account)["Editor"]["permissions"] == ["assistants"]
    assert selected(conflict) == {"assistants", "tools"}
    assert conflict.find("#name")["value"] == "Account manager"
    page = browser.submit(conflict)
    assert page.path == "/roles"
    role = roles_of(console.account)["Account manager"]
    assert (role["description"], role["permissions"]) == ("Mine", ["assistants", "tools"])


def test_preview_keeps_the_version_that_the_form_was_opened_with(console: AccountConsole) -> None:
    role_id = create_role(console.account)
    browser = console.owner()
    form = browser.get(f"/roles/{role_id}/edit")
    console.account.portal.patch(f"{console.account.path}/roles/{role_id}", json={"name": "Editor"})
    preview = browser.submit(form, preview="1")
    assert browser.submit(preview, leave_out=("preview",)).status == 409


@pytest.mark.parametrize("fingerprint", ["", "0", "\u00e9"])
def test_role_is_not_saved_without_its_version(console: AccountConsole, fingerprint: str) -> None:
    role_id = create_role(console.account)
    browser = console.owner()
    form = browser.get(f"/roles/{role_id}/edit")
    assert browser.submit(form, fingerprint=fingerprint, name="Editor").status == 409
    assert "Editor" not in roles_of(console.account)


def test_unused_role_is_deleted_after_a_confirmation(console: AccountConsole) -> None:
    role_id = create_role(console.account, "<i>Editor</i>")
    browser = console.owner()
    confirmation = browser.get(f"/roles/{role_id}/delete")

    assert confirmation.find("h1").text == "Delete the role <i>Editor</i>?"
    assert "Nobody has it." in confirmation.text
    assert "<i>Editor</i>" in roles_of(console.account)
    page = browser.submit(confirmation)
    assert (page.path, page.success_message) == ("/roles", "Role <i>Editor</i> deleted.")
    assert "<i>Editor</i>" not in roles_of(console.account)
    for repeated in (browser.submit(confirmation), browser.get(confirmation.path)):
        assert (repeated.status, repeated.find("h1").text) == (404, "Role not found")


@pytest.mark.parametrize(
    ("language", "notice"),
    [
        ("en", "This role can't be deleted, because these sub-users have it"),
        ("it", "Questo ruolo non si può eliminare, perché questi sub-user lo hanno"),
    ],
)
def test_role_in_use_is_not_deleted(new_console: Callable[..., AccountConsole], language: str, notice: str) -> None:
    """Also if somebody gets it while the confirmation is shown."""
    console = new_console(language=language)
    role_id = create_role(console.account)
    sub_user = console.account.create_sub_user(name="<b>Ada</b>")
    browser = console.owner()
    confirmation = browser.get(f"/roles/{role_id}/delete")
    set_grants(sub_user, {"role_id": role_id, "resource": FRONT_DESK})

    for page in (browser.submit(confirmation), browser.get(f"/roles/{role_id}/delete")):
        assert page.status == 409
        assert page.find(".notice.warning").text.startswith(notice)
        link = page.find(f"main a[href='/sub-users/{sub_user.sub_user_id}']")
        assert link.text == "<b>Ada</b> Hopper"
        assert not page.soup.select("main form")
    assert "Account manager" in roles_of(console.account)


@pytest.mark.parametrize(("language", "heading"), [("en", "Built-in role"), ("it", "Ruolo predefinito")])
def test_built_in_roles_cannot_be_changed_or_deleted(
    new_console: Callable[..., AccountConsole], language: str, heading: str
) -> None:
    browser = new_console(language=language).owner()
    csrf = str(browser.get("/roles").find("header [name=csrf]")["value"])
    for role_id in (OPERATOR, VIEWER):
        for path in (f"/roles/{role_id}/edit", f"/roles/{role_id}/delete"):
            for page in (browser.get(path), browser.post(path, {"csrf": csrf, "name": "Mine"})):
                assert (page.status, page.find("h1").text) == (409, heading)


@pytest.mark.parametrize(("language", "heading"), [("en", "Role not found"), ("it", "Ruolo non trovato")])
def test_unknown_roles_return_404(new_console: Callable[..., AccountConsole], language: str, heading: str) -> None:
    """Also those of other accounts."""
    console = new_console(language=language)
    foreign_account = new_console().account
    foreign_id = create_role(foreign_account)
    browser = console.owner()
    csrf = str(browser.get("/roles").find("header [name=csrf]")["value"])
    for role_id in (foreign_id, uuid4()):
        for path in (f"/roles/{role_id}/edit", f"/roles/{role_id}/delete"):
            for page in (browser.get(path), browser.post(path, {"csrf": csrf, "name": "Mine"})):
                assert (page.status, page.find("h1").text) == (404, heading)
    assert "Account manager" in roles_of(foreign_account)


def test_permissions_of_the_portals_own_catalogue_are_shown(
    console: AccountConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a label in the visitor's language, in another one, or with their name; types without underscores."""
    catalogue = PermissionCatalogue(
        7,
        (
            Permission("calls.listen", "phone_number", reading=True, labels={"it": "Ascoltare le chiamate"}),
            Permission("calls.forward", "phone_number", labels={"en": "<b>Forward</b> calls"}),
            Permission("API.use", labels={"en": "API calls"}),
            Permission("x.y", labels={}),
        ),
    )
    catalogues = console.clients.service.commands.catalogues
    monkeypatch.setattr(type(catalogues), "current", lambda _: catalogue)
    browser = console.owner()
    page = browser.get("/roles/new")

    assert [row.text for row in page.soup.select(".matrix tbody th")] == ["Phone number", "The account as a whole"]
    labels = [label.get_text(strip=True) for label in page.soup.select(".matrix label")]
    assert labels == ["Ascoltare le chiamate", "<b>Forward</b> calls", "API calls", "x.y"]
    boxes: dict[str, Any] = {str(box["name"]): True for box in page.soup.select(".matrix input")}
    words = browser.submit(page, **boxes, preview="1").find("#words").get_text(strip=True)
    assert words == (
        "People with this role can: ascoltare le chiamate, <b>Forward</b> calls, API calls and x.y. "
        "On a single resource (phone number), it allows only what is about that type."
    )


def test_catalogue_of_other_permissions_keeps_stored_roles(
    console: AccountConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that reads the catalogue a moment after the roles shows only permissions that it knows."""
    create_role(console.account, permissions=("assistants", "tools"))
    catalogues = console.clients.service.commands.catalogues
    revisions = iter([INITIAL_CATALOGUE, PermissionCatalogue(1, INITIAL_CATALOGUE.permissions[:1])])
    browser = console.owner()
    monkeypatch.setattr(type(catalogues), "current", lambda _: next(revisions))
    page = browser.get("/roles")
    assert page.status == 200
    assert "People with this role can: work with voice assistants." in cards(page)["Account manager"]


def test_form_answers_scripts_with_the_words_alone(console: AccountConsole) -> None:
    """The script takes the part that `hx-select` names out of the page, for which it sends the whole form."""
    page = console.owner().get("/roles/new")
    fieldset = page.find("fieldset[hx-post]")
    assert fieldset["hx-post"] == page.form()["action"]
    assert BeautifulSoup(page.response.text, "html.parser").select(str(fieldset["hx-select"]))
    assert page.soup.select(str(fieldset["hx-target"]))
