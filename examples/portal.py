"""What a portal's backend asks of the service in one sub-user's life; it ends at the first promise that is not kept.

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
    def ask(self, promise: str, status: int, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Make a request; its answer has the status that is promised."""
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.request(method, path, json=body, headers=spelled)
        check(promise, answer.status_code == status, f"{answer.status_code} {answer.text}")
        return answer.json() if answer.content else None


def check(promise: str, kept: bool, found: object) -> None:
    if not kept:
        sys.exit(f"broken: {promise}; found: {found}")
    print(f"✓ {promise}")


def mailed_password(folder: Path | None, address: str) -> str:
    if folder is None:
        print(f"The mail to {address} went to your mail server (if mails are files, name their --mail-folder).")
        return input("The temporary password in it: ").strip()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for file in folder.glob("*.eml"):
            with suppress(FileNotFoundError):  # the service removes mails to people who have been erased
                mail = message_from_bytes(file.read_bytes(), policy=policy.default)
                found = re.search(r"password \(temporary\):\s+(\S+)", next(mail.iter_parts()).get_content())
                if found and address in mail["To"]:
                    return found[1]
        time.sleep(0.1)
    sys.exit(f"broken: her access data is mailed; found: no mail to {address} in {folder}")


def tell(portal: Portal, mail_folder: Path | None) -> None:
    unique = uuid4().hex[:8]
    owner, grace = f"owner-{unique}@example.com", f"grace-{unique}@example.com"
    body = {"email": owner, "company_name": "Winds & Waves"}
    account = f"/v1/accounts/{portal.ask('an account is registered', 201, 'POST', '/v1/accounts', body)['account_id']}"

    body = {"email": grace, "name": "Grace", "surname": "Hopper"}
    added = portal.ask("a sub-user is added", 201, "POST", f"{account}/sub-users", body, Idempotency_Key=unique)
    again = portal.ask("asked again, not twice", 201, "POST", f"{account}/sub-users", body, Idempotency_Key=unique)
    check("she starts inactive", added == again and added["status"] == "inactive", again)
    her = f"{account}/sub-users/{added['sub_user_id']}"
    portal.ask("she is activated, and mailed her access data", 200, "PATCH", her, {"active": True})

    login = {"account_email": owner, "email": grace, "password": mailed_password(mail_folder, grace)}
    first = portal.ask("she logs in with the temporary password", 201, "POST", "/v1/sessions", login)
    check("it is good for choosing her own, and for nothing else", first["permissions"] == [], first)
    body = {"current_password": login["password"], "new_password": OWN_PASSWORD}
    path = "/v1/sessions/current/password"
    token = portal.ask("she chooses her own", 200, "PUT", path, body, Session_Token=first["token"])["token"]

    for permission, expected in (("assistants", True), ("billing_settings", False)):
        question = {"token": token, "permission": permission}
        may = portal.ask(f"a page asks about {permission}", 200, "POST", "/v1/sessions/introspect", question)
        check(f"allowed: {expected}", may["active"] and may["allowed"] is expected, may)
    did = {"sub_user_id": added["sub_user_id"], "action": "assistant.published", "target": "Reception"}
    portal.ask("what she does is reported", 201, "POST", f"{account}/activities", {"activities": [did]})
    log = portal.ask("her owner reads the audit log, newest first", 200, "GET", f"{account}/audit-log")["items"]
    done = {row["action"] for row in log}  # the mailer adds a line whenever a mail server has taken a mail
    check(
        "all of it is there",
        {"sub_user.created", "sub_user.logged_in", "assistant.published"} <= done and len(log) > 5,
        log,
    )
    print(*(f"    {row['occurred_at']}  {row['actor']['type']:12}  {row['action']}" for row in log), sep="\n")

    portal.ask("she is deactivated", 200, "PATCH", her, {"active": False})
    may = portal.ask("the next page asks", 200, "POST", "/v1/sessions/introspect", {"token": token})
    check("her session has ended", may == {"active": False}, may)
    portal.ask("her login is refused", 401, "POST", "/v1/sessions", {**login, "password": OWN_PASSWORD})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000", help="where the service is")
    parser.add_argument("--api-key", default=os.environ.get("PORTAL_API_KEY", ""), help="or PORTAL_API_KEY")
    parser.add_argument("--mail-folder", type=Path, help="where the service writes mails when it has no mail server")
    given = parser.parse_args()
    headers = {"Authorization": f"Bearer {given.api_key}", "X-Client-IP": "203.0.113.9"}
    try:
        tell(Portal(base_url=given.url, headers=headers, timeout=20), given.mail_folder)
    except (httpx.TransportError, EOFError) as error:
        sys.exit(f"cannot go on with {given.url}: {error}")
