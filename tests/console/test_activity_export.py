"""Downloads of the activity page for people's spreadsheets."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from api.presentation.spreadsheets import files
from tests.console.test_monitoring import REGISTERED_TYPES, owner_in_rome, report_activities, timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.console.browsing import Browser
    from tests.console.conftest import AccountConsole

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def csv_rows(browser: Browser, path: str = "/monitoring/export.csv", separator: str = ",") -> list[dict[str, str]]:
    response = browser.download(path)
    assert response.status_code == 200
    assert response.content_type == "text/csv; charset=utf-8"
    text = response.data.decode("utf-8-sig")
    assert response.data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator))


def sheet_rows(browser: Browser, path: str = "/monitoring/export.xlsx") -> list[dict[str, Any]]:
    """Return the rows of all sheets of a workbook."""
    response = browser.download(path)
    assert response.status_code == 200
    assert response.content_type == XLSX
    workbook = openpyxl.load_workbook(io.BytesIO(response.data))
    rows = []
    for sheet in workbook.worksheets:
        header, *cells = sheet.iter_rows(values_only=True)
        rows += [dict(zip(map(str, header), row, strict=True)) for row in cells]
    return rows


def in_italian(console: AccountConsole) -> Browser:
    browser = owner_in_rome(console)
    browser.set_cookie("__Host-subusers-language", "it")
    return browser


def test_an_italian_csv_opens_in_italian_spreadsheets(own_console: AccountConsole) -> None:
    """Semicolons, the reader's time zone, dates as Italian spreadsheets read them, and names instead of codes."""
    console = own_console
    console.account.portal.put("/v1/activity-types", json=REGISTERED_TYPES)
    report_activities(
        console.account.create_sub_user(),
        {
            "action": "assistant.edited",
            "target": "Centralino; Milano",
            "occurred_at": "2026-05-01T22:30:15Z",
            "details": {"tono": "amichevole"},
        },
    )

    (row,) = csv_rows(in_italian(console), "/monitoring/export.csv?action=assistant.edited", ";")

    assert row == {
        "Data e ora (Europe/Rome)": "02/05/2026 00:30:15",
        "Chi": "Grace Hopper",
        "Cosa è successo": "Grace Hopper ha modificato l'assistente Centralino; Milano",
        "Evento": "Assistente modificato",
        "Persona": "Grace Hopper",
        "Oggetto": "Centralino; Milano",
        "Motivo": "",
        "Dettagli": "tono: amichevole",
        "Indirizzo IP": "",
        "Dispositivo": "",
        "Browser (user agent)": "",
        "Posizione nel registro": row["Posizione nel registro"],
    }


def test_an_english_csv_has_commas_and_unambiguous_dates(console: AccountConsole) -> None:
    report_activities(console.account.create_sub_user(), {"occurred_at": "2026-05-01T22:30:15Z"})
    owner = owner_in_rome(console)
    (row,) = csv_rows(owner, "/monitoring/export.csv?action=tool.used")
    assert row["Date and time (Europe/Rome)"] == "2026-05-02 00:30:15"
    (login,) = csv_rows(owner, "/monitoring/export.csv?action=main_account.logged_in&from=2026-05-03")
    assert (login["Event"], login["IP address"]) == ("Owner login", "198.51.100.7")
    assert login["Device"] == "Firefox · Linux"
    assert login["Details"].endswith("Login method: password")


def test_a_workbook_has_times_and_no_formulas(console: AccountConsole) -> None:
    report_activities(console.account.create_sub_user(), {"target": "=1+1", "occurred_at": "2026-05-01T22:30:15Z"})
    (row,) = sheet_rows(owner_in_rome(console), "/monitoring/export.xlsx?action=tool.used")
    assert row["Date and time (Europe/Rome)"] == datetime(2026, 5, 2, 0, 30, 15)  # noqa: DTZ001  # local
    assert row["Target"] == "=1+1"
    response = owner_in_rome(console).download("/monitoring/export.xlsx?action=tool.used")
    sheet = openpyxl.load_workbook(io.BytesIO(response.data)).worksheets[0]
    types = {cell.data_type for cells in sheet.iter_rows() for cell in cells}
    assert "f" not in types
    assert sheet.freeze_panes == "A2"


def test_files_are_sorted_as_the_page_and_have_the_same_rows(console: AccountConsole) -> None:
    """Also when a report arrived late."""
    sub_user = console.account.create_with_own_password()
    for hour in (3, 1, 2):
        report_activities(sub_user, {"target": str(hour), "occurred_at": f"2026-05-01T0{hour}:00:00Z"})
    owner = console.owner()
    sentences = timeline(owner.get("/monitoring"))
    assert sentences[-3:] == [f"Grace Hopper: tool.used · {hour}" for hour in (3, 2, 1)]
    assert [row["What happened"] for row in csv_rows(owner)] == sentences
    exported = "Winds & Waves exported the log"
    assert [row["What happened"] for row in sheet_rows(owner)] == [exported, *sentences]


def test_files_have_readable_names(new_console: Callable[..., AccountConsole]) -> None:
    console = new_console(company_name="Caffè Già S.r.l.")
    today = f"{console.clients.service.clock():%Y-%m-%d}"
    for language, name in (("en", "activity"), ("it", "attivita")):
        owner = console.owner()
        owner.set_cookie("__Host-subusers-language", language)
        for extension in ("csv", "xlsx"):
            response = owner.download(f"/monitoring/export.{extension}")
            file_name = f"caffe-gia-s-r-l-{name}-{today}.{extension}"
            assert response.headers["Content-Disposition"] == f'attachment; filename="{file_name}"'
            assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("cell", ["=1+1", "+39 02", "-1", "@SUM(A1)", "x;=1+1", "\uff1d1"])
def test_no_cell_is_a_formula(console: AccountConsole, cell: str) -> None:
    report_activities(console.account.create_sub_user(), {"target": cell, "details": cell})
    owner = in_italian(console)
    data = owner.download("/monitoring/export.csv?action=tool.used").data.decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(data, newline=""), delimiter=";") for cell in row]
    assert not [text for text in cells if text.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))]


def test_an_export_is_recorded_with_its_filter(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    report_activities(sub_user, {}, {"action": "other"})
    owner = console.owner()
    for extension, recorded in (("csv", "csv"), ("xlsx", "xlsx")):
        assert owner.download(f"/monitoring/export.{extension}?action=tool.used").status_code == 200
        row = console.account.audit_log_rows()[0]
        assert row["action"] == "audit_log.exported"
        assert row["details"]["format"] == recorded
        assert row["details"]["wanted_action"] == "tool.used"


def test_a_download_with_codes_is_that_of_the_api(console: AccountConsole) -> None:
    report_activities(console.account.create_sub_user(), {"target": "=1+1"})
    response = console.owner().download("/monitoring/export-codes.csv?action=tool.used")
    (row,) = csv.DictReader(io.StringIO(response.text, newline=""))
    assert (row["action"], row["target"], row["actor_type"]) == ("tool.used", "'=1+1", "sub_user")
    name = f"audit-log-{console.account.account_id}.csv"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'


def test_erased_data_stays_erased(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    report_activities(sub_user, {"target": "Front desk"})
    console.account.portal.delete(sub_user.path)
    (row,) = csv_rows(console.owner(), "/monitoring/export.csv?action=tool.used")
    assert (row["Who"], row["Person"], row["Target"]) == ("a deleted person", "a deleted person", "[erased]")


def test_a_workbook_continues_on_further_sheets(console: AccountConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    """Excel opens a limited number of rows."""
    monkeypatch.setattr(files, "MAX_ROWS_PER_SHEET", 3)
    report_activities(console.account.create_sub_user(), *[{"target": str(number)} for number in range(7)])
    rows = sheet_rows(console.owner(), "/monitoring/export.xlsx?action=tool.used")
    assert [row["Target"] for row in rows] == [str(number) for number in reversed(range(7))]


def test_the_list_of_sub_users_is_exported_as_it_is_shown(console: AccountConsole) -> None:
    """With its search and status, for Italian and English spreadsheets, and hidden people too."""
    console.account.create_with_own_password(name="Zoë", surname="Già", access_expires_at="2027-05-01T22:30:00Z")
    console.account.create_sub_user(name="=Ada", surname="Lovelace", visible=False)
    italian, english = in_italian(console), owner_in_rome(console)

    (row,) = csv_rows(italian, "/sub-users/export.csv?q=gia", ";")
    assert (row["Cognome"], row["Nome"], row["Stato"]) == ("Già", "Zoë", "Attivo")
    assert row["Accesso fino a (Europe/Rome)"] == "02/05/2027 00:30:00"
    (row,) = csv_rows(english, "/sub-users/export.csv?status=inactive")
    assert (row["Name"], row["Visibility"], row["Last login (Europe/Rome)"]) == ("'=Ada", "Hidden", "")
    rows = sheet_rows(english, "/sub-users/export.xlsx?sort=surname")
    assert [(row["Surname"], row["Name"]) for row in rows] == [("Già", "Zoë"), ("Lovelace", "=Ada")]
    link = english.get("/sub-users?q=zoe").soup.select_one("main a[href*='export.xlsx']")
    assert link is not None
    assert [row["Name"] for row in sheet_rows(english, str(link["href"]))] == ["Zoë"]
    assert console.sub_user().download("/sub-users/export.csv").status_code == 403
