"""A story that fills a store: every type of event of version 0.1.0, and sub-users, webhooks and keys in every state."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from time import sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from bs4 import BeautifulSoup

from tests.receiver import status
from tests.upgrade.exchanges import over_http, parsed_body
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.receiver import Receiver
    from tests.upgrade.exchanges import Response, Send
    from tests.upgrade.former_service import FormerService, SelectiveMailbox

OWNER = "boss@company.example"
OWNER_PASSWORD = "an owner's long password"
TEMPORARY_PASSWORD = "first phrase for now"
OWN_PASSWORD = "a password of my own"
CALLER = {
    "User-Agent": "portal/1.0",
    "X-Client-IP": "203.0.113.7",
    "X-Client-User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140 Ünïcode",
}
REGISTRATION = {"email": "Buero@bücher.example", "company_name": "Società Bücher & Sohn", "language": "it"}
LOCKING_FAILURES = 100
SNAPSHOT_INTERVAL = 100


def ask(
    send: Send,
    keys: Mapping[str, str],
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str = "portal",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Send a request as the portal's backend does for a browser, with the API key of this name."""
    all_headers = {"Authorization": f"Bearer {keys[key]}", **CALLER, **(headers or {})}
    if body is None:
        return send(method, path, all_headers)
    return send(method, path, {**all_headers, "Content-Type": "application/json"}, json.dumps(body).encode())


@dataclass
class StoreStory:
    """The story, its API keys, the secrets and files that it leaves, and the paths of its accounts and sub-users."""

    service: FormerService
    mailbox: SelectiveMailbox
    receiver: Receiver
    keys: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Response:
        """Send a request."""
        return ask(over_http(self.service.port), self.keys, method, path, body, **options)

    def succeed(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Send a request that must succeed, and return the body of the response."""
        response = self.ask(method, path, body, **options)
        assert response.status < 300, (method, path, response)
        return parsed_body(response)

    def play(self) -> None:
        """Fill the store."""
        self._company()
        self._sub_users()
        self._locks()
        self._owner()
        self._reports()
        self._webhooks()
        self._other_accounts()
        self._keys()
        self._audits()
        self._legal_hold()
        self._settle()
        self._checkpoint()
        self._wait_for_signature()
        self.secrets |= {
            "paths": self.paths,
            "passwords": {"owner": OWNER_PASSWORD, "own": OWN_PASSWORD, "temporary": TEMPORARY_PASSWORD},
        }

    def _company(self) -> None:
        body = {"email": "former@company.example", "company_name": "Company", "password": TEMPORARY_PASSWORD}
        account = self.paths["company"] = f"/v1/accounts/{self.succeed('POST', '/v1/accounts', body)['account_id']}"
        changes = {"email": OWNER, "company_name": "Çelik & Søn \N{EN DASH} 株式会社", "password": OWNER_PASSWORD}
        self.succeed("PATCH", account, changes)
        self.succeed("PATCH", account, {"language": "it"})
        self.succeed("PATCH", account, {"language": "en"})
        reason = {"limit": 25, "reason": "they asked, naïvely: «più posti»"}
        self.succeed("PUT", f"{account}/sub-user-limit", reason, key="support")

    def create(self, name: str, surname: str, email: str = "", *, account: str = "company", **details: Any) -> str:
        """Create a sub-user and return its path."""
        body = {"email": email or f"{name.lower()}@company.example", "name": name, "surname": surname, **details}
        sub_user_id = self.succeed("POST", f"{self.paths[account]}/sub-users", body)["sub_user_id"]
        path = self.paths[name.lower()] = f"{self.paths[account]}/sub-users/{sub_user_id}"
        return path

    def create_active(self, name: str, surname: str, email: str = "", **details: Any) -> str:
        """Create a sub-user with the default temporary password, and activate it."""
        path = self.create(name, surname, email, password=TEMPORARY_PASSWORD, **details)
        self.succeed("PATCH", path, {"active": True})
        return path

    def create_with_own_password(self, name: str, surname: str, **details: Any) -> str:
        """Create a sub-user who has set a password; return its session token."""
        self.create_active(name, surname, **details)
        login = self.succeed("POST", "/v1/sessions", self.credentials(name, TEMPORARY_PASSWORD))
        body = {"current_password": TEMPORARY_PASSWORD, "new_password": OWN_PASSWORD}
        session = {"Session-Token": login["token"]}
        token: str = self.succeed("PUT", "/v1/sessions/current/password", body, headers=session)["token"]
        return token

    def credentials(self, name: str, password: str = OWN_PASSWORD) -> dict[str, str]:
        """Return the credentials of a sub-user of the company."""
        return {"account_email": OWNER, "email": f"{name.lower()}@company.example", "password": password}

    def _sub_users(self) -> None:
        """Create sub-users in every state."""
        self.create("Ida", "Inactive")
        self.create_active("Tom", "Temporary")
        self.secrets["session"] = self.create_with_own_password("Olga", "Ångström-Łukasiewicz")
        self.succeed("POST", "/v1/sessions/introspect", {"token": self.secrets["session"]})
        hugo = self.secrets["hidden_session"] = self.create_with_own_password("Hugo", "Hidden")
        for visible in (False, True) * (SNAPSHOT_INTERVAL // 2 + 10) + (False,):
            self.succeed("PATCH", self.paths["hugo"], {"visible": visible})
        self.succeed("POST", "/v1/sessions/introspect", {"token": hugo})
        self.create_with_own_password("Eve", "Expired")
        soon = datetime.now(UTC) + timedelta(seconds=2)
        self.succeed("PATCH", self.paths["eve"], {"access_expires_at": soon.isoformat()})
        later = {"access_expires_at": "2999-12-31T23:59:59Z"}
        self.succeed("PATCH", self.create_active("Lena", "Limited"), later)
        never = self.create_active("Nora", "Never Expires", access_expires_at="2999-12-31T23:59:59Z")
        self.succeed("PATCH", never, {"access_expires_at": None})
        ended = self.secrets["ended_session"] = self.create_with_own_password("Dora", "Deactivated")
        self.succeed("PATCH", self.paths["dora"], {"name": "Ðora", "surname": "Désactivée", "active": False})
        assert self.succeed("POST", "/v1/sessions/introspect", {"token": ended}) == {"active": False}
        rita = self.create_with_own_password("Rita", "Reset")
        self.succeed("DELETE", "/v1/sessions/current", headers={"Session-Token": rita})
        self.succeed("POST", "/v1/sessions", self.credentials("Rita"))
        self.succeed("DELETE", f"{self.paths['rita']}/sessions")
        self.succeed("PATCH", self.paths["rita"], {"password": "second phrase for now"})
        self.succeed("PATCH", self.paths["ida"], {"password": "second phrase for now"})
        rena = self.create_active("Rena", "Reactivated")
        self.succeed("PATCH", rena, {"active": False})
        self.succeed("PATCH", rena, {"active": True})
        self.create_active("Fay", "Failed", "bounce@company.example")
        self.create_active("Penny", "Pending", "slow@company.example")
        self.create_with_own_password("Dan", "Deleted")
        self.succeed("DELETE", self.paths["dan"])
        self.succeed("DELETE", self.create("Ed", "Deleted Before Activation"))

    def _locks(self) -> None:
        """Lock two sub-users, and unlock one of them with a new password."""
        for name in ("Lou", "Una"):
            self.create_with_own_password(name, "Locked")
            self._fail_logins(self.credentials(name, "a wrong password"), LOCKING_FAILURES)
            assert self.succeed("GET", self.paths[name.lower()])["locked"], name
        self.succeed("POST", f"{self.paths['una']}/credentials-mail")
        self._fail_logins(self.credentials("nobody", "a wrong password"), 7)
        self._fail_logins(self.credentials("Ida", "second phrase for now"), 1)

    def _fail_logins(self, credentials: dict[str, str], times: int) -> None:
        """Fail one login from each of `times` addresses."""

        def fail(number: int) -> None:
            response = self.ask("POST", "/v1/sessions", credentials, headers={"X-Client-IP": f"198.51.100.{number}"})
            assert response.status == 401, response

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(fail, range(1, times + 1)))

    def _owner(self) -> None:
        """Log the owner in and out with a password and a link, and refuse two logins."""
        for password in ("a wrong password", "another wrong password"):
            assert Browser(self.service.port).submit("/login", email=OWNER, password=password) == 401
        browser = Browser(self.service.port)
        assert browser.submit("/login", email=OWNER, password=OWNER_PASSWORD) in {302, 303}
        assert browser.submit("/sub-users", action="/logout") in {302, 303}
        link = self.succeed("POST", f"{self.paths['company']}/console-links")["url"]
        assert Browser(self.service.port).submit(urlsplit(link).path) in {302, 303}

    def _reports(self) -> None:
        """Report activities, and usage that reaches both thresholds of the plan."""
        account = self.paths["company"]
        olga, hugo, dora = (self.paths[name].rpartition("/")[2] for name in ("olga", "hugo", "dora"))
        activities = [
            {
                "sub_user_id": olga,
                "action": "assistant.edited",
                "target": "Réception ☎",
                "details": {"n": [1, None, "ü"]},
            },
            {"sub_user_id": hugo, "action": "tool.used"},
            {"sub_user_id": olga, "action": "report.read", "occurred_at": "2025-05-01T10:00:00+02:00"},
        ]
        self.succeed("POST", f"{account}/activities", {"activities": activities})
        today = datetime.now(UTC).date()
        self.succeed(
            "PUT", f"{account}/plan", {"included_minutes": 100, "included_tokens": 1000, "period_start": str(today)}
        )
        usage = [
            {"sub_user_id": olga, "conversation_minutes": 81.125, "llm_tokens": 10},
            {"sub_user_id": hugo, "llm_tokens": 999},
            {"sub_user_id": dora, "conversation_minutes": 0.001, "occurred_at": "2025-05-02T10:00:00Z"},
        ]
        self.succeed("POST", f"{account}/usage", {"usage": usage})
        eventually(lambda: self._count("main_account.usage_threshold_reached") >= 3, within=60.0, pause=0.2)
        self.succeed(
            "PUT", f"{account}/plan", {"included_minutes": 200, "included_tokens": 5000, "period_start": str(today)}
        )

    def _count(self, action: str) -> int:
        query = urlencode({"action": action, "limit": 200})
        return len(self.succeed("GET", f"{self.paths['company']}/audit-log?{query}")["items"])

    def _webhooks(self) -> None:
        """Create webhooks that are active, disabled, enabled and deleted."""
        account_id = self.paths["company"].rpartition("/")[2]

        def create(path: str, key: str = "portal", **details: Any) -> str:
            owner = {"account_id": account_id} if key == "portal" else {}
            body = {"url": self.receiver.url.replace("/hook", f"/{path}"), "description": path, **owner, **details}
            created = self.succeed("POST", "/v1/webhooks", body, key=key)
            self.secrets[path] = created["secret"] or created["public_key"]
            self.paths[path] = f"/v1/webhooks/{created['webhook_id']}"
            return self.paths[path]

        gone = create("gone", types=["subusers.sub_user.created.v1"])
        self.receiver.queued_responses.append(status(410))
        self.succeed("POST", f"{gone}/replay", {"after": 0})
        eventually(lambda: self.succeed("GET", gone)["status"] == "disabled", within=60.0, pause=0.1)
        self.succeed("POST", f"{gone}/enable")
        eventually(lambda: self.succeed("GET", gone)["position"] > 0, within=60.0, pause=0.1)
        self.receiver.queued_responses.append(status(410))
        self.create("Wendy", "Webhook")
        eventually(lambda: self.succeed("GET", gone)["status"] == "disabled", within=60.0, pause=0.1)
        own = create("own", types=["subusers.sub_user.deleted.v1"], signature="ed25519")
        self.succeed("POST", f"{own}/secrets")
        self.succeed("DELETE", create("deleted"))
        create("all", key="analytics", types=["subusers.main_account.closed.v1"])
        create("kept", types=["subusers.main_account.registered.v1", "subusers.sub_user.deleted.v1"])

    def _other_accounts(self) -> None:
        """Register an Italian account by an idempotent request, one that is closed, and one that is erased."""
        registration = {"Idempotency-Key": "registration-of-the-bookshop", "X-Request-Id": "the-first-request"}
        italian = self.succeed("POST", "/v1/accounts", REGISTRATION, headers=registration)
        self.paths["italian"] = f"/v1/accounts/{italian['account_id']}"
        self.create("Grazia", "Però", "grazia@bücher.example", account="italian")
        closed = {"email": "closed@company.example", "company_name": "Closed", "password": OWNER_PASSWORD}
        self.paths["closed"] = f"/v1/accounts/{self.succeed('POST', '/v1/accounts', closed)['account_id']}"
        self.create("Carl", "Closed", account="closed", password=TEMPORARY_PASSWORD)
        self.succeed("PATCH", self.paths["carl"], {"active": True})
        self.succeed("DELETE", self.create("Cleo", "Closed and Deleted", account="closed"))
        self.succeed("DELETE", self.paths["closed"])
        erased = {"email": "erased@company.example", "company_name": "Erased"}
        self.paths["erased"] = f"/v1/accounts/{self.succeed('POST', '/v1/accounts', erased)['account_id']}"
        self.create("Erin", "Erased", account="erased")
        self.service.run("erase-account", "--yes", self.paths["erased"].rpartition("/")[2])

    def _keys(self) -> None:
        """Revoke an API key."""
        revoked = self.service.run(
            "api-key", "create", "--scope", "portal", "--name", "the former portal's key"
        ).strip()
        self.keys["revoked"] = revoked
        assert self.ask("GET", self.paths["company"], key="revoked").status == 200
        listed = self.service.run("api-key", "list")
        (key_id,) = re.findall(r"([0-9a-f-]{36}).*the former portal's key", listed)
        self.service.run("api-key", "revoke", key_id)

    def _audits(self) -> None:
        """Read and copy the audit log and the history in every way that is recorded."""
        account, olga = self.paths["company"], self.paths["olga"].rpartition("/")[2]
        query = urlencode({"since": "2025-01-01T00:00:00Z", "sub_user_id": olga, "action": "sub_user.logged_in"})
        self.succeed("GET", f"{account}/audit-log?{query}", key="auditor")
        self.succeed("GET", f"{account}/history?as_of=2026-01-01T00:00:00Z", key="auditor")
        self.succeed("GET", f"{account}/audit-log", headers={"Accept": "text/csv"})
        for export_format in ("csv", "ocsf"):
            self.succeed("GET", f"{account}/export?format={export_format}", key="auditor")
            self.succeed("GET", f"/v1/audit/export?format={export_format}", key="auditor")
        self.succeed("GET", f"{self.paths['olga']}/personal-data")
        self.service.run("replay", "--account", account.rpartition("/")[2], "--json")

    def _legal_hold(self) -> None:
        """Keep a deleted sub-user for 30 days."""
        self.create_with_own_password("Holly", "Held")
        self.succeed("PATCH", self.paths["holly"], {"surname": "Héld"})
        self.service.stop()
        self.service.start(erasure_delay="P30D")
        self.succeed("DELETE", self.paths["holly"])

    def _checkpoint(self) -> None:
        """Replace the signing key, and export with proofs; both sign a checkpoint."""
        account_id = self.paths["company"].rpartition("/")[2]
        self.files["export_of_all.jsonl.gz"] = self.service.run("export", "--all")
        self.files["checkpoint_of_the_former_key.txt"] = self._newest_checkpoint()
        self.service.run("signing-key", "rotate")
        self.files["export_of_an_account.jsonl.gz"] = self.service.run("export", "--account", account_id)
        self.files["checkpoint.txt"] = self._newest_checkpoint()
        keys = self.service.run("signing-key", "show", "--all").splitlines()
        self.secrets["public_keys"] = [line.partition(" ")[0] for line in keys]

    def _wait_for_signature(self) -> None:
        """Wait until a checkpoint covers everything, so that nothing more is signed."""

        def is_signed() -> bool:
            end = self.succeed("GET", "/v1/events?limit=1000", key="auditor")["next_after"]
            return f"\nposition {end}\n" in self._newest_checkpoint()

        eventually(is_signed, within=180.0, pause=1.0)

    def _newest_checkpoint(self) -> str:
        return self.ask("GET", "/v1/audit/checkpoints/latest", key="auditor").body

    def _settle(self) -> None:
        """Wait until mails and webhooks have nothing more to do for now."""

        def is_finished() -> bool:
            states = {
                name: self.succeed("GET", self.paths[name])["credentials_mail"]
                for name in ("fay", "penny", "tom", "una")
            }
            return states == {"fay": "failed", "penny": "pending", "tom": "sent", "una": "sent"}

        eventually(is_finished, within=120.0, pause=0.5)
        sleep(3)  # for deliveries


class Browser:
    """A browser of the console. It uses plain HTTP, but sends the cookies of a secure connection."""

    def __init__(self, port: int) -> None:
        self._send = over_http(port)
        self._cookies: dict[str, str] = {}

    def submit(self, path: str, action: str | None = None, **values: str) -> int:
        """Open a page, submit its form, and return the status."""
        soup = BeautifulSoup(self._open("GET", path).body, "html.parser")
        forms = [form for form in soup.select("form[method=post]") if action is None or form.get("action") == action]
        form = forms[0]
        fields = {str(field["name"]): str(field.get("value", "")) for field in form.select("input[name]")}
        return self._open("POST", str(form.get("action") or path), urlencode(fields | values)).status

    def _open(self, method: str, path: str, form: str | None = None) -> Response:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        body = None
        if form is not None:
            headers["Content-Type"], body = "application/x-www-form-urlencoded", form.encode()
        response = self._send(method, path, {"Host": "portal.example", "Accept": "text/html", **headers}, body)
        for part in re.split(r", (?=__Host-|subusers-)", response.headers.get("set-cookie", "")):
            self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(part).items()}
        return response


def requests(story: StoreStory) -> list[dict[str, Any]]:
    """Return the requests whose responses are recorded. Those that record events come last."""
    now = datetime.now(UTC).isoformat()
    paths = story.paths
    accounts = [paths[name] for name in ("company", "italian", "closed", "erased")]
    sub_user_paths = [path for path in paths.values() if "/sub-users/" in path]
    webhooks = [path for path in paths.values() if "/webhooks/" in path]
    reads: list[dict[str, Any]] = []

    def add(path: str, key: str = "portal", method: str = "GET", body: Any = None, **headers: str) -> None:
        request: dict[str, Any] = {"method": method, "path": path, "key": key}
        request |= {"body": body} if body is not None else {}
        request |= {"headers": {name.replace("_", "-"): value for name, value in headers.items()}} if headers else {}
        reads.append(request)

    for path in webhooks:
        add(path, "analytics" if path == paths["all"] else "portal")
        add(f"{path}/deliveries", "analytics" if path == paths["all"] else "portal")
    add("/v1/webhooks")
    add("/v1/webhooks", "analytics")
    for account in accounts:
        add(account)
        add(f"{account}/sub-users?limit=200&sort=email")
        add(f"{account}/audit-log?limit=200")
        add(f"{account}/usage")
        add(f"{account}/events?limit=1000")
    company = paths["company"]
    add(f"{company}/sub-users?visibility=hidden&q=hid")
    add(f"{company}/usage?since=2025-05-01&until=2025-05-31&visibility=all")
    for path in sub_user_paths:
        add(path)
        add(f"{path}/sessions")
    first = {"Idempotency_Key": "registration-of-the-bookshop", "X_Request_Id": "the-second-request"}
    add("/v1/accounts", method="POST", body=REGISTRATION, **first)
    add(company, "revoked")
    for path in ("checkpoints", "keys", "proofs/5", "proofs/100", "consistency?first=10&second=200"):
        add(f"/v1/audit/{path}", "auditor")
    add("/v1/audit/checkpoints/latest", "auditor")
    add("/v1/events?limit=1000", "analytics")
    for account in accounts:
        add(f"{account}/history?{urlencode({'as_of': now})}", "auditor", Accept="application/x-ndjson")
        add(f"{account}/export?{urlencode({'format': 'ocsf', 'until': now})}", "auditor")
        add(f"{account}/export?{urlencode({'format': 'csv', 'until': now})}", "auditor")
    for name in ("olga", "dora", "holly", "dan"):
        add(f"{paths[name]}/personal-data")
    for token in ("session", "hidden_session", "ended_session"):
        body = {"token": story.secrets[token], "permission": "assistants"}
        add("/v1/sessions/introspect", method="POST", body=body)
    return reads
