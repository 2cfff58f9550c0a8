"""Exports over HTTP: complete in each format, verifiable, and resumable after an interruption."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from adapters.ed25519 import verify
from application.commands.api_keys import Scope
from application.transparency.export_verifier import verify_export
from application.transparency.signed_note import VerifierKey
from application.transparency.tamper_locator import CannotVerify
from application.transparency.verifiable_export import end_line
from projections.audit_log.actions import ACTIONS
from tests.api.clients import require_problem
from tests.api.ocsf_schema import violations
from tests.api_keys import BY_OPERATOR
from tests.builders import deliver_mails
from tests.postgres import fetch
from tests.refusing_mail_server import RefusingMailServer

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClients, SubUser

FORMATS = ("jsonl", "csv", "ocsf")
FORMULA = "=1+1"


@pytest.fixture
def sub_user(account: Account) -> SubUser:
    """Return a sub-user with a changed name, a failed login, activities and usage, who is inactive now."""
    sub_user = account.create_with_own_password(name="Grace", surname=FORMULA)
    sub_user.change(name="Ada", access_expires_at="2099-01-01T00:00:00Z")
    sub_user.log_in(password="a wrong password")
    activities = [{"sub_user_id": sub_user.sub_user_id, "action": "tool.used", "details": {"n": n}} for n in range(3)]
    assert account.portal.post(f"{account.path}/activities", json={"activities": activities}).status_code == 201
    usage = {"sub_user_id": sub_user.sub_user_id, "conversation_ms": 60_000, "llm_tokens": 2}
    assert account.portal.post(f"{account.path}/usage", json=usage).status_code == 201
    sub_user.change(status="inactive")
    return sub_user


def is_valid(clients: ApiClients, text: str) -> bool:
    """Verify an export with the public keys only, as an auditor does."""
    keys = [VerifierKey.parse(key.verifier_key) for key in clients.service.queries.checkpoints.signing_keys()]
    try:
        return verify_export(io.BytesIO(text.encode()), keys, verify, ACTIONS).finding is None
    except CannotVerify:
        return False


def export(clients: ApiClients, path: str, export_format: str, **query: Any) -> TestResponse:
    if export_format == "jsonl" and "cursor" not in query:
        clients.sign_checkpoint()
    response = clients.auditor.get(path, query_string={"format": export_format, **query})
    assert response.status_code == 200, response.text
    return response


def events(text: str, export_format: str) -> list[tuple[int, str]]:
    """Return the position and action of each event. Only `jsonl` has a header and an end line."""
    match export_format:
        case "csv":
            rows = csv.DictReader(io.StringIO(text, newline=""))
            return [(int(row["position"]), row["action"]) for row in rows]
        case "ocsf":
            lines = [json.loads(line) for line in text.splitlines()]
            return [(line["metadata"]["sequence"], line["metadata"]["event_code"]) for line in lines]
        case _:
            lines = [json.loads(line) for line in text.splitlines()][1:-1]
            return [(line["position"], line["shown"]["action"]) for line in lines]


@pytest.mark.parametrize("export_format", FORMATS)
def test_export_has_every_event_of_the_account(
    clients: ApiClients, account: Account, sub_user: SubUser, export_format: str
) -> None:
    """Events are oldest first and include those outside the account's stream, but not the export's own event."""
    response = export(clients, f"{account.path}/export", export_format)
    rows = [(row["position"], row["action"]) for row in reversed(account.audit_log_rows())]
    assert events(response.text, export_format) == rows[:-1]
    assert rows[-1][1] == "audit_log.exported"
    assert account.audit_log_rows()[0]["details"] == {"format": export_format, "after": 0}
    assert response.headers["Content-Disposition"].startswith(f'attachment; filename="export-{account.account_id}.')


def test_account_export_has_verifiable_proofs(clients: ApiClients, account: Account, sub_user: SubUser) -> None:
    """Each line has a description in words next to the stored data."""
    text = export(clients, f"{account.path}/export", "jsonl").text
    head, *lines, end = map(json.loads, text.splitlines())
    assert (head["proofs"], head["account_id"]) == ("each", account.account_id)
    assert end == end_line(len(lines))
    assert lines[1]["shown"]["in_words"].startswith("Winds & Waves added ")
    assert is_valid(clients, text)
    assert not is_valid(clients, text.replace('"SubUserActivated"', '"SubUserDeactivated"'))
    assert not is_valid(clients, text[: text.rindex('{"end"')])


def test_whole_export_is_verified_as_one(own_clients: ApiClients) -> None:
    """It has the events of all accounts and those without an account; their hashes together give the signed root."""
    account = own_clients.register_account()
    own_clients.register_account().create_sub_user()
    export(own_clients, "/v1/audit/export", "csv")
    text = export(own_clients, "/v1/audit/export", "jsonl").text
    assert json.loads(text.splitlines()[0])["proofs"] == "whole"
    assert [action for _, action in events(text, "jsonl")] == [
        *("main_account.registered", "main_account.registered", "sub_user.created", "audit_log.exported"),
    ]
    assert is_valid(own_clients, text)
    assert account.audit_log_rows(action="audit_log.exported") == []


@pytest.mark.parametrize("export_format", FORMATS)
@pytest.mark.parametrize("whole_lines", [1, 4, 9])
def test_interrupted_export_can_be_resumed(
    clients: ApiClients, account: Account, sub_user: SubUser, export_format: str, whole_lines: int
) -> None:
    """It continues after the last whole line as the first one would have, even if more was recorded since."""
    path = f"{account.path}/export"
    response = export(clients, path, export_format)
    lines = response.data.splitlines(keepends=True)
    received_lines = lines[: whole_lines + 1]
    sub_user.change(visible=False)
    clients.sign_checkpoint()
    end = b"{}\n" if export_format == "jsonl" else b""
    (*_, (position, _)) = events(b"".join([*received_lines, end]).decode(), export_format)
    continuation = export(clients, path, export_format, cursor=response.headers["Export-Cursor"], after=position)
    combined = b"".join(received_lines) + continuation.data
    if export_format == "jsonl":  # the digest of the end line covers the response
        assert json.loads(combined.splitlines()[-1])["events"] == len(events(response.text, export_format))
        combined, expected = (data[: data.rindex(b'{"end"')] for data in (combined, response.data))
        assert combined == expected
    else:
        assert combined == response.data


@pytest.mark.parametrize("export_format", ["csv", "ocsf"])
def test_complete_export_has_an_empty_continuation(
    clients: ApiClients, account: Account, sub_user: SubUser, export_format: str
) -> None:
    """So a client can check a file, even if more was recorded since. No line of the file is not an event."""
    path = f"{account.path}/export"
    response = export(clients, path, export_format)
    positions = [position for position, _ in events(response.text, export_format)]
    assert len(positions) == len(response.data.splitlines()) - (export_format == "csv")
    sub_user.change(visible=False)
    for after, is_complete in ((positions[-1], True), (positions[-2], False)):
        rest = export(clients, path, export_format, cursor=response.headers["Export-Cursor"], after=after)
        assert (rest.data == b"") is is_complete


@pytest.mark.parametrize("after_first_line", [False, True])
@pytest.mark.parametrize("export_format", ["csv", "ocsf"])
def test_end_marker_on_request(
    clients: ApiClients, account: Account, sub_user: SubUser, export_format: str, after_first_line: bool
) -> None:
    """It counts the events of the whole export, also in a continuation. This is the format of 0.1."""
    path = f"{account.path}/export"
    clients = replace(clients, auditor=clients.auditor.with_deprecated_names())
    response = export(clients, path, export_format, end_marker="true")
    *lines, end = response.data.splitlines(keepends=True)
    positions = [position for position, _ in events(b"".join(lines).decode(), export_format)]
    if after_first_line:
        query = {"cursor": response.headers["Export-Cursor"], "after": positions[0]}
        end = export(clients, path, export_format, end_marker="true", **query).data.splitlines(keepends=True)[-1]
    if export_format == "csv":
        (row,) = csv.reader([end.decode()])
        assert (row[0], json.loads(row[-1])) == ("end", {"events": len(positions)})
    else:
        assert json.loads(end)["unmapped"] == {"end": True, "events": len(positions)}
        assert violations(json.loads(end)) == []


def test_csv_with_byte_order_mark(clients: ApiClients, account: Account, sub_user: SubUser) -> None:
    """Only the beginning of a file has it."""
    path = f"{account.path}/export"
    response, with_mark = export(clients, path, "csv"), export(clients, path, "csv", bom="true")
    assert with_mark.data.startswith(b"\xef\xbb\xbf" + response.data)
    (_, position), *_ = [(action, position) for position, action in events(response.text, "csv")]
    query = {"cursor": with_mark.headers["Export-Cursor"], "after": position}
    assert not export(clients, path, "csv", bom="true", **query).data.startswith(b"\xef")
    audit_log = clients.auditor.get(f"{account.path}/audit-log?bom=true", headers={"Accept": "text/csv"})
    assert audit_log.data.startswith(b"\xef\xbb\xbfposition,")


@pytest.mark.parametrize("query", [{}, {"after": 0}])
def test_export_resumed_before_its_first_event_has_its_header(
    clients: ApiClients, account: Account, sub_user: SubUser, query: dict[str, Any]
) -> None:
    """It has the same checkpoint, even if a newer one exists."""
    path = f"{account.path}/export"
    response = export(clients, path, "jsonl")
    sub_user.change(visible=False)
    clients.sign_checkpoint()
    repeated = export(clients, path, "jsonl", cursor=response.headers["Export-Cursor"], **query)

    (first_header, *first_lines), (header, *lines) = (part.text.splitlines() for part in (response, repeated))
    assert lines == first_lines
    without_own_members = [
        {name: value for name, value in json.loads(text).items() if name not in {"cursor", "digest"}}
        for text in (first_header, header)
    ]
    assert without_own_members[0] == without_own_members[1]
    assert is_valid(clients, repeated.text)


def test_cursor_of_a_lost_checkpoint_is_refused(own_clients: ApiClients) -> None:
    """The proofs of the rest would not fit the header that was sent."""
    path = f"{own_clients.register_account().path}/export"
    cursor = export(own_clients, path, "jsonl").headers["Export-Cursor"]
    fetch(own_clients.service.settings.owner_url, "DELETE FROM checkpoints RETURNING number")

    response = own_clients.auditor.get(path, query_string={"cursor": cursor})
    require_problem(response, 422, "invalid-input", "cursor")


@pytest.mark.parametrize("export_format", FORMATS)
def test_filter_by_recording_time(clients: ApiClients, account: Account, sub_user: SubUser, export_format: str) -> None:
    """`since` is inclusive, `until` exclusive; the reported time of occurrence does not matter."""
    rows = list(reversed(account.audit_log_rows()))
    since, until = rows[2]["recorded_at"], rows[-1]["recorded_at"]
    expected_positions = [row["position"] for row in rows if since <= row["recorded_at"] < until]
    text = export(clients, f"{account.path}/export", export_format, since=since, until=until).text
    assert [position for position, _ in events(text, export_format)] == expected_positions
    later = export(
        clients, f"{account.path}/export", export_format, after=expected_positions[0], since=since, until=until
    ).text
    assert [position for position, _ in events(later, export_format)] == expected_positions[1:]


def test_csv_has_no_formula_cells(clients: ApiClients, account: Account, sub_user: SubUser) -> None:
    text = export(clients, f"{account.path}/export", "csv").text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {row["account_id"] for row in rows} == {account.account_id}
    assert f"Ada {FORMULA}" in {row["actor_name"] for row in rows}
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_ocsf_export_conforms_to_the_schema(clients: ApiClients, account: Account, sub_user: SubUser) -> None:
    """Every line is valid by the published schema; changes and logins have the classes meant for them."""
    account.portal.post("/v1/sessions", json={**sub_user.credentials, "email": "nobody@company.example"})
    account.portal.delete(sub_user.path)
    lines = list(map(json.loads, export(clients, f"{account.path}/export", "ocsf").text.splitlines()))
    assert [violation for line in lines for violation in violations(line)] == []
    class_and_activity = {line["metadata"]["event_code"]: (line["class_uid"], line["activity_name"]) for line in lines}
    assert class_and_activity["sub_user.created"] == (3001, "Create")
    assert class_and_activity["sub_user.activated"] == (3001, "Enable")
    assert class_and_activity["sub_user.deactivated"] == (3001, "Disable")
    assert class_and_activity["sub_user.deleted"] == (3001, "Delete")
    assert class_and_activity["sub_user.logged_in"] == class_and_activity["sub_user.login_refused"] == (3002, "Logon")
    assert class_and_activity["tool.used"] == (3004, "tool.used")
    (used, *_) = [line for line in lines if line["metadata"]["event_code"] == "tool.used"]
    assert (used["entity"]["type"], used["entity"]["uid"]) == ("User", sub_user.sub_user_id)
    refused = [line for line in lines if line["metadata"]["event_code"] == "sub_user.login_refused"]
    assert [(line["status"], line["status_detail"]) for line in refused] == [
        ("Failure", "wrong_password"),
        ("Failure", "unknown"),
    ]
    assert refused[0]["user"]["uid"] == sub_user.sub_user_id
    assert lines[0]["user"] == {
        "uid": account.account_id,
        "name": "Winds & Waves",
        "type_id": 2,
        "type": "Admin",
        "account": {"uid": account.account_id},
    }


def test_ocsf_status_is_the_outcome_of_the_event(
    clients: ApiClients, account: Account, sub_user: SubUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service does not know whether an activity succeeded: the portal chooses its meaning."""
    sub_user.change(status="active")
    deliver_mails(clients.service)
    with monkeypatch.context() as patched:
        patched.setattr(clients.service.workers.mailer, "_transport", RefusingMailServer())
        sub_user.change(password="another phrase for now")
        deliver_mails(clients.service)
    lines = map(json.loads, export(clients, f"{account.path}/export", "ocsf").text.splitlines())
    statuses = {line["metadata"].get("event_code"): (line["status_id"], line["status"]) for line in lines}
    assert statuses["sub_user.credentials_mail_failed"] == (2, "Failure")
    assert statuses["sub_user.credentials_mailed"] == (1, "Success")
    assert statuses["sub_user.usage_recorded"] == (1, "Success")
    assert statuses["tool.used"] == (0, "Unknown")


def test_ocsf_export_keeps_nulls_of_reported_details(clients: ApiClients, account: Account, sub_user: SubUser) -> None:
    details = {"result": None, "steps": [{"tool": None}], "nested": {"empty": None}}
    activity = {"sub_user_id": sub_user.sub_user_id, "action": "tool.failed", "details": details}
    assert account.portal.post(f"{account.path}/activities", json={"activities": [activity]}).status_code == 201
    lines = map(json.loads, export(clients, f"{account.path}/export", "ocsf").text.splitlines())
    (reported,) = (line for line in lines if line["metadata"].get("event_code") == "tool.failed")
    assert reported["unmapped"] == {"details": details}


def test_ocsf_export_has_no_ids_of_missing_accounts(clients: ApiClients, account: Account) -> None:
    """API keys belong to no account."""
    clients.service.commands.api_keys.create(Scope.PORTAL, "a portal", BY_OPERATOR)
    text = export(clients, "/v1/audit/export", "ocsf").text
    lines = list(map(json.loads, text.splitlines()))
    assert any("tenant_uid" not in line["metadata"] for line in lines)
    assert [violation for line in lines for violation in violations(line)] == []
    assert '"None"' not in text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"format": "xml"}, "format"),
        ({"format": "parquet"}, "format"),
        ({"since": "x"}, "since"),
        ({"after": -1}, "after"),
        ({"cursor": "x"}, "cursor"),
        ({"bom": "yes"}, "bom"),
        ({"format": "ocsf", "bom": "true"}, "bom"),
        ({"format": "jsonl", "end_marker": "true"}, "end_marker"),
    ],
)
def test_invalid_query_is_refused(clients: ApiClients, account: Account, query: dict[str, Any], field: str) -> None:
    """The problem names the parameter, and no line is sent."""
    for path in ("/v1/audit/export", f"{account.path}/export"):
        client = clients.auditor.with_deprecated_names()
        response = client.get(path, query_string={"format": "csv", **query})
        require_problem(response, 422, "invalid-input", field)


def test_cursor_is_bound_to_its_account_and_format(clients: ApiClients, account: Account) -> None:
    cursor = export(clients, f"{account.path}/export", "csv").headers["Export-Cursor"]
    for path, export_format in (
        (f"{account.path}/export", "ocsf"),
        (f"{clients.register_account().path}/export", "csv"),
    ):
        response = clients.auditor.get(path, query_string={"format": export_format, "cursor": cursor})
        require_problem(response, 422, "invalid-input", "cursor")


def test_reads_of_an_auditor_change_only_the_audit_log(
    clients: ApiClients, account: Account, sub_user: SubUser
) -> None:
    before = [account.portal.get(path).json for path in (account.path, sub_user.path)]
    clients.sign_checkpoint()
    for path in ("audit-log", "history", "export", "export?format=csv", "export?format=ocsf"):
        assert clients.auditor.get(f"{account.path}/{path}").status_code == 200
    assert [account.portal.get(path).json for path in (account.path, sub_user.path)] == before
    actions = [row["action"] for row in account.audit_log_rows()[:5]]
    assert sorted(actions) == [*["audit_log.exported"] * 3, *["audit_log.read"] * 2]
