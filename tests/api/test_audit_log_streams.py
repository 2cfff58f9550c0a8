"""Complete audit log as a stream: CSV for spreadsheets, NDJSON for programs."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from api.http.downloads import AccessEnded
from application.commands.api_keys import Scope
from tests.api.clients import require_problem
from tests.api_keys import BY_OPERATOR, add_api_key

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClient, ApiClients

CSV = {"Accept": "text/csv"}
NDJSON = {"Accept": "application/x-ndjson"}
COLUMNS = [
    *("position", "occurred_at", "recorded_at", "action", "actor_type", "actor_id", "actor_name"),
    *("actor_api_key_id", "actor_person"),
    *("sub_user_id", "target", "ip", "user_agent", "reason", "details"),
]
ACTIVITY_COUNT = 1203
"""More rows than two batches, which have 500 rows each."""


def table(response: TestResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


@pytest.fixture(scope="module")
def long_account(clients: ApiClients) -> Account:
    """Return an account with a long history; the targets of its activities are numbered."""
    account = clients.register_account()
    sub_user_id = account.create_sub_user().sub_user_id
    activities = [
        {"sub_user_id": sub_user_id, "action": "tool.used", "target": f"tool {number}"}
        for number in range(ACTIVITY_COUNT)
    ]
    for start in range(0, ACTIVITY_COUNT, 1000):
        body = {"activities": activities[start : start + 1000]}
        assert clients.portal.post(f"{account.path}/activities", json=body).status_code == 201
    return account


def test_csv_has_a_row_for_every_event(long_account: Account) -> None:
    """Rows are newest first below a header row; line endings follow RFC 4180."""
    response = long_account.portal.get(f"{long_account.path}/audit-log", headers=CSV)
    assert response.status_code == 200
    assert response.content_type == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == f'attachment; filename="audit-log-{long_account.account_id}.csv"'
    assert response.headers["Cache-Control"] == "no-store"
    assert response.text.startswith(",".join(COLUMNS) + "\r\n")
    rows = table(response)
    # Earlier tests may have exported the same log.
    rows_without_exports = [row for row in rows if row["action"] != "audit_log.exported"]
    assert [row["target"] for row in rows_without_exports[:ACTIVITY_COUNT]] == [
        f"tool {number}" for number in reversed(range(ACTIVITY_COUNT))
    ]
    assert [row["action"] for row in rows_without_exports[ACTIVITY_COUNT:]] == [
        "sub_user.created",
        "main_account.registered",
    ]
    assert response.text.endswith("\r\n")


def test_ndjson_has_a_line_for_every_event(long_account: Account) -> None:
    """Each line equals the entry of a page."""
    page_items = long_account.audit_log_rows()
    response = long_account.portal.get(f"{long_account.path}/audit-log", headers=NDJSON)
    assert response.status_code == 200
    assert response.content_type == "application/x-ndjson"
    assert (
        response.headers["Content-Disposition"] == f'attachment; filename="audit-log-{long_account.account_id}.ndjson"'
    )
    assert response.headers["Cache-Control"] == "no-store"
    rows = [json.loads(line) for line in response.text.splitlines()]
    assert len([row for row in rows if row["action"] != "audit_log.exported"]) == ACTIVITY_COUNT + 2
    assert rows[: len(page_items)] == page_items
    assert response.text.endswith("}\n")


def test_filters_apply_and_limit_does_not(long_account: Account) -> None:
    for query, expected in (
        ({"action": "sub_user.created"}, 1),
        ({"action": "tool.used", "limit": 1}, ACTIVITY_COUNT),
        ({"since": "2099-01-01T00:00:00Z"}, 0),
    ):
        path = f"{long_account.path}/audit-log"
        assert len(table(long_account.portal.get(path, query_string=query, headers=CSV))) == expected
        assert len(long_account.portal.get(path, query_string=query, headers=NDJSON).text.splitlines()) == expected


def test_long_log_is_sent_in_chunks(long_account: Account) -> None:
    """The response has no Content-Length, and its first chunk arrives before the whole log is read."""
    headers = {**long_account.portal.headers, **NDJSON}
    response = long_account.portal.app.test_client().get(f"{long_account.path}/audit-log", headers=headers)
    try:
        assert "Content-Length" not in response.headers
        first = next(iter(response.response))
        assert isinstance(first, bytes)
        assert 0 < first.count(b"\n") < ACTIVITY_COUNT / 2
    finally:
        response.close()


@pytest.mark.parametrize("accept", [CSV, NDJSON])
def test_stream_is_aborted_when_its_key_is_revoked(
    clients: ApiClients, long_account: Account, accept: dict[str, str]
) -> None:
    """The connection breaks, so that no client mistakes the part for the whole log."""
    keys = clients.service.commands.api_keys
    secret = add_api_key(clients.service, Scope.PORTAL)
    key = keys.find(secret)
    assert key is not None
    headers = {"Authorization": f"Bearer {secret}", **accept}
    response = long_account.portal.app.test_client().get(f"{long_account.path}/audit-log", headers=headers)
    try:
        chunks = iter(response.response)
        assert next(chunks)
        assert keys.revoke(key.api_key_id, BY_OPERATOR)
        with pytest.raises(AccessEnded):
            next(chunks)
    finally:
        response.close()


def test_csv_cells_equal_the_fields_of_a_page(account: Account) -> None:
    """Null is an empty cell, and details are JSON."""
    sub_user_id = account.create_sub_user().sub_user_id
    details = {"quote": 'say "hi", twice', "é": ["\n", None]}
    body = {"activities": [{"sub_user_id": sub_user_id, "action": "tool.used", "details": details}]}
    headers = {"X-Client-IP": "2001:DB8::1", "X-Client-User-Agent": 'a "browser", with; signs'}
    account.portal.post(f"{account.path}/activities", json=body, headers=headers)

    rows = account.audit_log_rows()
    csv_rows = table(account.portal.get(f"{account.path}/audit-log", headers=CSV))

    for row, csv_row in zip(rows, csv_rows, strict=True):
        actor = row.pop("actor")
        assert json.loads(csv_row.pop("details")) == row.pop("details")
        values = {**row, **{f"actor_{name}": actor[name] for name in actor}}
        assert csv_row == {name: "" if value is None else str(value) for name, value in values.items()}
    assert (csv_rows[0]["ip"], csv_rows[0]["user_agent"]) == ("2001:db8::1", 'a "browser", with; signs')


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_csv_has_no_formula_cells(account: Account, portal: ApiClient, start: str) -> None:
    """An apostrophe precedes text that a spreadsheet would evaluate; pages show it unchanged."""
    text = f'{start}HYPERLINK("https://evil.example","x")'
    sub_user = account.create_sub_user(name=text, surname=start)
    activity = {"sub_user_id": sub_user.sub_user_id, "action": "tool.used", "target": text, "details": text}
    headers = {"X-Client-User-Agent": text} if text.isascii() else {}
    portal.post(f"{account.path}/activities", json={"activities": [activity]}, headers=headers)

    csv_rows = table(portal.get(f"{account.path}/audit-log", headers=CSV))

    assert csv_rows[0]["target"] == f"'{text}"
    assert csv_rows[0]["actor_name"] == f"'{text} {start}"
    assert csv_rows[0]["user_agent"] == (f"'{text}" if text.isascii() else "")
    assert json.loads(csv_rows[0]["details"]) == text
    dangerous = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
    assert not [cell for csv_row in csv_rows for cell in csv_row.values() if cell.startswith(dangerous)]
    assert account.audit_log_rows()[1]["target"] == text
    assert sub_user.fetch()["name"] == text


def test_negative_number_in_details_gets_an_apostrophe(account: Account, portal: ApiClient) -> None:
    activity = {"sub_user_id": account.create_sub_user().sub_user_id, "action": "tool.used", "details": -1}
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
def test_accept_header_selects_the_format(account: Account, accept: str | None, expected: str) -> None:
    """Without a preference the response is a page of JSON."""
    headers = {} if accept is None else {"Accept": accept}
    response = account.portal.get(f"{account.path}/audit-log", headers=headers)
    assert (response.status_code, response.content_type) == (200, expected)


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "nonsense", "application/xml, image/*"])
def test_unsupported_format_is_refused(account: Account, accept: str) -> None:
    """The problem lists the supported formats."""
    response = account.portal.get(f"{account.path}/audit-log", headers={"Accept": accept})
    problem = require_problem(response, 406, "not-acceptable")
    assert "text/csv" in problem["detail"]


def test_auditor_key_can_stream_any_account(clients: ApiClients, account: Account) -> None:
    for headers in (CSV, NDJSON):
        response: Any = clients.auditor.get(f"{account.path}/audit-log", headers=headers)
        assert response.status_code == 200
        assert "main_account.registered" in response.text
