"""The audit log whole: as CSV for spreadsheets, as NDJSON for machines."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from api.http.audit_csv import AccessEnded
from application.api_keys import Scope
from tests.api.callers import require_problem

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.callers import Account, Caller, Doors

CSV = {"Accept": "text/csv"}
NDJSON = {"Accept": "application/x-ndjson"}
COLUMNS = [
    *("position", "occurred_at", "recorded_at", "action", "actor_type", "actor_id", "actor_name"),
    *("sub_user_id", "target", "ip", "user_agent", "reason", "details"),
]
LONG = 1203
"""More rows than are read at a time, and more than twice."""


def table(answer: TestResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


@pytest.fixture(scope="module")
def long(doors: Doors) -> Account:
    """Give an account with a long history, the activities numbered by their target."""
    account = doors.account()
    sub_user_id = account.let_in().sub_user_id
    rows = [{"sub_user_id": sub_user_id, "action": "tool.used", "target": f"tool {number}"} for number in range(LONG)]
    for start in range(0, LONG, 1000):
        answer = doors.portal.post(f"{account.path}/activities", json={"activities": rows[start : start + 1000]})
        assert answer.status_code == 201
    return account


def test_csv_has_a_row_for_everything_that_happened(long: Account) -> None:
    """All of it, newest first, under a line of column names, in lines that end as RFC 4180 has it."""
    answer = long.portal.get(f"{long.path}/audit-log", headers=CSV)
    assert answer.status_code == 200
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="audit-log-{long.account_id}.csv"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.text.startswith(",".join(COLUMNS) + "\r\n")
    rows = table(answer)
    happened = [row for row in rows if row["action"] != "audit_log.exported"]  # by tests that had a copy of it before
    assert [row["target"] for row in happened[:LONG]] == [f"tool {number}" for number in reversed(range(LONG))]
    assert [row["action"] for row in happened[LONG:]] == ["sub_user.created", "main_account.registered"]
    assert answer.text.endswith("\r\n")


def test_ndjson_has_a_line_for_everything_that_happened(long: Account) -> None:
    """Each line is the row as a page shows it."""
    shown = long.rows()
    answer = long.portal.get(f"{long.path}/audit-log", headers=NDJSON)
    assert answer.status_code == 200
    assert answer.content_type == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="audit-log-{long.account_id}.ndjson"'
    assert answer.headers["Cache-Control"] == "no-store"
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert len([row for row in rows if row["action"] != "audit_log.exported"]) == LONG + 2
    assert rows[:190] == shown[:190]
    assert answer.text.endswith("}\n")


def test_both_have_what_the_filters_leave(long: Account) -> None:
    """Filters count, `limit` does not."""
    for query, expected in (
        ({"action": "sub_user.created"}, 1),
        ({"action": "tool.used", "limit": 1}, LONG),
        ({"since": "2099-01-01T00:00:00Z"}, 0),
    ):
        path = f"{long.path}/audit-log"
        assert len(table(long.portal.get(path, query_string=query, headers=CSV))) == expected
        assert len(long.portal.get(path, query_string=query, headers=NDJSON).text.splitlines()) == expected


def test_a_long_log_is_sent_piece_by_piece(long: Account) -> None:
    """Without a length, and its beginning before its end is read."""
    headers = {**long.portal.headers, **NDJSON}
    answer = long.portal.app.test_client().get(f"{long.path}/audit-log", headers=headers)
    try:
        assert "Content-Length" not in answer.headers
        first = next(iter(answer.response))
        assert isinstance(first, bytes)
        assert 0 < first.count(b"\n") < LONG / 2
    finally:
        answer.close()


@pytest.mark.parametrize("form", [CSV, NDJSON])
def test_it_breaks_off_where_its_key_is_revoked(doors: Doors, long: Account, form: dict[str, str]) -> None:
    """What has not been sent by then is not, and nobody takes the rest for a whole answer."""
    keys, clock = doors.service.api_keys, doors.service.clock
    secret = keys.create(Scope.PORTAL, "one that is revoked", clock())
    key = keys.find(secret)
    assert key is not None
    headers = {"Authorization": f"Bearer {secret}", **form}
    answer = long.portal.app.test_client().get(f"{long.path}/audit-log", headers=headers)
    try:
        pieces = iter(answer.response)
        assert next(pieces)
        assert keys.revoke(key.api_key_id, clock())
        with pytest.raises(AccessEnded):
            next(pieces)
    finally:
        answer.close()


def test_csv_shows_what_a_page_shows(account: Account) -> None:
    """Cell by cell: nothing for null, the details as JSON."""
    sub_user_id = account.let_in().sub_user_id
    details = {"quote": 'say "hi", twice', "é": ["\n", None]}
    body = {"activities": [{"sub_user_id": sub_user_id, "action": "tool.used", "details": details}]}
    told = {"X-Client-IP": "2001:DB8::1", "X-Client-User-Agent": 'a "browser", with; signs'}
    account.portal.post(f"{account.path}/activities", json=body, headers=told)

    shown = account.rows()
    cells = table(account.portal.get(f"{account.path}/audit-log", headers=CSV))

    for row, cell in zip(shown, cells, strict=True):
        flat = {**row, **{f"actor_{name}": value for name, value in row.pop("actor").items()}}
        flat.pop("actor", None)
        assert json.loads(cell.pop("details")) == flat.pop("details")
        assert cell == {name: "" if value is None else str(value) for name, value in flat.items()}
    assert (cells[0]["ip"], cells[0]["user_agent"]) == ("2001:db8::1", 'a "browser", with; signs')


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_of_csv_is_a_formula(account: Account, portal: Caller, start: str) -> None:
    """A cell that a spreadsheet would compute begins with an apostrophe; elsewhere it stays as it was given."""
    text = f'{start}HYPERLINK("https://evil.example","x")'
    one = account.let_in(name=text, surname=start)
    activity = {"sub_user_id": one.sub_user_id, "action": "tool.used", "target": text, "details": text}
    headers = {"X-Client-User-Agent": text} if text.isascii() else {}
    portal.post(f"{account.path}/activities", json={"activities": [activity]}, headers=headers)

    cells = table(portal.get(f"{account.path}/audit-log", headers=CSV))

    assert cells[0]["target"] == f"'{text}"
    assert cells[0]["actor_name"] == f"'{text} {start}"
    assert cells[0]["user_agent"] == (f"'{text}" if text.isascii() else "")
    assert json.loads(cells[0]["details"]) == text
    dangerous = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
    assert not [value for cell in cells for value in cell.values() if value.startswith(dangerous)]
    assert account.rows()[1]["target"] == text
    assert one.shown()["name"] == text


def test_details_that_are_a_negative_number_are_no_formula(account: Account, portal: Caller) -> None:
    """They too begin with an apostrophe."""
    activity = {"sub_user_id": account.let_in().sub_user_id, "action": "tool.used", "details": -1}
    portal.post(f"{account.path}/activities", json={"activities": [activity]})
    assert table(portal.get(f"{account.path}/audit-log", headers=CSV))[0]["details"] == "'-1"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("TEXT/CSV; q=0.5", "text/csv; charset=utf-8"),
        ("text/*", "text/csv; charset=utf-8"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/html, text/csv;q=0.9, */*;q=0.1", "text/csv; charset=utf-8"),
        ("application/json;q=0.1, application/x-ndjson", "application/x-ndjson"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
    ],
)
def test_the_client_says_which_form_it_wants(account: Account, accept: str | None, expected: str) -> None:
    """By `Accept`; one that does not mind, or does not say, gets pages of JSON."""
    headers = {} if accept is None else {"Accept": accept}
    answer = account.portal.get(f"{account.path}/audit-log", headers=headers)
    assert (answer.status_code, answer.content_type) == (200, expected)


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "nonsense", "application/xml, image/*"])
def test_a_form_that_there_is_not_is_refused(account: Account, accept: str) -> None:
    """406, saying what there is."""
    answer = account.portal.get(f"{account.path}/audit-log", headers={"Accept": accept})
    problem = require_problem(answer, 406, "not-acceptable")
    assert "text/csv" in problem["detail"]


def test_auditors_get_both_streams(doors: Doors, account: Account) -> None:
    """With their own key, for any account."""
    for headers in (CSV, NDJSON):
        answer: Any = doors.auditor.get(f"{account.path}/audit-log", headers=headers)
        assert answer.status_code == 200
        assert "main_account.registered" in answer.text
