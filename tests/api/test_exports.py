"""Exports over HTTP: in each form complete, recognizable as such, and to be taken up again where they broke off."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from adapters.ed25519 import verify
from application.export_check import check_export
from application.first_bad import CannotTell
from application.signed_notes import VerifierKey
from projections.freshness import Freshness
from tests.api.callers import require_problem
from tests.api.ocsf_schema import faults

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.callers import Account, Doors, SubUser

FORMS = ("jsonl", "csv", "ocsf")
FORMULA = "=1+1"


@pytest.fixture
def grace(account: Account) -> SubUser:
    """Give a sub-user who did this and that, and whom others tried to be."""
    one = account.let_in_settled(name="Grace", surname=FORMULA)
    one.change(name="Ada", access_expires_at="2099-01-01T00:00:00Z")
    one.log_in(password="a wrong password")
    done = [{"sub_user_id": one.sub_user_id, "action": "tool.used", "details": {"n": n}} for n in range(3)]
    assert account.portal.post(f"{account.path}/activities", json={"activities": done}).status_code == 201
    used = {"sub_user_id": one.sub_user_id, "conversation_minutes": 1, "llm_tokens": 2}
    assert account.portal.post(f"{account.path}/usage", json=used).status_code == 201
    one.change(active=False)
    return one


def signed(doors: Doors) -> None:
    """Wait for a checkpoint that has all that was recorded so far."""
    Freshness(doors.service.database).of_view("merkle-tree")
    doors.service.checkpointer.make_now()


def verified(doors: Doors, text: str) -> bool:
    """Check an export with nothing but the public key, as an auditor does."""
    keys = [VerifierKey.parse(one.verifier_key) for one in doors.service.checkpoints.signing_keys()]
    try:
        return check_export(io.BytesIO(text.encode()), keys, verify).finding is None
    except CannotTell:
        return False


def export(doors: Doors, path: str, form: str, **query: Any) -> TestResponse:
    if form == "jsonl" and "cursor" not in query:
        signed(doors)
    answer = doors.auditor.get(path, query_string={"format": form, **query})
    assert answer.status_code == 200, answer.text
    return answer


def events(text: str, form: str) -> list[tuple[int, str]]:
    """Return the position and the action of each event, without head and end."""
    match form:
        case "csv":
            rows = list(csv.DictReader(io.StringIO(text, newline="")))[:-1]
            return [(int(row["position"]), row["action"]) for row in rows]
        case "ocsf":
            lines = [json.loads(line) for line in text.splitlines()][:-1]
            return [(line["metadata"]["sequence"], line["metadata"]["event_code"]) for line in lines]
        case _:
            lines = [json.loads(line) for line in text.splitlines()][1:-1]
            return [(line["position"], line["shown"]["action"]) for line in lines]


@pytest.mark.parametrize("form", FORMS)
def test_an_export_has_everything_that_happened(doors: Doors, account: Account, grace: SubUser, form: str) -> None:
    """Oldest first, of this account alone, with what stands beside its stream; but not that it was exported."""
    answer = export(doors, f"{account.path}/export", form)
    rows = [(row["position"], row["action"]) for row in reversed(account.rows())]
    assert events(answer.text, form) == rows[:-1]
    assert rows[-1][1] == "audit_log.exported"
    assert account.rows()[0]["details"] == {"format": form, "after": 0}
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="export-{account.account_id}.')


def test_lines_with_proofs_verify(doors: Doors, account: Account, grace: SubUser) -> None:
    """By the tool that auditors have; each line says who it was, in words, beside what is stored."""
    text = export(doors, f"{account.path}/export", "jsonl").text
    head, *lines, end = map(json.loads, text.splitlines())
    assert (head["proofs"], head["account_id"]) == ("each", account.account_id)
    assert end == {"end": True, "events": len(lines)}
    assert lines[1]["shown"]["in_words"].startswith("Winds & Waves added ")
    assert verified(doors, text)
    assert not verified(doors, text.replace('"SubUserActivated"', '"SubUserDeactivated"'))
    assert not verified(doors, text[: text.rindex('{"end"')])


def test_everything_at_once_needs_no_proof_of_each(own_doors: Doors) -> None:
    """All accounts, and what is of none: together they give the root that was signed."""
    account = own_doors.account()
    own_doors.account().let_in()
    export(own_doors, "/v1/audit/export", "csv")
    text = export(own_doors, "/v1/audit/export", "jsonl").text
    assert json.loads(text.splitlines()[0])["proofs"] == "whole"
    assert [action for _, action in events(text, "jsonl")] == [
        *("main_account.registered", "main_account.registered", "sub_user.created", "audit_log.exported"),
    ]
    assert verified(own_doors, text)
    assert account.rows(action="audit_log.exported") == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("whole_lines", [1, 4, 9])
def test_an_export_that_broke_off_goes_on(
    doors: Doors, account: Account, grace: SubUser, form: str, whole_lines: int
) -> None:
    """After its last whole line, as it would have, though more has been recorded since."""
    path = f"{account.path}/export"
    answer = export(doors, path, form)
    lines = answer.data.splitlines(keepends=True)
    kept = lines[: whole_lines + 1]
    grace.change(visible=False)
    signed(doors)
    (*_, (position, _)) = events(b"".join([*kept, b"{}\n"]).decode(), form)
    rest = export(doors, path, form, cursor=answer.headers["Export-Cursor"], after=position)
    *joined, end = (b"".join(kept) + rest.data).splitlines()
    assert joined == answer.data.splitlines()[:-1]
    assert str(len(events(answer.text, form))).encode() in end


@pytest.mark.parametrize("form", FORMS)
def test_an_export_by_the_time_of_recording(doors: Doors, account: Account, grace: SubUser, form: str) -> None:
    """From `since` on, before `until`, whenever the portal says that it occurred."""
    rows = list(reversed(account.rows()))
    since, until = rows[2]["recorded_at"], rows[-1]["recorded_at"]
    wanted = [row["position"] for row in rows if since <= row["recorded_at"] < until]
    text = export(doors, f"{account.path}/export", form, since=since, until=until).text
    assert [position for position, _ in events(text, form)] == wanted
    later = export(doors, f"{account.path}/export", form, after=wanted[0], since=since, until=until).text
    assert [position for position, _ in events(later, form)] == wanted[1:]


def test_no_cell_is_a_formula(doors: Doors, account: Account, grace: SubUser) -> None:
    """And the last row counts the others."""
    text = export(doors, f"{account.path}/export", "csv").text
    *rows, end = csv.DictReader(io.StringIO(text, newline=""))
    assert {row["account_id"] for row in rows} == {account.account_id}
    assert f"Ada {FORMULA}" in {row["actor_name"] for row in rows}
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert (end["position"], json.loads(end["details"])) == ("end", {"events": len(rows)})


def test_a_siem_can_read_it(doors: Doors, account: Account, grace: SubUser) -> None:
    """Every event has what OCSF 1.6.0 requires, and changes and logins are of the classes that are meant for them."""
    account.portal.post("/v1/sessions", json={**grace.credentials, "email": "nobody@company.example"})
    account.portal.delete(grace.path)
    *lines, end = map(json.loads, export(doors, f"{account.path}/export", "ocsf").text.splitlines())
    assert [fault for line in (*lines, end) for fault in faults(line)] == []
    assert end["unmapped"] == {"end": True, "events": len(lines)}
    kinds = {line["metadata"]["event_code"]: (line["class_uid"], line["activity_name"]) for line in lines}
    assert kinds["sub_user.created"] == (3001, "Create")
    assert kinds["sub_user.activated"] == (3001, "Enable")
    assert kinds["sub_user.deactivated"] == (3001, "Disable")
    assert kinds["sub_user.deleted"] == (3001, "Delete")
    assert kinds["sub_user.logged_in"] == kinds["sub_user.login_refused"] == (3002, "Logon")
    assert kinds["tool.used"] == (0, "tool.used")
    refused = [line for line in lines if line["metadata"]["event_code"] == "sub_user.login_refused"]
    assert [(line["status"], line["status_detail"]) for line in refused] == [
        ("Failure", "wrong_password"),
        ("Failure", "unknown"),
    ]
    assert refused[0]["user"]["uid"] == grace.sub_user_id
    assert lines[0]["user"] == {
        "uid": account.account_id,
        "name": "Winds & Waves",
        "type_id": 2,
        "type": "Admin",
        "account": {"uid": account.account_id},
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [({"format": "xml"}, "format"), ({"since": "x"}, "since"), ({"after": -1}, "after"), ({"cursor": "x"}, "cursor")],
)
def test_what_cannot_be_exported_is_refused(doors: Doors, account: Account, query: dict[str, Any], field: str) -> None:
    """Naming what is wrong, before a line is told."""
    for path in ("/v1/audit/export", f"{account.path}/export"):
        answer = doors.auditor.get(path, query_string={"format": "csv", **query})
        require_problem(answer, 422, "invalid-input", field)


def test_a_cursor_is_good_for_its_own_export_alone(doors: Doors, account: Account) -> None:
    cursor = export(doors, f"{account.path}/export", "csv").headers["Export-Cursor"]
    for path, form in ((f"{account.path}/export", "ocsf"), (f"{doors.account().path}/export", "csv")):
        answer = doors.auditor.get(path, query_string={"format": form, "cursor": cursor})
        require_problem(answer, 422, "invalid-input", "cursor")


def test_nothing_that_an_auditor_may_ask_changes_anything_but_the_log_of_it(
    doors: Doors, account: Account, grace: SubUser
) -> None:
    """Whatever the auditor's scope opens: the account and its people are as they were."""
    before = [account.portal.get(path).json for path in (account.path, grace.path)]
    signed(doors)
    for path in ("audit-log", "history", "export", "export?format=csv", "export?format=ocsf"):
        assert doors.auditor.get(f"{account.path}/{path}").status_code == 200
    assert [account.portal.get(path).json for path in (account.path, grace.path)] == before
    since = [row["action"] for row in account.rows()[:5]]
    assert sorted(since) == [*["audit_log.exported"] * 3, *["audit_log.read"] * 2]
