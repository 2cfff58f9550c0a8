"""Import of sub-users from CSV files: the preview, and the result of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.console.batches import import_people
from application.errors import StoreUnavailable, TooBusy
from tests.builders import deliver_mails_to

if TYPE_CHECKING:
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole

HEADING = "email;name;surname;access until"


def preview(browser: Browser, *lines: str, heading: str = HEADING, encoding: str = "utf-8") -> Page:
    return upload(browser, "\r\n".join([heading, *lines]).encode(encoding))


def upload(browser: Browser, content: bytes) -> Page:
    return browser.submit_file(browser.get("/sub-users/import"), content)


def rows(page: Page) -> dict[str, str]:
    """Return the result of each row, by the e-mail."""
    return {
        row.select("small")[0].get_text(): " ".join(row.select("td")[-1].get_text(" ").split())
        for row in page.soup.select("tbody tr")
    }


def emails(console: AccountConsole) -> list[str]:
    items: list[dict[str, Any]] = console.clients.portal.get(f"{console.account.path}/sub-users").json["items"]  # type: ignore[index]
    return [item["email"] for item in items]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_files_of_every_spreadsheet_are_read(console: AccountConsole, encoding: str, separator: str) -> None:
    browser = console.owner()
    lines = ["zoe@x.example", "Zoë", '"Però, ""la; bella"""']

    page = preview(
        browser, separator.join(lines), heading=separator.join(["Email", "Nome", "Cognome"]), encoding=encoding
    )

    assert rows(page) == {"zoe@x.example": "Will be added"}
    assert page.find("tbody bdi").text == 'Zoë Però, "la; bella"'
    browser.submit(page)
    assert emails(console) == ["zoe@x.example"]


@pytest.mark.parametrize(
    "heading",
    [
        "Email;Name;Surname;Access until",
        "E-MAIL; First name ;Last  name;Expires",
        "Indirizzo email;NOME;Cognome;Scadenza",
        "posta elettronica;nome;cognome;accesso fino a",
        '"email";"nome";"cognome";"Scadenza accesso"',
    ],
)
def test_headings_are_english_or_italian(console: AccountConsole, heading: str) -> None:
    page = preview(console.owner(), "a@x.example;Ada;Lovelace;2090-12-04", heading=heading)

    assert page.status == 200
    assert page.find("tbody time")["datetime"] == "2090-12-04T23:59:00+00:00"


def test_columns_have_any_order_and_others_are_ignored(console: AccountConsole) -> None:
    browser = console.owner()
    browser.submit(preview(browser, "Lovelace;07;Ada;a@x.example", heading="Cognome;Interno;Nome;Email"))

    (item,) = console.clients.portal.get(f"{console.account.path}/sub-users").json["items"]  # type: ignore[index]
    assert (item["name"], item["surname"], item["email"]) == ("Ada", "Lovelace", "a@x.example")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", None),
        ("2090-12-04", "2090-12-04T22:59:00Z"),
        ("2090-12-04 18:00", "2090-12-04T17:00:00Z"),
        ("2090-12-04T18:00", "2090-12-04T17:00:00Z"),
        ("04/12/2090", "2090-12-04T22:59:00Z"),
        ("4/12/2090 18:00", "2090-12-04T17:00:00Z"),
        ("4.12.2090 18.00", "2090-12-04T17:00:00Z"),
    ],
)
def test_end_of_access_is_in_the_visitors_time_zone(console: AccountConsole, text: str, end: str | None) -> None:
    """A date means the end of that day."""
    browser = console.owner()
    browser.set_cookie("__Host-subusers-time-zone", "Europe/Rome")

    browser.submit(preview(browser, f"a@x.example;Ada;Lovelace;{text}"))

    (item,) = console.clients.portal.get(f"{console.account.path}/sub-users").json["items"]  # type: ignore[index]
    assert item["access_expires_at"] == end


def test_preview_tells_everything_before_anything_happens(console: AccountConsole) -> None:
    """Duplicates, the limit and invalid values, row by row."""
    for number in range(7):
        console.account.create_sub_user(email=f"present-{number}@x.example")
    before = emails(console)
    browser = console.owner()

    page = preview(
        browser,
        "one@x.example;One;New",
        "PRESENT-3@x.example;Already;There",
        "two@x.example;Two;New",
        "ONE@x.example;One;Again",
        "nobody;;X;yesterday",
        "past@x.example;Past;End;2020-01-01",
        "three@x.example;Three;New",
        "four@x.example;Four;New",
    )

    assert rows(page) == {
        "one@x.example": "Will be added",
        "PRESENT-3@x.example": "Already there: is left alone",
        "two@x.example": "Will be added",
        "ONE@x.example": "Twice in the file: is left out",
        "nobody": "Can't be added email: This is not a valid email address. name: Enter 1 to 100 characters. "
        "end of access: This is not a date.",
        "past@x.example": "Can't be added end of access: This date has passed.",
        "three@x.example": "Will be added",
        "four@x.example": "No free place",
    }
    assert page.find("main .notice.warning").text.startswith("Only 3 places are free")
    assert page.find("main .pri").text == "Add 3 people"
    assert emails(console) == before

    result = browser.submit(page)

    assert result.find("h1").text == "Imported: 3"
    assert rows(result)["one@x.example"] == rows(result)["three@x.example"] == "Added"
    assert rows(result)["four@x.example"] == "No free place"
    assert set(emails(console)) == {*before, "one@x.example", "two@x.example", "three@x.example"}


def test_importing_twice_adds_nobody_twice(console: AccountConsole) -> None:
    """The same preview sent again, and the same file again."""
    browser = console.owner()
    lines = ["a@x.example;Ada;Lovelace", "b@x.example;Grace;Hopper"]
    page = preview(browser, *lines)
    browser.submit(page)

    again = browser.submit(page)
    new_preview = preview(browser, *lines)

    assert set(rows(again).values()) == set(rows(new_preview).values()) == {"Already there: is left alone"}
    assert again.find("h1").text == "Imported: 0"
    assert not new_preview.soup.select("main .pri")
    assert sorted(emails(console)) == ["a@x.example", "b@x.example"]


def test_people_can_be_activated_at_once(own_console: AccountConsole) -> None:
    browser = own_console.owner()

    result = browser.submit(preview(browser, "a@x.example;Ada;Lovelace"), active=True)

    assert rows(result) == {"a@x.example": "Added"}
    (item,) = own_console.clients.portal.get(f"{own_console.account.path}/sub-users").json["items"]  # type: ignore[index]
    assert item["status"] == "active"
    assert len(deliver_mails_to(own_console.clients.service, "a@x.example")) == 1


@pytest.mark.parametrize(
    ("command", "error", "text"),
    [
        ("change", TooBusy(), "Added, not activated Not activated: something went wrong."),
        (
            "change",
            StoreUnavailable(),
            "Added Check whether they were activated: the database could not be reached.",
        ),
        ("create", TooBusy(), "Something went wrong: not added"),
        ("create", StoreUnavailable(), "Not known whether added: check the list"),
    ],
)
def test_errors_are_told_for_each_row(
    console: AccountConsole, monkeypatch: pytest.MonkeyPatch, command: str, error: Exception, text: str
) -> None:
    """If the connection to the database is lost, the command may have been done."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    browser = console.owner()
    page = preview(browser, "a@x.example;Ada;Lovelace")
    monkeypatch.setattr(console.clients.service.commands.sub_users, command, fail)

    result = browser.submit(page, active=True)

    assert rows(result) == {"a@x.example": text}


def test_person_added_meanwhile_is_left_alone(console: AccountConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command decides, also if someone adds the same person after the check."""
    browser = console.owner()
    page = preview(browser, "a@x.example;Ada;Lovelace")
    create = console.clients.service.commands.sub_users.create

    def create_after_another(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        console.account.create_sub_user(email="A@x.example")
        return create(*args, **kwargs)

    monkeypatch.setattr(console.clients.service.commands.sub_users, "create", create_after_another)

    assert rows(browser.submit(page)) == {"a@x.example": "Already there: is left alone"}


def test_rows_for_which_there_is_no_time_are_left_for_the_next_request(
    console: AccountConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = console.owner()
    page = preview(browser, "a@x.example;Ada;Lovelace", "b@x.example;Grace;Hopper")
    monkeypatch.setattr(import_people, "MAX_SECONDS", 0)

    first = browser.submit(page)
    second = browser.submit(first)

    assert (list(rows(first)), list(rows(second))) == (["a@x.example"], ["b@x.example"])
    assert sorted(emails(console)) == ["a@x.example", "b@x.example"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "Choose a file."),
        (b"\n\n", "The first line doesn't name these columns: email, name, surname."),
        (b"email,name\na@x.example,Ada", "The first line doesn't name these columns: surname."),
        (b"email,name,surname", "The file has no people below its first line."),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "This file can't be read as a CSV file."),
        (b"PK\x03\x04\x14\0\x06\0", "This file can't be read as a CSV file."),
        (b'email,name,surname\n"a@x.example,Ada', "This file can't be read as a CSV file."),
        (b"email,name,surname\n" + 201 * b"a@x.example,A,B\n", "The file has more than 200 people. Split it."),
    ],
)
def test_other_files_are_refused_with_the_reason(console: AccountConsole, content: bytes, error: str) -> None:
    page = upload(console.owner(), content)

    assert (page.status, page.error("file")) == (422, error)


def test_excel_can_name_the_separator_in_a_line_of_its_own(console: AccountConsole) -> None:
    page = upload(console.owner(), b"sep=;\r\nemail;name;surname\r\na@x.example;Ada;Lovelace")

    assert rows(page) == {"a@x.example": "Will be added"}


def test_large_file_is_refused(console: AccountConsole) -> None:
    assert upload(console.owner(), b"email,name,surname\n" + b"x" * 300_000).status == 413


def test_text_of_the_file_is_escaped(console: AccountConsole) -> None:
    page = preview(console.owner(), "a@x.example;<script>alert(1)</script>;<b>")

    assert page.find("tbody bdi").text == "<script>alert(1)</script> <b>"
    assert not page.soup.select("main script, main b")


@pytest.mark.parametrize(
    "people",
    ["", "{}", "[]", "null", '[{"password": "x"}]', '[{"email": 1}]', '["a"]', "[" * 50_000, '[{"email": null}]'],
)
def test_altered_preview_is_refused(console: AccountConsole, people: str) -> None:
    browser = console.owner()
    page = preview(browser, "a@x.example;Ada;Lovelace")

    assert browser.submit(page, people=people).status == 422
    assert emails(console) == []


def test_values_of_an_altered_preview_are_checked_again(console: AccountConsole) -> None:
    browser = console.owner()
    page = preview(browser, "a@x.example;Ada;Lovelace")

    result = browser.submit(page, people='[{"email": "nobody", "name": "A"}]')

    assert result.find("h1").text == "Imported: 0"
    assert emails(console) == []


def test_only_the_owner_imports(console: AccountConsole) -> None:
    browser = console.sub_user()

    assert browser.get("/sub-users/import").status == 403
