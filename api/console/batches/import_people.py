"""Import of sub-users from a CSV file: a preview of what will happen, then the result for each row."""

from __future__ import annotations

import json
import re
import time
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from datetime import time as time_of_day
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request

from api.console.current_user import OWNER, visitor
from api.console.forms import Form
from api.console.pages import blueprint, render_page, t
from api.console.sub_users.form import form_zone
from api.http.authentication import service
from api.http.resources.sub_users.schemas import NewSubUser
from api.presentation import times
from api.presentation.uploaded_tables import UnreadableTable, read_table
from application.commands.sub_users import SubUserChanges
from application.errors import ServiceError, StoreUnavailable
from domain.refusals import Refusal, SubUserEmailTaken, SubUserLimitReached, TooManyMails
from domain.sub_user import has_passed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from flask import Response

MAX_ROWS = 200
"""As many as a page of the list shows. Larger files are refused as a whole."""

MAX_SECONDS = 4.0
"""Time for one request: half of its deadline. The visitor continues with the rows that are left."""

HEADINGS = {
    "email": ("email", "e-mail", "mail", "email address", "indirizzo email", "indirizzo e-mail", "posta elettronica"),
    "name": ("name", "first name", "given name", "nome"),
    "surname": ("surname", "last name", "family name", "cognome"),
    "access_expires_at": (
        *("access expires", "access until", "expires", "expiry", "until", "end date"),
        *("scadenza", "scadenza accesso", "accesso fino a", "fino a", "data di fine"),
    ),
}
"""Headings of each column in English and Italian, in lower case and without accents. The last column is optional."""

REQUIRED = ("email", "name", "surname")
SCHEMA = NewSubUser()

DAY_FIRST = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?:[ ,T]+(\d{1,2})[:.](\d{2}))?")
"""A date as Italian and British spreadsheets write it, with or without a time."""


class Outlook(StrEnum):
    """What an import will do with a row, or has done."""

    NEW = "new"
    EXISTS = "exists"
    TWICE = "twice"
    NO_PLACE = "no_place"
    INVALID = "invalid"
    ADDED = "added"
    ADDED_ONLY = "added_only"
    """Added, but not activated."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Added or not: the database could not be reached."""


@dataclass(frozen=True)
class Row:
    """A row of the file. `errors` are sentences."""

    number: int
    cells: Mapping[str, str]
    outlook: Outlook
    values: Mapping[str, Any]
    errors: Sequence[str] = ()


@blueprint.page("/sub-users/import", audiences=OWNER)
def import_form() -> Response:
    """Show the form for the file."""
    return _form(Form())


@blueprint.page("/sub-users/import", audiences=OWNER, methods=("POST",))
def preview_import() -> Response:
    """Show what the import will do with each row. Nothing happens yet."""
    form = Form.from_request()
    upload = request.files.get("file")
    content = upload.read() if upload is not None else b""
    if not content:
        form.errors["file"] = t("import.choose_file")
        return _form(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        table = read_table(content)
    except UnreadableTable:
        form.errors["file"] = t("import.unreadable")
        return _form(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    columns = _columns(table[0]) if table else {}
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        names = ", ".join(t(f"import.column.{name}") for name in missing)
        form.errors["file"] = t("import.missing_columns", columns=names)
    elif len(table) == 1:
        form.errors["file"] = t("import.no_rows")
    elif len(table) - 1 > MAX_ROWS:
        form.errors["file"] = t("import.too_many_rows", limit=MAX_ROWS)
    if form.errors:
        return _form(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    people = [{name: cells[column] for name, column in columns.items() if column < len(cells)} for cells in table[1:]]
    return _preview(form, people)


@blueprint.page("/sub-users/import/run", audiences=OWNER, methods=("POST",))
def run_import() -> Response:
    """Add the people of the preview, one after the other, and show what has become of each of them.

    Everything is checked again. People who have been added already, by this import or otherwise, are left alone.
    """
    form = Form.from_request()
    people = _people_of(form.raw("people"))
    if people is None:
        form.errors["file"] = t("import.choose_file")
        return _form(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    activates, stops_at = form.is_checked("active"), time.monotonic() + MAX_SECONDS
    rows = _judge(people, form_zone(form))
    results: list[Row] = []
    for row in rows:
        if results and time.monotonic() >= stops_at:
            break
        results.append(_add(row, activates=activates) if row.outlook == Outlook.NEW else row)
    left = [dict(row.cells) for row in rows[len(results) :]]
    return render_page(
        "sub_user_import_result.html",
        active="sub_users",
        form=form,
        rows=results,
        added_count=sum(row.outlook in {Outlook.ADDED, Outlook.ADDED_ONLY} for row in results),
        left_count=len(left),
        people=json.dumps(left, ensure_ascii=False),
        activates=activates,
        zone=form_zone(form),
    )


def _columns(heading: Sequence[str]) -> Mapping[str, int]:
    """Return the number of each column that the heading names."""
    names = [_base_letters(cell) for cell in heading]
    positions = {
        column: next((number for number, name in enumerate(names) if name in headings), None)
        for column, headings in HEADINGS.items()
    }
    return {column: position for column, position in positions.items() if position is not None}


def _base_letters(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(letter for letter in decomposed if not unicodedata.combining(letter)).split())


def _people_of(text: str) -> Sequence[Mapping[str, str]] | None:
    """Return the rows in the hidden field of the preview; None if it was altered."""
    try:
        people = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_valid = isinstance(people, list) and 0 < len(people) <= MAX_ROWS and all(_is_person(row) for row in people)
    return people if is_valid else None


def _is_person(row: object) -> bool:
    return (
        isinstance(row, dict) and row.keys() <= HEADINGS.keys() and all(isinstance(cell, str) for cell in row.values())
    )


def _judge(people: Sequence[Mapping[str, str]], zone: ZoneInfo) -> Sequence[Row]:
    """Return what an import would do with each row now."""
    account = visitor().account
    places = account.sub_user_limit - account.sub_user_count
    taken_emails = service().queries.sub_users.emails(account.account_id)
    rows: list[Row] = []
    seen: set[str] = set()
    for number, cells in enumerate(people, start=1):
        values, errors = _load(cells, zone)
        email = str(values.get("email", "")).casefold()
        if errors:
            outlook = Outlook.INVALID
        elif email in seen:
            outlook = Outlook.TWICE
        elif email in taken_emails:
            outlook = Outlook.EXISTS
        else:
            outlook = Outlook.NEW if places > 0 else Outlook.NO_PLACE
            places -= 1
        seen.add(email)
        rows.append(Row(number, cells, outlook, values, errors))
    return rows


def _load(cells: Mapping[str, str], zone: ZoneInfo) -> tuple[Mapping[str, Any], Sequence[str]]:
    """Return the values of a row, and a sentence for each that is wrong."""
    form = Form()
    values = form.load_with(SCHEMA, {name: cells.get(name, "") for name in REQUIRED})
    try:
        expires_at = _parse_end(cells.get("access_expires_at", ""), zone)
    except ValueError:
        form.errors["access_expires_at"] = t("import.not_a_date")
    else:
        values["access_expires_at"] = expires_at
        if has_passed(expires_at, service().clock()):
            form.errors["access_expires_at"] = t("import.date_has_passed")
    return values, [
        t("import.error", column=t(f"import.column.{name}"), reason=reason) for name, reason in form.errors.items()
    ]


def _parse_end(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the end of access: a date means the end of that day. Raises ValueError."""
    if match := DAY_FIRST.fullmatch(text):
        day, month, year, hour, minute = match.groups()
        text = f"{year}-{int(month):02}-{int(day):02}" + (f"T{int(hour):02}:{minute}" if hour else "")
    if len(text) == len("2026-12-04"):
        text = datetime.combine(datetime.fromisoformat(text), time_of_day(23, 59)).isoformat()
    return times.parse_form_value(text, zone)


def _add(row: Row, *, activates: bool) -> Row:
    """Add the person of a row, and activate them in a second command, which can fail on its own."""
    commands, context = service().commands.sub_users, visitor().command_context
    try:
        sub_user = commands.create(visitor().account_id, context, **{name: row.values[name] for name in HEADINGS}).value
    except SubUserEmailTaken:
        return replace(row, outlook=Outlook.EXISTS)
    except SubUserLimitReached:
        return replace(row, outlook=Outlook.NO_PLACE)
    except StoreUnavailable:  # the connection can be lost after the commit
        return replace(row, outlook=Outlook.UNKNOWN)
    except (Refusal, ServiceError):
        return replace(row, outlook=Outlook.FAILED)
    outlook, errors = Outlook.ADDED, []
    if activates:
        try:
            commands.change(sub_user.account_id, sub_user.sub_user_id, SubUserChanges(active=True), context)
        except TooManyMails:
            outlook, errors = Outlook.ADDED_ONLY, [t("bulk.too_many_mails")]
        except StoreUnavailable:
            errors = [t("import.activation_unknown")]
        except (Refusal, ServiceError):
            outlook, errors = Outlook.ADDED_ONLY, [t("import.not_activated")]
    return replace(row, outlook=outlook, errors=errors)


def _form(form: Form, status: HTTPStatus = HTTPStatus.OK) -> Response:
    account = visitor().account
    return render_page(
        "sub_user_import.html",
        status,
        active="sub_users",
        form=form,
        places=max(0, account.sub_user_limit - account.sub_user_count),
        limit=account.sub_user_limit,
        max_rows=MAX_ROWS,
        zone=form_zone(form),
    )


def _preview(form: Form, people: Sequence[Mapping[str, str]]) -> Response:
    rows = _judge(people, form_zone(form))
    account = visitor().account
    return render_page(
        "sub_user_import_preview.html",
        active="sub_users",
        form=form,
        rows=rows,
        counts={outlook: sum(row.outlook == outlook for row in rows) for outlook in Outlook},
        places=max(0, account.sub_user_limit - account.sub_user_count),
        limit=account.sub_user_limit,
        people=json.dumps(people, ensure_ascii=False),
        zone=form_zone(form),
    )
