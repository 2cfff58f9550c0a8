"""Requests of the README's story and of the other routes, to compare the responses of two versions.

Ids, times, positions, tokens and cursors differ from run to run, so placeholders replace them. Equal values have equal
placeholders, so the comparison includes references between responses.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.upgrade.recording import recorded_response
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.upgrade.exchanges import Response, Send

OWNER, OTHER_OWNER, GRACE = (f"{name}@contract.example" for name in ("owner", "other-owner", "grace"))
OWN_PASSWORD = "seven quiet rivers meet"
CALLER = {
    "User-Agent": "portal/1.0",
    "X-Client-IP": "203.0.113.77",
    "X-Client-User-Agent": "Mozilla/5.0 (X11) Firefox/140",
}
NOBODY = "00000000-0000-4000-8000-000000000000"

VARIABLE = re.compile(
    r"(?P<event>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:\d+)"
    r"|(?P<password>[a-z2-9]{5}(?:-[a-z2-9]{5}){4})"
    r"|(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<time>20(?:2[6-9]|[3-8]\d)-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"
    r"|(?P<day>20(?:2[6-9]|[3-8]\d)-\d\d-\d\d)"
)
"""Values that differ from run to run. Times and days are those from 2026 to 2089, because the requests themselves have
earlier ones, and one in 2999."""

VARIABLE_FIELDS = {
    "token": "token",
    "secret": "secret",
    "public_key": "public key",
    "url": "url",
    "next_cursor": "cursor",
    "export-cursor": "cursor",
    "cursor": "cursor",
    "position": "position",
    "event-position": "position",
    "sequence": "position",
    "reply": "reply",
    "next_after": "position",
    "session-token": "token",
    "time": "time",
    "logged_time": "time",
    "milliseconds": "time",
    "api_key_id": "API key",
    "actor_api_key_id": "API key",
    "epoch": "epoch",
    "store-epoch": "epoch",
}

UNNUMBERED = {"time", "day", "cursor", "reply", "API key", "epoch"}
"""Kinds whose placeholders have no number: the values change between responses, or former versions lack them."""


@dataclass
class Placeholders:
    """Replaces variable values. Equal values get the same placeholder."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, kind: str, value: object) -> str:
        """Return the placeholder of a value."""
        if kind in UNNUMBERED:
            return f"<{kind}>"
        if kind == "position":
            value = int(str(value))  # the same position with leading zeros
        used = sum(other == kind for other, _ in self.numbers)
        return f"<{kind} {self.numbers.setdefault((kind, str(value)), used + 1)}>"

    def replace(self, value: Any, name: str = "") -> Any:
        """Return a JSON value with placeholders."""
        match value:
            case dict():
                return {key: self.replace(item, key.lower()) for key, item in value.items()}
            case list():
                return [self.replace(item) for item in value]
            case int() | str() if name in VARIABLE_FIELDS and _is_variable(VARIABLE_FIELDS[name], value):
                return self.of(VARIABLE_FIELDS[name], value)
            case str():
                return VARIABLE.sub(self._placeholder, value)
        return value

    def _placeholder(self, match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        return match[0] if match[0] == NOBODY else self.of(kind, match[0])


def _is_variable(kind: str, value: int | str) -> bool:
    return kind != "position" or (str(value).isdecimal() and str(value) != "0")


@dataclass
class Conversation:
    """Sends the requests of a story, and records each with its response."""

    send: Send
    keys: Mapping[str, str]
    mailed_password: Callable[[str], str]
    deliver_mails: Callable[[], object] = lambda: None
    placeholders: Placeholders = field(default_factory=Placeholders)
    exchanges: list[dict[str, Any]] = field(default_factory=list)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "portal",
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request, and record it with its response."""
        request = {
            "method": method,
            "path": path,
            "key": key,
            "query": dict(query or {}),
            "headers": dict(headers or {}),
            "body": body,
        }
        response = self._send(
            method, path, body, key, query, {"X-Request-Id": f"request-{len(self.exchanges) + 1}", **(headers or {})}
        )
        exchange = {"request": request, "response": recorded_response(response)}
        self.exchanges.append(self.placeholders.replace(exchange))
        return response

    def finish_mails(self, account: str, number: int) -> None:
        """Wait until `number` mails of an account are recorded as sent."""

        def is_finished() -> bool:
            self.deliver_mails()
            query = {"action": "sub_user.credentials_mailed", "limit": 200}
            return len(self._send("GET", f"{account}/audit-log", None, "portal", query, {}).json["items"]) >= number

        eventually(is_finished, within=60.0, pause=0.02)

    def _send(
        self,
        method: str,
        path: str,
        body: Any,
        key: str | None,
        query: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> Response:
        authorization = {} if key is None else {"Authorization": f"Bearer {self.keys[key]}"}
        content = {} if body is None else {"Content-Type": "application/json"}
        target = f"{path}?{urlencode(query)}" if query else path
        data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        return self.send(method, target, {**authorization, **content, **CALLER, **headers}, data)


def play(conversation: Conversation) -> None:
    """Send all requests of the story."""
    account, grace = _life_of_a_sub_user(conversation)
    _accounts(conversation, account)
    _sub_users(conversation, account, grace)
    _reports(conversation, account, grace)
    _reading(conversation, account, grace)
    _closing(conversation, account, grace)
    _invalid_requests_and_health(conversation, account)
    _webhooks(conversation)


def _life_of_a_sub_user(conversation: Conversation) -> tuple[str, str]:
    """Send the requests of the README's story, and return the paths of the account and of Grace."""
    ask = conversation.ask
    registered = ask(
        "POST",
        "/v1/accounts",
        {"email": OWNER, "company_name": "Company"},
        headers={"Idempotency-Key": "contract-register"},
    )
    account = f"/v1/accounts/{registered.json['account_id']}"
    created = ask("POST", f"{account}/sub-users", {"email": GRACE, "name": "Grace", "surname": "Hopper"})
    grace = f"{account}/sub-users/{created.json['sub_user_id']}"
    ask("GET", grace)
    ask("PATCH", grace, {"active": True})
    conversation.finish_mails(account, 1)
    ask("GET", grace)
    password = conversation.mailed_password(GRACE)
    credentials = {"account_email": OWNER, "email": GRACE, "password": password}
    login = ask("POST", "/v1/sessions", credentials)
    restricted = {"Session-Token": login.json["token"]}
    ask("POST", "/v1/sessions/introspect", {"token": login.json["token"], "permission": "assistants"})
    own = ask(
        "PUT",
        "/v1/sessions/current/password",
        {"current_password": password, "new_password": OWN_PASSWORD},
        headers=restricted,
    )
    conversation.finish_mails(account, 2)
    token = own.json["token"]
    ask("POST", "/v1/sessions/introspect", {"token": token, "permission": "assistants"})
    ask("POST", "/v1/sessions/introspect", {"token": token, "permission": "billing_settings"})
    ask("POST", "/v1/sessions/introspect", {"token": login.json["token"]})
    ask("PATCH", grace, {"active": False})
    ask("POST", "/v1/sessions/introspect", {"token": token})
    ask("GET", f"{account}/audit-log", headers={"Accept": "text/csv"})
    return account, grace


def _accounts(conversation: Conversation, account: str) -> None:
    ask = conversation.ask
    ask(
        "POST",
        "/v1/accounts",
        {"email": OWNER, "company_name": "Company"},
        headers={"Idempotency-Key": "contract-register"},
    )
    ask(
        "POST",
        "/v1/accounts",
        {"email": OWNER, "company_name": "Another company"},
        headers={"Idempotency-Key": "contract-register"},
    )
    ask("POST", "/v1/accounts", {"email": OWNER, "company_name": "Company"})
    ask("POST", "/v1/accounts", {"email": "nobody", "company_name": "", "language": "fr", "password": "short"})
    ask("GET", account)
    ask("GET", f"/v1/accounts/{NOBODY}")
    ask("PATCH", account, {"company_name": "Società Ünïcode", "language": "it"})
    ask("PATCH", account, {"language": "it"})
    ask("PUT", f"{account}/sub-user-limit", {"limit": 12, "reason": "asked by phone"}, key="support")
    ask("PUT", f"{account}/sub-user-limit", {"limit": 2, "reason": "too many"}, key="support")
    ask("PUT", f"{account}/sub-user-limit", {"limit": 15, "reason": "not mine to raise"})
    ask("POST", f"{account}/console-links")


def _sub_users(conversation: Conversation, account: str, grace: str) -> None:
    ask = conversation.ask
    body = {"email": "ada@contract.example", "name": "Ada", "surname": "Lovelace", "password": "first phrase for now"}
    created = ask("POST", f"{account}/sub-users", body, headers={"Idempotency-Key": "contract-ada"})
    ask("POST", f"{account}/sub-users", body, headers={"Idempotency-Key": "contract-ada"})
    ask("POST", f"{account}/sub-users", body)
    ask("POST", f"{account}/sub-users", {**body, "email": "weak@contract.example", "password": "password1234567"})
    ada = f"{account}/sub-users/{created.json['sub_user_id']}"
    login = {"account_email": OWNER, "email": body["email"], "password": body["password"]}
    ask("POST", "/v1/sessions", login)
    ask("POST", f"{ada}/credentials-mail")
    ask("PATCH", ada, {"active": True, "name": "Augusta Ada", "access_expires_at": "2999-01-01T00:00:00Z"})
    conversation.finish_mails(account, 3)
    ask("PATCH", ada, {"visible": False}, headers={"If-Match": '"1"'})
    ask("PATCH", ada, {"visible": False}, headers={"If-Match": ask("GET", ada).headers["etag"]})
    ask("PATCH", ada, {"active": True})
    ask("PATCH", ada, {})
    ask("PATCH", ada, {"access_expires_at": None})
    session = ask("POST", "/v1/sessions", login).json["token"]
    ask("GET", f"{ada}/sessions")
    ask(
        "PUT",
        "/v1/sessions/current/password",
        {"current_password": "wrong", "new_password": OWN_PASSWORD},
        headers={"Session-Token": session},
    )
    ask("POST", "/v1/sessions", {**login, "password": "a wrong password"})
    ask("POST", "/v1/sessions", {**login, "email": "unknown@contract.example"})
    ask("POST", "/v1/sessions", {**login, "account_email": "unknown@contract.example"})
    ask("DELETE", "/v1/sessions/current", headers={"Session-Token": session})
    ask("DELETE", "/v1/sessions/current", headers={"Session-Token": session})
    ask("POST", "/v1/sessions", login)
    ask("DELETE", f"{ada}/sessions")
    ask("PATCH", ada, {"password": "second phrase for now"})
    conversation.finish_mails(account, 4)
    ask("POST", f"{ada}/credentials-mail", headers={"Idempotency-Key": "contract-mail"})
    conversation.finish_mails(account, 5)
    ask("GET", f"{account}/sub-users")
    ask("GET", f"{account}/sub-users", query={"visibility": "visible", "sort": "-name"})
    ask("GET", f"{account}/sub-users", query={"q": "ADA", "status": "active", "visibility": "hidden"})
    page = ask("GET", f"{account}/sub-users", query={"limit": 1, "sort": "email"}).json
    ask("GET", f"{account}/sub-users", query={"limit": 1, "sort": "email", "cursor": page["next_cursor"]})
    ask("GET", f"{account}/sub-users", query={"limit": 0, "colour": "red"})
    ask("GET", f"{account}/sub-users", query={"cursor": "made-up"})
    ask("GET", f"{account}/sub-users/{NOBODY}")
    ask("GET", f"{grace}/personal-data")
    ask("DELETE", ada, headers={"If-Match": '"1"'})
    ask("DELETE", ada)
    ask("DELETE", ada)
    ask("GET", f"{ada}/personal-data")


def _reports(conversation: Conversation, account: str, grace: str) -> None:
    ask = conversation.ask
    sub_user_id = grace.rpartition("/")[2]
    activity = {
        "sub_user_id": sub_user_id,
        "action": "assistant.edited",
        "target": "Reception",
        "details": {"ü": [1, 2.5, None]},
    }
    ask(
        "POST",
        f"{account}/activities",
        {"activities": [activity, {**activity, "occurred_at": "2025-05-01T10:00:00+02:00"}]},
    )
    ask("POST", f"{account}/activities", {"activities": [{**activity, "action": "sub_user.forged"}]})
    ask("POST", f"{account}/activities", {"activities": [{**activity, "sub_user_id": NOBODY}]})
    plan = {"included_minutes": 100000, "included_tokens": 0, "period_start": "2025-05-31"}
    ask("PUT", f"{account}/plan", plan)
    ask("PUT", f"{account}/plan", plan)
    ask("PUT", f"{account}/plan", {"included_minutes": -1})
    usage = {"sub_user_id": sub_user_id, "conversation_minutes": 12.345, "occurred_at": "2025-05-02T10:00:00Z"}
    ask("POST", f"{account}/usage", usage, headers={"Idempotency-Key": "contract-usage"})
    ask(
        "POST",
        f"{account}/usage",
        {"usage": [{**usage, "llm_tokens": 7}, {"sub_user_id": sub_user_id, "llm_tokens": 1}]},
    )
    ask("POST", f"{account}/usage", {**usage, "conversation_minutes": 0.0001})
    ask("GET", f"{account}/usage", query={"since": "2025-05-01", "until": "2025-05-04"})
    ask("GET", f"{account}/usage", query={"since": "2025-05-01", "until": "2025-05-04", "visibility": "hidden"})
    ask("GET", f"{account}/usage", query={"since": "2023-01-01", "until": "2025-01-01"})


def _reading(conversation: Conversation, account: str, grace: str) -> None:
    ask = conversation.ask
    sub_user_id = grace.rpartition("/")[2]
    ask("GET", f"{account}/audit-log", query={"limit": 200})
    page = ask("GET", f"{account}/audit-log", query={"limit": 2, "sub_user_id": sub_user_id}).json
    ask("GET", f"{account}/audit-log", query={"limit": 2, "sub_user_id": sub_user_id, "cursor": page["next_cursor"]})
    ask("GET", f"{account}/audit-log", query={"limit": 3, "cursor": page["next_cursor"]})
    ask("GET", f"{account}/audit-log", query={"action": "sub_user.activated", "since": "2025-01-01T00:00:00Z"})
    ask("GET", f"{account}/audit-log", query={"since": "yesterday"})
    ask("GET", f"{account}/audit-log", headers={"Accept": "application/x-ndjson"})
    ask("GET", f"{account}/audit-log", key="auditor", query={"limit": 1})
    ask("GET", f"{account}/history", key="auditor", query={"limit": 200})
    ask("GET", f"{account}/history", key="auditor", query={"sub_user_id": sub_user_id, "limit": 200})
    ask("GET", f"{account}/history", key="auditor", headers={"Accept": "application/x-ndjson"})
    ask("GET", f"{account}/history", key="auditor", query={"as_of": "2025-01-01T00:00:00Z"})
    ask("GET", f"{account}/history")
    ask("GET", f"{account}/export", key="auditor", query={"format": "csv"})
    ask("GET", f"{account}/export", key="auditor", query={"format": "ocsf"})
    ask("GET", f"{account}/export", key="auditor", query={"format": "xml"})
    ask("GET", f"{account}/events", query={"limit": 1000})
    ask("GET", f"{account}/events", query={"limit": 2})
    ask("GET", "/v1/events", key="portal", query={"limit": 1})


def _webhooks(conversation: Conversation) -> None:
    """Create webhooks for a type of event that does not occur, so that no delivery is attempted.

    The requests for a new secret and a replay come last: versions after 0.1.0 record events for them, which would
    change the positions in the responses to later requests.
    """
    ask = conversation.ask
    account_id = ask("POST", "/v1/accounts", {"email": OTHER_OWNER, "company_name": "Company"}).json["account_id"]
    body = {
        "url": "https://receiver.example/hook",
        "account_id": account_id,
        "types": ["subusers.main_account.usage_threshold_reached.v1"],
        "description": "for the contract",
    }
    deleted, kept = (
        f"/v1/webhooks/{ask('POST', '/v1/webhooks', {**body, **details}).json['webhook_id']}"
        for details in ({}, {"signature": "ed25519", "after": 0})
    )
    ask("POST", "/v1/webhooks", {**body, "url": "http://127.0.0.1/hook"})
    ask("POST", "/v1/webhooks", {"url": "https://receiver.example/hook"})
    ask("GET", "/v1/webhooks", query={"account_id": account_id})
    ask("GET", deleted)
    ask("GET", deleted, key="analytics")
    ask("GET", f"{deleted}/deliveries")
    ask("POST", f"{deleted}/enable")
    ask("DELETE", deleted)
    ask("DELETE", deleted)
    ask("POST", f"{kept}/secrets")
    ask("POST", f"{kept}/replay", {"after": 0})


def _closing(conversation: Conversation, account: str, grace: str) -> None:
    ask = conversation.ask
    ask("DELETE", account)
    ask("DELETE", account)
    ask("GET", account)
    ask("PATCH", account, {"company_name": "Closed"})
    ask("POST", f"{account}/sub-users", {"email": "late@contract.example", "name": "Too", "surname": "Late"})
    ask("POST", f"{account}/console-links")
    ask("POST", "/v1/sessions", {"account_email": OWNER, "email": GRACE, "password": OWN_PASSWORD})
    ask("GET", grace)
    ask("DELETE", grace)
    ask("GET", f"{account}/sub-users")
    ask("GET", f"{account}/audit-log", query={"limit": 5})


def _invalid_requests_and_health(conversation: Conversation, account: str) -> None:
    ask = conversation.ask
    ask("GET", account, key=None)
    ask("GET", account, headers={"Authorization": "Bearer subusers_portal_made-up"})
    ask("GET", account, key="analytics")
    ask("GET", "/v1/nothing")
    ask("PUT", account, {})
    ask("POST", "/v1/accounts", '{"email": ')
    ask("POST", "/v1/accounts", [])
    ask("POST", "/v1/accounts", "email=owner", headers={"Content-Type": "application/x-www-form-urlencoded"})
    ask("POST", "/v1/accounts", {"email": OWNER, "company_name": "Company", "colour": "red"})
    ask("POST", "/v1/sessions", {"email": GRACE})
    ask("POST", "/v1/sessions/introspect", {"token": "made-up", "permission": "assistants"})
    ask("POST", "/v1/sessions/introspect", {"token": "made-up", "permission": "made-up"})
    ask("GET", account, headers={"X-Client-IP": "not an address"})
    ask("GET", account, headers={"Event-Position": "not a number"})
    ask("GET", "/v1/audit/proofs/1", key="portal")
    ask("GET", "/healthz", key=None)
    ask("GET", "/readyz", key=None)
