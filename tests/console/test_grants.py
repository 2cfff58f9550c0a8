"""Roles of a sub-user in the console: given on everything or on single resources, and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.console.grants import give_role
from domain.roles import OPERATOR, VIEWER
from tests.console.roles import FRONT_DESK, abilities_on, chips, create_role, grants_of, page_of, set_grants
from tests.console.test_monitoring import entry_details, timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.clients import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole


def form_for(browser: Browser, sub_user: SubUser) -> Page:
    page = browser.get(f"/sub-users/{sub_user.sub_user_id}/roles/new")
    assert page.status == 200, page.text
    return page


def test_role_is_given_on_everything(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    role_id = create_role(console.account)
    browser = console.owner()
    form = form_for(browser, sub_user)
    assert "Grace Hopper has the role Operator on everything." in form.find(".notice").text
    page = browser.submit(form, role_id=role_id, scope="everything", reason="Helps out")

    assert page.path == f"/sub-users/{sub_user.sub_user_id}"
    assert page.success_message == "Grace Hopper has the role Account manager now. It applies immediately."
    assert chips(page)[1].startswith("Account manager Everything Given on ")
    assert chips(page)[1].endswith(" · Reason: Helps out")
    default, given = grants_of(sub_user)
    assert default["role_id"] == str(OPERATOR)
    assert (given["role_id"], given["resource"], given["expires_at"]) == (role_id, None, None)
    assert timeline(page)[0] == "Winds & Waves gave Grace Hopper the role Account manager on everything"
    entry = entry_details(page, "Account manager")
    assert entry["Reason"] == "Helps out"
    assert entry["Who"] == "Winds & Waves (main account)"
    assert entry["IP address"] == "198.51.100.7"


def test_role_on_single_resources_until_a_date_replaces_all_others(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    role_id = create_role(console.account, permissions=("assistants", "reports"))
    browser = console.owner()
    browser.set_cookie("__Host-subusers-time-zone", "Europe/Rome")
    fields: dict[str, Any] = {
        "role_id": role_id,
        "scope": "only_these",
        "resource_type": "assistant",
        "resource_id_0": " asst-1041 ",
        "resource_label_0": "Front desk",
        "resource_id_2": "asst-1042",
        "expires_at": "2099-01-31T12:00",
        "replaces": True,
    }
    page = browser.submit(form_for(browser, sub_user), **fields)

    assert page.success_message == "Grace Hopper has only the role Account manager now. It applies immediately."
    given = {grant["resource"]["id"]: grant for grant in grants_of(sub_user)}
    assert set(given) == {"asst-1041", "asst-1042"}
    assert given["asst-1041"]["resource"] == FRONT_DESK
    assert given["asst-1042"]["resource"]["label"] is None
    assert {grant["expires_at"] for grant in given.values()} == {"2099-01-31T11:00:00Z"}
    assert sorted(chip.partition(" Given on")[0] for chip in chips(page)) == [
        "Account manager Assistant Front desk asst-1041 until 31 Jan 2099, 12:00",
        "Account manager Assistant asst-1042 until 31 Jan 2099, 12:00",
    ]
    on_everything, on_resources = abilities_on(page)
    assert not on_everything
    assert on_resources == {
        "Assistant Front desk asst-1041": "Work with voice assistants",
        "Assistant asst-1042": "Work with voice assistants",
    }
    given_sentence = "Winds & Waves gave Grace Hopper the role Account manager on the assistant"
    assert sorted(timeline(page)[:3]) == [
        f"{given_sentence} Front desk (asst-1041) until 31 Jan 2099, 12:00",
        f"{given_sentence} asst-1042 until 31 Jan 2099, 12:00",
        "Winds & Waves took the role Operator on everything from Grace Hopper",
    ]


@pytest.mark.parametrize(
    ("language", "fields", "field", "message"),
    [
        ("en", {"role_id": ""}, "role_id", "Choose a role"),
        ("en", {"role_id": "no id"}, "role_id", "Choose a role"),
        ("it", {"role_id": str(uuid4())}, "role_id", "Scegli un ruolo"),
        ("en", {"scope": "nothing"}, "scope", "Choose “Everything” or “Only these”."),
        ("it", {"scope": "nothing"}, "scope", "Scegli «Tutto» o «Solo su queste»."),
        (
            "en",
            {"scope": "everything", "resource_label_1": "Front desk"},
            "scope",
            "You've entered resources. Choose “Only these”, or empty the lines.",
        ),
        (
            "it",
            {"scope": "everything", "resource_id_0": "asst-1041"},
            "scope",
            "Hai indicato delle risorse. Scegli «Solo su queste» o svuota le righe.",
        ),
        ("en", {"resource_type": ""}, "resource_type", "Choose a type"),
        ("it", {"resource_type": "no-such-type"}, "resource_type", "Scegli un tipo"),
        ("en", {"resource_type": "account"}, "resource_type", "Choose a type"),
        ("en", {"resource_id_0": "", "resource_id_2": ""}, "resource_id_0", "Fill this in."),
        ("en", {"resource_id_0": "x" * 201}, "resource_id_0", "Enter 1 to 200 characters."),
        ("en", {"resource_id_0": "\u200b"}, "resource_id_0", "Enter at least one visible character."),
        ("it", {"resource_label_2": "Front desk"}, "resource_id_2", "Compila questo campo."),
        ("en", {"resource_label_0": "x" * 101}, "resource_label_0", "Enter 1 to 100 characters."),
        ("en", {"resource_id_1": "asst-1041"}, "resource_id_1", "This ID is also in a line above."),
        ("it", {"resource_id_1": "asst-1041"}, "resource_id_1", "Questo id è già in una riga precedente."),
        ("en", {"expires_at": "soon"}, "expires_at", "This is not a valid date and time."),
        ("en", {"expires_at": "2020-01-01T10:00"}, "expires_at", "Enter a time in the future."),
        ("it", {"expires_at": "2020-01-01T10:00"}, "expires_at", "Indica un momento futuro."),
        ("en", {"reason": "x" * 501}, "reason", "Enter 1 to 500 characters."),
        ("it", {"reason": "x" * 501}, "reason", "Scrivi da 1 a 500 caratteri."),
    ],
)
def test_invalid_grant_is_reported_at_its_field(
    new_console: Callable[..., AccountConsole], language: str, fields: dict[str, str], field: str, message: str
) -> None:
    """Nothing is given, and the other values stay."""
    console = new_console(language=language)
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    valid = {
        "role_id": str(VIEWER),
        "scope": "only_these",
        "resource_type": "assistant",
        "resource_id_0": "asst-1041",
        "resource_id_2": "asst-1042" if "resource_label_2" not in fields else "",
        "reason": "Helps out",
    }
    if fields.get("scope") == "everything":
        valid |= {"resource_id_0": "", "resource_id_2": ""}
    values: dict[str, Any] = valid | fields
    page = browser.submit(form_for(browser, sub_user), **values)

    assert page.status == 422
    assert page.error(field).startswith(message)
    assert [str(error["id"]) for error in page.soup.select(".error")] == [f"{field}-error"]
    assert page.find("#resource_id_2")["value"] == values["resource_id_2"]
    assert [grant["role_id"] for grant in grants_of(sub_user)] == [str(OPERATOR)]


def test_all_errors_are_reported_at_once(console: AccountConsole) -> None:
    browser = console.owner()
    fields: dict[str, Any] = {
        "role_id": "",
        "expires_at": "soon",
        "reason": "x" * 501,
        "scope": "only_these",
        "resource_id_1": "\u200b",
    }
    page = browser.submit(form_for(browser, console.account.create_sub_user()), **fields)
    assert {str(error["id"]) for error in page.soup.select(".error")} == {
        f"{field}-error" for field in ("role_id", "expires_at", "reason", "resource_id_1", "resource_type")
    }
    summary = page.find("[role=alert]")
    assert summary.has_attr("autofocus")
    links = [str(link["href"]) for link in summary.select("a")]
    assert sorted(links) == sorted(f"#{error['id']}".removesuffix("-error") for error in page.soup.select(".error"))
    assert all(page.find(link) for link in links)
    assert "Why: Enter 1 to 500 characters." in summary.get_text()


def test_form_gets_more_lines_without_losing_values(console: AccountConsole) -> None:
    """Up to a maximum, after which the button is gone."""
    browser, sub_user = console.owner(), console.account.create_sub_user()
    page = form_for(browser, sub_user)
    fields: dict[str, Any] = {"role_id": str(VIEWER), "scope": "only_these", "resource_id_1": "asst-1041"}
    while page.soup.select("button[name=more]"):
        line_count = len(page.soup.select(".line"))
        page = browser.submit(page, **fields, more="1")
        assert page.status == 200
        assert len(page.soup.select(".line")) == line_count + give_role.MORE_LINES
        assert not page.soup.select(".error, [role=alert]")
    assert len(page.soup.select(".line")) == give_role.MAX_LINES
    last: dict[str, Any] = {f"resource_id_{give_role.MAX_LINES - 1}": "asst-1042", "resource_type": "assistant"}
    page = browser.submit(page, **last)
    assert {grant["resource"]["id"] for grant in grants_of(sub_user)[1:]} == {"asst-1041", "asst-1042"}


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("en", "Nothing was changed: Grace Hopper already has this role."),
        ("it", "Non è cambiato nulla: Grace Hopper ha già questo ruolo."),
    ],
)
def test_giving_the_same_role_twice_gives_it_once(
    new_console: Callable[..., AccountConsole], language: str, message: str
) -> None:
    console = new_console(language=language)
    browser, sub_user = console.owner(), console.account.create_sub_user()
    form = form_for(browser, sub_user)
    messages = [browser.submit(form, role_id=str(VIEWER), scope="everything").success_message for _ in range(2)]
    assert messages[1] == message
    assert len(grants_of(sub_user)) == 2


@pytest.mark.parametrize(
    ("language", "notice"),
    [
        ("en", "Grace Hopper has 1,000 roles, and can't have more. Take some away first."),
        ("it", "Grace Hopper ha 1.000 ruoli e non può averne altri. Prima togline qualcuno."),
    ],
)
def test_limit_of_grants_is_reported(
    new_console: Callable[..., AccountConsole], monkeypatch: pytest.MonkeyPatch, language: str, notice: str
) -> None:
    """The form shows the real limit, which the test lowers only for the rule."""
    monkeypatch.setattr("domain.main_account.MAX_GRANTS", 1)
    console = new_console(language=language)
    browser, sub_user = console.owner(), console.account.create_sub_user()
    page = browser.submit(form_for(browser, sub_user), role_id=str(VIEWER), scope="everything", reason="Helps out")
    assert (page.status, page.find("[role=alert]").text) == (409, notice)
    assert page.find("#reason")["value"] == "Helps out"
    assert len(grants_of(sub_user)) == 1


def test_role_that_was_deleted_in_the_meantime_is_refused(console: AccountConsole) -> None:
    role_id = create_role(console.account)
    browser, sub_user = console.owner(), console.account.create_sub_user()
    form = form_for(browser, sub_user)
    console.account.portal.delete(f"{console.account.path}/roles/{role_id}")
    page = browser.submit(form, role_id=role_id, scope="everything")
    assert (page.status, page.error("role_id")) == (422, "Choose a role")


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("en", "No permission applies to this type any more. Choose another."),
        ("it", "Nessun permesso riguarda più questo tipo. Scegline un altro."),
    ],
)
def test_type_that_disappears_in_the_meantime_is_refused(
    new_console: Callable[..., AccountConsole], monkeypatch: pytest.MonkeyPatch, language: str, message: str
) -> None:
    """Between the validation of the form and the command."""
    console = new_console(language=language)
    browser, sub_user = console.owner(), console.account.create_sub_user()
    form = form_for(browser, sub_user)
    monkeypatch.setattr(give_role, "resource_types", lambda _: ["vehicle"])
    fields = {"role_id": str(VIEWER), "scope": "only_these", "resource_type": "vehicle", "resource_id_0": "v-1"}
    values = {str(field["name"]): str(field.get("value", "")) for field in form.form().select("input[name]")}
    page = browser.post(form.path, values | fields)
    assert (page.status, page.error("resource_type")) == (422, message)
    assert len(grants_of(sub_user)) == 1


def test_form_offers_all_roles_and_types(console: AccountConsole) -> None:
    role_id = create_role(console.account, "<b>Editor</b>")
    set_grants(sub_user := console.account.create_sub_user())
    page = form_for(console.owner(), sub_user)

    def options(name: str) -> dict[str, str]:
        return {str(option["value"]): option.text for option in page.soup.select(f"select[name={name}] option")}

    assert options("role_id") == {
        "": "Choose a role",
        str(OPERATOR): "Operator",
        str(VIEWER): "Viewer",
        role_id: "<b>Editor</b>",
    }
    assert options("resource_type") == {
        "": "Choose a type",
        "assistant": "Assistant",
        "tool": "Tool",
        "rag_collection": "RAG collection",
    }
    assert not page.soup.select(".notice")


@pytest.mark.parametrize(
    ("language", "heading", "last", "message", "sentence"),
    [
        (
            "en",
            "Take the role Account manager away from Grace Hopper?",
            "It is the only role that Grace Hopper has at present.",
            "Grace Hopper no longer has this role. It applies immediately.",
            "Winds & Waves took the role Account manager on the assistant asst-1041 from Grace Hopper",
        ),
        (
            "it",
            "Togliere il ruolo Account manager a Grace Hopper?",
            "È l'unico ruolo che Grace Hopper ha in questo momento.",
            "Grace Hopper non ha più questo ruolo. Vale subito.",
            "Winds & Waves ha tolto a Grace Hopper il ruolo Account manager per: assistente asst-1041",
        ),
    ],
)
def test_role_is_taken_away_after_a_confirmation(
    new_console: Callable[..., AccountConsole], language: str, heading: str, last: str, message: str, sentence: str
) -> None:
    console = new_console(language=language)
    sub_user = console.account.create_with_own_password()
    set_grants(sub_user, {"role_id": create_role(console.account), "resource": FRONT_DESK})
    browser = console.owner()
    page = page_of(browser, sub_user)
    confirmation = browser.get(str(page.find(".grants a")["href"]))

    assert confirmation.find("h1").text == heading
    assert confirmation.find(".notice.warning").text.startswith(last)
    assert "Front desk" in confirmation.text
    assert len(grants_of(sub_user)) == 1
    page = browser.submit(confirmation, reason="Project ended")
    assert page.success_message == message
    assert not grants_of(sub_user)
    assert timeline(page)[0] == sentence
    (row,) = [row for row in console.account.audit_log_rows(action="sub_user.role_revoked") if row["reason"]]
    assert row["reason"] == "Project ended"


def test_confirmation_warns_only_about_the_last_role(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    set_grants(sub_user, {"role_id": str(VIEWER)}, {"role_id": str(OPERATOR)})
    browser = console.owner()
    for link in page_of(browser, sub_user).soup.select(".grants a"):
        assert not browser.get(str(link["href"])).soup.select(".notice")


@pytest.mark.parametrize(("language", "heading"), [("en", "No longer given"), ("it", "Già tolto")])
def test_unknown_grants_return_404(new_console: Callable[..., AccountConsole], language: str, heading: str) -> None:
    """Those that were taken away already, and those of others."""
    console = new_console(language=language)
    sub_user, other = console.account.create_sub_user(), console.account.create_sub_user()
    browser = console.owner()
    confirmation = browser.get(str(page_of(browser, sub_user).find(".grants a")["href"]))
    assert browser.submit(confirmation).status == 200
    csrf = str(confirmation.find("main [name=csrf]")["value"])
    for grant_id in (sub_user.sub_user_id, other.sub_user_id, uuid4()):
        path = f"/sub-users/{sub_user.sub_user_id}/roles/{grant_id}/revoke"
        for page in (browser.get(path), browser.post(path, {"csrf": csrf})):
            assert (page.status, page.find("h1").text) == (404, heading)
    assert len(grants_of(other)) == 1


def test_too_long_reason_of_a_revocation_is_reported(console: AccountConsole) -> None:
    browser, sub_user = console.owner(), console.account.create_sub_user()
    confirmation = browser.get(str(page_of(browser, sub_user).find(".grants a")["href"]))
    page = browser.submit(confirmation, reason="x" * 501)
    assert (page.status, page.error("reason")) == (422, "Enter 1 to 500 characters.")
    assert len(grants_of(sub_user)) == 1


def test_roles_of_unknown_sub_users_return_404(console: AccountConsole, new_console: Any) -> None:
    foreign = new_console().account.create_sub_user()
    browser = console.owner()
    csrf = str(browser.get("/roles").find("header [name=csrf]")["value"])
    for sub_user_id in (foreign.sub_user_id, uuid4()):
        for path in ("roles", "roles/new", f"roles/{sub_user_id}/revoke"):
            page = browser.get(f"/sub-users/{sub_user_id}/{path}")
            assert (page.status, page.find("h1").text) == (404, "Sub-user not found")
        for path in ("roles/new", f"roles/{sub_user_id}/revoke"):
            fields = {"csrf": csrf, "role_id": str(VIEWER), "scope": "everything"}
            assert browser.post(f"/sub-users/{sub_user_id}/{path}", fields).status == 404
    assert len(grants_of(foreign)) == 1


def test_forms_require_the_csrf_token(console: AccountConsole) -> None:
    browser, sub_user = console.owner(), console.account.create_sub_user()
    form = form_for(browser, sub_user)
    confirmation = browser.get(str(page_of(browser, sub_user).find(".grants a")["href"]))
    fields = {"role_id": str(VIEWER), "scope": "everything"}
    assert browser.submit(form, leave_out=("csrf",), **fields).status == 403
    assert browser.submit(confirmation, leave_out=("csrf",)).status == 403
    assert [grant["role_id"] for grant in grants_of(sub_user)] == [str(OPERATOR)]
