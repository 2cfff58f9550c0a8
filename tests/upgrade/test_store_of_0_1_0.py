"""A store that version 0.1.0 wrote: the current version reads, verifies and continues it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql
from standardwebhooks import Webhook

from adapters.webhooks.sender import WebhookSender
from api.http.fields.times import format_time
from application.workers.webhook_deliveries import DeliveryResult
from domain.roles import OPERATOR, VIEWER
from projections.runtime.rebuild import rebuild
from tests.builders import PORTAL, mailed_password, mails_in_folder
from tests.postgres import connect, fetch
from tests.upgrade import store_story
from tests.upgrade.differences import (
    ABSENT,
    Difference,
    IntendedDifference,
    differences,
    is_corrected_ocsf_status,
    is_new_field,
    is_reworded,
    renamed_field_differences,
    unintended,
    usage_and_feed_differences,
    without_end_line,
)
from tests.upgrade.recording import read_recorded, recorded_response
from tools import verify_export

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.upgrade.conftest import FormerStore

    Run = Callable[..., tuple[int, str]]

EXPORTS = {"export_of_all.jsonl.gz": 0, "export_of_an_account.jsonl.gz": 1}
"""Exports by the number of the key that signed them. The second key replaced the first one between them."""

CHECKPOINTS = ("checkpoint_of_the_former_key.txt", "checkpoint.txt")


def is_caused_by_a_lock(difference: Difference) -> bool:
    """Return whether access in the history differs because a lock no longer ends it."""
    match difference.name, difference.former, difference.current:
        case ("why_no_access", "locked", None) | ("has_access", False, True):
            return True
        case "with_access", int(former), int(current):
            return current == former + 1
        case "has_access", {"before": _, "after": _}, current:
            return "changes" in difference.keys and current == ABSENT
    return False


INTENDED_DIFFERENCES = [
    IntendedDifference(
        "Every 401 has `WWW-Authenticate` with `error`", lambda difference: difference.name == "www-authenticate"
    ),
    IntendedDifference(
        "The audit log, exports and the feed show `actor.api_key_id`; the audit log and exports also `actor.person`",
        is_new_field("api_key_id", "person", "actor_api_key_id", "actor_person"),
    ),
    IntendedDifference(
        "English texts of the console, the mails, the command line, error messages and documentation are rewritten.",
        is_reworded,
    ),
    IntendedDifference(
        "`temporary_password_expires_at` in the sub-user resource", is_new_field("temporary_password_expires_at")
    ),
    IntendedDifference("`credentials` in the sub-user resource", is_new_field("credentials")),
    IntendedDifference(
        "Feeds have the header `Store-Epoch`, events the attribute `epoch`", is_new_field("store-epoch", "epoch")
    ),
    IntendedDifference("A webhook belongs to the API key that created it (`api_key_id`)", is_new_field("api_key_id")),
    IntendedDifference("and no longer depends on a lock.", is_caused_by_a_lock),
    IntendedDifference(
        "During a legal hold, the audit log, history and exports show a deleted person's name, like their other data.",
        lambda difference: difference.former in {"[erased]", ABSENT} and difference.current == "Holly Héld",
    ),
    IntendedDifference(
        'In OCSF exports, the status of undelivered mails is "Failure" and that of reported activities "Unknown"',
        is_corrected_ocsf_status,
    ),
    IntendedDifference("`sub_user_password_reset` in the account resource", is_new_field("sub_user_password_reset")),
    *usage_and_feed_differences(),
    *renamed_field_differences(),
]


def stable(response: dict[str, Any]) -> dict[str, Any]:
    """Return a recorded response without values that differ at each request."""
    headers = {
        name: text for name, text in response["headers"].items() if name not in {"x-request-id", "export-cursor"}
    }
    body = response["body"]
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name != "request_id"}
        if "next_cursor" in body:
            body["next_cursor"] = body["next_cursor"] is not None
    return {**response, "headers": headers, "body": without_end_line(body)}


def test_responses_are_those_of_0_1_0(store: FormerStore) -> None:
    found_differences: list[Difference] = []
    for line in read_recorded("answers.jsonl.gz").splitlines():
        exchange = json.loads(line)
        request = exchange["request"]
        current = json.loads(json.dumps(recorded_response(store.ask(**request))))
        name = f"{request['method']} {request['path']}"
        found_differences += differences(name, stable(exchange["response"]), stable(current))
    unannounced, unused = unintended(found_differences, INTENDED_DIFFERENCES)
    assert unannounced == []
    assert unused == []
    assert [kind.announcement for kind in INTENDED_DIFFERENCES if not kind.is_announced] == []


def test_rebuilt_views_equal_the_migrated_ones(store: FormerStore) -> None:
    """From the same events, the current version projects the same rows as 0.1.0.

    The queue of due checks may differ. Targets of earlier activities are found after a rebuild, as CHANGELOG.md says.
    """
    rebuildable = [view for view in store.service.workers.views if view.tables]
    assert {view.name for view in rebuildable} >= {"sub-users", "audit-log"}
    for view in rebuildable:
        tables = [table for table in view.tables if table not in {"usage_checks", "audit_targets"}]
        former = contents(store.url, tables)
        with connect(store.url) as connection:
            rebuild(view, connection, lambda _, __: None)
        assert contents(store.url, tables) == former, view.name


def contents(url: str, tables: list[str]) -> dict[str, Any]:
    query = sql.SQL("SELECT (to_jsonb(t) - 'target_key')::text FROM {} t ORDER BY 1")
    return {table: fetch(url, query.format(sql.Identifier(table)).as_string()) for table in tables}


def test_accounts_are_the_same_without_their_snapshots(shared_store: FormerStore) -> None:
    """Snapshots that 0.1.0 took equal the state that the current version derives from all events."""
    accounts = shared_store.service.main_accounts
    ((account_id, versions),) = fetch(
        shared_store.url, "SELECT originator_id, count(*) FROM stored_snapshots GROUP BY originator_id"
    )
    assert versions >= 1
    with_snapshots = accounts.load(account_id)
    fetch(shared_store.url, "DELETE FROM stored_snapshots")
    assert vars(accounts.load(account_id)) == vars(with_snapshots)


def test_store_verifies_with_the_checkpoints_that_0_1_0_signed(
    shared_store: FormerStore, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It also verifies if only the first public key is trusted."""
    files = [tmp_path / name for name in CHECKPOINTS]
    for file in files:
        file.write_text(read_recorded(file.name))
    checkpoint_arguments = [argument for file in files for argument in ("--checkpoint", file)]
    code, output = run("verify", *checkpoint_arguments)
    assert (code, output.startswith("right: ")) == (0, True), output
    monkeypatch.delenv("SUBUSERS_SIGNING_KEY")
    assert run("verify", *checkpoint_arguments, "--public-key", shared_store.secrets["public_keys"][0])[0] == 0
    assert run("verify", "--consistency", *files, "--public-key", shared_store.secrets["public_keys"][0])[0] == 0


def test_changed_byte_in_an_old_event_is_reported(run: Run, shared_store: FormerStore) -> None:
    change = "UPDATE stored_events SET state = set_byte(state, 40, get_byte(state, 40) # 1) WHERE notification_id = 100"
    fetch(shared_store.url, change)
    try:
        assert run("verify") == (1, "tampered: position 100: the event is not what was recorded\n")
    finally:
        fetch(shared_store.url, change)


def test_new_exports_of_the_old_history_verify(
    run: Run, shared_store: FormerStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They verify with either key, because the header has the succession that 0.1.0 signed."""
    company = shared_store.path("company").rpartition("/")[2]
    for key, arguments in zip(shared_store.secrets["public_keys"], (["--all"], ["--account", company]), strict=True):
        file = tmp_path / "export"
        assert run("export", *arguments, "-o", file)[0] == 0
        require_valid(file, key, run, monkeypatch)


@pytest.mark.parametrize(("name", "number"), EXPORTS.items())
def test_exports_of_0_1_0_verify(
    name: str, number: int, run_offline: Run, secrets: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change in them is reported."""
    file, key = tmp_path / name, secrets["public_keys"][number]
    text = read_recorded(name)
    file.write_text(text)
    require_valid(file, key, run_offline, monkeypatch)
    file.write_text(text.replace('"SubUserActivated"', '"SubUserDeactivated"', 1))
    assert run_offline("verify", "--export", file, "--public-key", key)[0] == 1


def require_valid(file: Path, key: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Require that `subusers verify` and the independent tool accept an export."""
    code, output = run("verify", "--export", file, "--public-key", key)
    assert code == 0, output
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["verify_export.py", str(file), "--public-key", key])
        assert verify_export.main() == 0


def test_sub_users_and_owner_log_in_with_their_old_passwords(shared_store: FormerStore) -> None:
    for name in ("olga", "hugo"):
        assert shared_store.ask("POST", "/v1/sessions", shared_store.credentials(name)).status == 201, name
    temporary = {**shared_store.credentials("tom"), "password": store_story.TEMPORARY_PASSWORD}
    assert shared_store.ask("POST", "/v1/sessions", temporary).json["must_change_password"] is True
    wrong = {**shared_store.credentials("olga"), "password": "a wrong password"}
    assert shared_store.ask("POST", "/v1/sessions", wrong).status == 401
    for name in ("dora", "eve", "dan", "holly"):
        assert shared_store.ask("POST", "/v1/sessions", shared_store.credentials(name)).status == 401, name
    owner = shared_store.service.commands.owner_sessions.log_in(store_story.OWNER, store_story.OWNER_PASSWORD, PORTAL)
    assert owner.value.token


def test_lock_of_0_1_0_is_temporary(shared_store: FormerStore) -> None:
    """Its failures still count: one more ends access for an hour. The right password then ends the lock."""
    wrong = {**shared_store.credentials("lou"), "password": "a wrong password"}
    assert shared_store.ask("GET", shared_store.path("lou")).json["locked"] is True
    assert shared_store.ask("POST", "/v1/sessions", wrong).status == 401
    assert shared_store.ask("POST", "/v1/sessions", shared_store.credentials("lou")).status == 401
    shared_store.clock.advance(hours=1)
    assert shared_store.ask("POST", "/v1/sessions", shared_store.credentials("lou")).status == 201
    assert shared_store.ask("GET", shared_store.path("lou")).json["locked"] is False


def test_commands_continue_the_old_accounts(shared_store: FormerStore) -> None:
    """Edits, activations, reports and closing start from the state that 0.1.0 left."""
    company = shared_store.path("company")
    olga, ida = shared_store.path("olga"), shared_store.path("ida")
    revision = shared_store.ask("GET", olga).headers["etag"]
    edited = shared_store.ask("PATCH", olga, {"surname": "Ωmega"}, headers={"If-Match": revision})
    assert (edited.status, edited.json["surname"]) == (200, "Ωmega")
    assert shared_store.ask("PATCH", ida, {"active": True}).json["credentials_mail"] == "pending"
    usage = {"sub_user_id": olga.rpartition("/")[2], "llm_tokens": 1}
    assert shared_store.ask("POST", f"{company}/usage", usage).status == 201
    taken = {"email": "olga@company.example", "name": "Olga", "surname": "Again"}
    assert shared_store.ask("POST", f"{company}/sub-users", taken).status == 409
    freed = {"email": "dan@company.example", "name": "Dan", "surname": "Again"}
    assert shared_store.ask("POST", f"{company}/sub-users", freed).status == 201
    assert shared_store.ask("PATCH", shared_store.path("closed"), {"language": "it"}).status == 409
    assert shared_store.ask("DELETE", shared_store.path("italian")).status == 204
    rows = shared_store.ask("GET", f"{company}/audit-log?limit=4").json["items"]
    assert [row["action"] for row in reversed(rows)] == [
        *("sub_user.details_changed", "sub_user.activated", "sub_user.usage_recorded", "sub_user.created")
    ]


def test_old_sub_users_have_the_default_grant_and_deleted_ones_none(store: FormerStore) -> None:
    """Access at the time of recording, which the events alone decide, is that of the rows."""
    registered = fetch(store.url, "SELECT originator_id FROM stored_events WHERE topic = 'MainAccountRegistered'")
    sub_user_ids = set()
    for (account_id,) in registered:
        account = store.service.main_accounts.load(account_id)
        for sub_user_id, sub_user in account.sub_users.items():
            grants = store.ask("GET", f"/v1/accounts/{account_id}/sub-users/{sub_user_id}/grants").json["items"]
            assert grants == [
                {
                    "grant_id": str(sub_user_id),
                    "role_id": str(OPERATOR),
                    "resource": None,
                    "expires_at": None,
                    "granted_at": format_time(sub_user.created_at),
                    "reason": None,
                }
            ]
        sub_user_ids |= set(account.sub_users)
        access = f"/v1/accounts/{account_id}/access?permission=assistants"
        assert store.ask("GET", access).json == store.ask("GET", f"{access}&as_of={format_time(store.clock())}").json
    assert {row for (row,) in fetch(store.url, "SELECT sub_user_id FROM role_grants")} == sub_user_ids
    holders = store.ask("GET", f"{store.path('company')}/access?permission=assistants").json["items"]
    assert str(store.id("olga")) in {holder["sub_user_id"] for holder in holders}


def test_old_sessions_keep_their_permissions_and_follow_new_roles(store: FormerStore) -> None:
    body = {"token": store.secrets["session"], "permission": "assistants"}
    session = store.ask("POST", "/v1/sessions/introspect", body).json
    assert session["permissions"] == ["assistants", "tools", "rag_collections", "statistics", "reports"]
    assert session["allowed"] is True
    grants = f"/v1/accounts/{session['account_id']}/sub-users/{session['sub_user_id']}/grants"
    assert store.ask("PUT", grants, {"grants": [{"role_id": str(VIEWER)}]}).status == 200
    session = store.ask("POST", "/v1/sessions/introspect", body).json
    assert (session["permissions"], session["allowed"]) == (["statistics", "reports"], False)


def test_email_of_an_old_sub_user_changes(store: FormerStore) -> None:
    """Old events hash e-mails under the service's key, and the mail queue knows that 0.1.0 mailed the old one."""
    olga, email = store.path("olga"), "olga@corrected.example"
    assert store.ask("PATCH", olga, {"email": "HUGO@company.example"}).status == 409
    assert "event-position" not in store.ask("PATCH", olga, {"email": "OLGA@company.example"}).headers
    assert store.ask("PATCH", olga, {"email": email}).json["email"] == email
    assert store.ask("POST", "/v1/sessions", store.credentials("olga")).status == 401

    mails = store.ask("GET", f"{olga}/personal-data").json["mails"]  # waits until they are in the queue
    assert [mail["notice"] for mail in mails][-2:] == ["email_changed", "send_again"]
    fetch(store.url, "UPDATE mail_queue SET due_at = asked_at")  # the database's clock is ahead of the store's
    while store.service.workers.mailer.send_next():
        pass

    mail_by_address = {str(mail["To"].addresses[0].addr_spec): mail for mail in mails_in_folder(store.service)}
    assert "has been changed" in str(mail_by_address["olga@company.example"]["Subject"])
    credentials = {**store.credentials("olga"), "email": email, "password": mailed_password(mail_by_address[email])}
    assert store.ask("POST", "/v1/sessions", credentials).status == 201
    freed = {"email": "olga@company.example", "name": "Olga", "surname": "Again"}
    assert store.ask("POST", f"{store.path('company')}/sub-users", freed).status == 201


def test_erasure_continues_with_the_old_holds_and_keys(store: FormerStore) -> None:
    """Holds end when 0.1.0 said so; erased people stay erased, and others can be erased."""
    holly = store.path("holly")
    assert store.ask("GET", f"{holly}/personal-data").json["erasure_due_at"] is not None
    assert not store.service.commands.erasures.erase_next()
    store.clock.advance(days=31)
    assert store.service.commands.erasures.erase_next()
    assert store.ask("GET", f"{holly}/personal-data").status == 404
    assert store.service.commands.erasures.erase_account(store.id("company")) > 15
    company = store.ask("GET", store.path("company")).json
    assert (company["email"], company["company_name"]) == ("[erased]", "[erased]")
    assert "Ångström" not in store.ask("GET", f"{store.path('company')}/audit-log?limit=200").body


def test_mail_that_0_1_0_could_not_send_is_sent(shared_store: FormerStore) -> None:
    shared_store.clock.advance(days=1)
    while shared_store.service.workers.mailer.send_next():
        pass
    (mail,) = [mail for mail in mails_in_folder(shared_store.service) if "slow@company.example" in str(mail["To"])]
    assert store_story.TEMPORARY_PASSWORD in mail.as_string()
    assert shared_store.ask("GET", shared_store.path("penny")).json["credentials_mail"] == "sent"


def test_webhooks_continue_with_their_old_secrets(shared_store: FormerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """They continue at the position where 0.1.0 ended."""
    sent: list[tuple[str, Mapping[str, str], bytes]] = []

    def send(
        _: WebhookSender, url: str, headers: Mapping[str, str], body: bytes, _timeout_seconds: float | None
    ) -> DeliveryResult:
        sent.append((url, headers, body))
        return DeliveryResult(204)

    monkeypatch.setattr(WebhookSender, "send", send)
    shared_store.ask("DELETE", shared_store.path("rena"))
    shared_store.clock.advance(minutes=1)
    while shared_store.service.workers.webhook_deliveries.deliver_next():
        pass
    ((_, headers, body),) = [request for request in sent if request[0].endswith("/kept")]
    assert json.loads(body)["subject"] == str(shared_store.id("rena"))
    signature = Webhook(shared_store.secrets["kept"]).sign(headers["webhook-id"], shared_store.clock(), body.decode())
    assert headers["webhook-signature"] == signature


def test_store_has_an_event_of_every_type_of_0_1_0(shared_store: FormerStore) -> None:
    stored = {topic for (topic,) in fetch(shared_store.url, "SELECT DISTINCT topic FROM stored_events")}
    assert stored == set(shared_store.secrets["topics"])
    assert len(stored) == 34
