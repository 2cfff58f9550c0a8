"""Requests of a portal's backend during one sub-user's life. It ends at the first unexpected response.

Try it: `PORTAL_API_KEY=... .venv/bin/python examples/portal.py --mail-folder .subusers/mails`
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from contextlib import suppress
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

OWN_PASSWORD = "seven quiet rivers meet"


class Portal(httpx.Client):
    def call(self, step: str, status: int, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request and check the status of the response. Underscores in header names become hyphens."""
        hyphenated = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.request(method, path, json=body, headers=hyphenated)
        check(step, response.status_code == status, f"{response.status_code} {response.text}")
        return response.json() if response.content else None


def check(step: str, succeeded: bool, actual: object) -> None:
    if not succeeded:
        sys.exit(f"failed: {step}; got: {actual}")
    print(f"✓ {step}")


def mailed_password(folder: Path | None, address: str) -> str:
    if folder is None:
        print(f"The mail to {address} went to your mail server. If mails are files, pass --mail-folder.")
        return input("Temporary password in the mail: ").strip()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for file in folder.glob("*.eml"):
            with suppress(FileNotFoundError):  # the service deletes mails to erased people
                mail = message_from_bytes(file.read_bytes(), policy=policy.default)
                match = re.search(r"password \(temporary\):\s+(\S+)", next(mail.iter_parts()).get_content())
                if match and address in mail["To"]:
                    return match[1]
        time.sleep(0.1)
    sys.exit(f"failed: her credentials are mailed; got: no mail to {address} in {folder}")


def run(portal: Portal, mail_folder: Path | None) -> None:
    unique = uuid4().hex[:8]
    owner, grace = f"owner-{unique}@example.com", f"grace-{unique}@example.com"
    body = {"email": owner, "company_name": "Winds & Waves"}
    account = f"/v1/accounts/{portal.call('an account is registered', 201, 'POST', '/v1/accounts', body)['account_id']}"

    body = {"email": grace, "name": "Grace", "surname": "Hopper"}
    added = portal.call("a sub-user is added", 201, "POST", f"{account}/sub-users", body, Idempotency_Key=unique)
    repeated = portal.call(
        "the repeated request gets the same response", 201, "POST", f"{account}/sub-users", body, Idempotency_Key=unique
    )
    check("she starts inactive", added == repeated and added["status"] == "inactive", repeated)
    grace_path = f"{account}/sub-users/{added['sub_user_id']}"
    portal.call("she is activated, and her credentials are mailed", 200, "PATCH", grace_path, {"status": "active"})

    login = {"account_email": owner, "email": grace, "password": mailed_password(mail_folder, grace)}
    first = portal.call("she logs in with the temporary password", 201, "POST", "/v1/sessions", login)
    check("the session has no permissions yet", first["permissions"] == [], first)
    body = {"current_password": login["password"], "new_password": OWN_PASSWORD}
    path = "/v1/sessions/current/password"
    token = portal.call("she sets her own password", 200, "PUT", path, body, Session_Token=first["token"])["token"]

    for permission, expected in (("assistants", True), ("billing_settings", False)):
        query = {"token": token, "permission": permission}
        session = portal.call(f"a page checks {permission}", 200, "POST", "/v1/sessions/introspect", query)
        check(f"allowed: {expected}", session["active"] and session["allowed"] is expected, session)
    activity = {"sub_user_id": added["sub_user_id"], "action": "assistant.published", "target": "Reception"}
    portal.call("an activity of hers is reported", 201, "POST", f"{account}/activities", {"activities": [activity]})
    log = portal.call("the owner reads the audit log, newest first", 200, "GET", f"{account}/audit-log")["items"]
    actions = {row["action"] for row in log}  # the mailer adds a row when a mail server accepts a mail
    check(
        "it has all actions",
        {"sub_user.created", "sub_user.logged_in", "assistant.published"} <= actions and len(log) > 5,
        log,
    )
    print(*(f"    {row['occurred_at']}  {row['actor']['type']:12}  {row['action']}" for row in log), sep="\n")

    portal.call("she is deactivated", 200, "PATCH", grace_path, {"status": "inactive"})
    session = portal.call("the next page checks her session", 200, "POST", "/v1/sessions/introspect", {"token": token})
    check("her session has ended", session == {"active": False}, session)
    portal.call("her login is refused", 401, "POST", "/v1/sessions", {**login, "password": OWN_PASSWORD})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000", help="URL of the service")
    parser.add_argument("--api-key", default=os.environ.get("PORTAL_API_KEY", ""), help="default: PORTAL_API_KEY")
    parser.add_argument("--mail-folder", type=Path, help="folder of mails, if the service has no mail server")
    arguments = parser.parse_args()
    headers = {"Authorization": f"Bearer {arguments.api_key}", "X-Client-IP": "203.0.113.9"}
    try:
        run(Portal(base_url=arguments.url, headers=headers, timeout=20), arguments.mail_folder)
    except (httpx.TransportError, EOFError) as error:
        sys.exit(f"cannot continue with {arguments.url}: {error}")
