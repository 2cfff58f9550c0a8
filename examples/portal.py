"""What a portal's backend asks of subusers, in the order of one sub-user's life; it ends at the first broken promise.

    PORTAL_API_KEY=… .venv/bin/python examples/portal.py --mail-folder .subusers/mails
"""

from __future__ import annotations

import argparse
import email
import os
import re
import sys
import time
from email import policy
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

CLIENT = {"X-Client-IP": "203.0.113.9", "X-Client-User-Agent": "the collaborator's browser"}
OWN_PASSWORD = "seven quiet rivers meet"


class Portal:
    """Speaks to the service with the portal's API key."""

    def __init__(self, url: str, api_key: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {api_key}", **CLIENT}, timeout=20)

    def ask(self, promise: str, expected: int, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Make a request, and print what it shows if the answer has the status that was promised."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._http.request(method, path, json=body, headers=given)
        demand(promise, answer.status_code == expected, f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None


def demand(promise: str, kept: bool, found: object) -> None:
    if not kept:
        sys.exit(f"broken: {promise}; found {found}")
    print(f"✓ {promise}")


def temporary_password(folder: Path | None, address: str) -> str:
    """Return the password that was mailed: out of the .eml files, or as typed in by whoever got the mail."""
    if folder is None:
        print(f"The mail to {address} is with your mail server (or name the folder of .eml files by --mail-folder).")
        return input("Temporary password in it: ").strip()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for mail in (email.message_from_bytes(file.read_bytes(), policy=policy.default) for file in folder.glob("*.eml")):
            found = re.search(r"password \(temporary\):\s+(\S+)", mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]  # every mail has one
            if found and address in mail["To"]:
                return found[1]
        time.sleep(0.1)
    sys.exit(f"broken: the access data is mailed; no mail to {address} in {folder}")


def tell(portal: Portal, mail_folder: Path | None) -> None:
    unique = uuid4().hex[:8]
    owner, grace = f"owner-{unique}@example.com", f"grace-{unique}@example.com"

    company = {"email": owner, "company_name": "Winds & Waves"}
    account = portal.ask("a main account is registered", 201, "POST", "/v1/accounts", company)
    here = f"/v1/accounts/{account['account_id']}"

    person = {"email": grace, "name": "Grace", "surname": "Hopper"}
    added = portal.ask("a sub-user is added", 201, "POST", f"{here}/sub-users", person, Idempotency_Key=unique)
    again = portal.ask("asked twice, it is done once", 201, "POST", f"{here}/sub-users", person, Idempotency_Key=unique)
    demand("she starts inactive", added == again and added["status"] == "inactive", added)
    her = f"{here}/sub-users/{added['sub_user_id']}"

    portal.ask("she is activated, which mails her the access data", 200, "PATCH", her, {"active": True})
    password = temporary_password(mail_folder, grace)

    login = {"account_email": owner, "email": grace, "password": password}
    first = portal.ask("she logs in with the temporary password", 201, "POST", "/v1/sessions", login)
    demand("which is good for choosing another, and for nothing else", first["permissions"] == [], first)

    own = {"current_password": password, "new_password": OWN_PASSWORD}
    where = "/v1/sessions/current/password"
    session = portal.ask("she sets a password of her own", 200, "PUT", where, own, Session_Token=first["token"])
    question = {"token": session["token"], "permission": "assistants"}
    may = portal.ask("every page view asks what she may", 200, "POST", "/v1/sessions/introspect", question)
    demand("she may work on assistants", may["allowed"], may)
    question["permission"] = "billing_settings"
    may = portal.ask("the settings ask as well", 200, "POST", "/v1/sessions/introspect", question)
    demand("but not see to the billing", may["active"] and not may["allowed"], may)

    did = {"sub_user_id": added["sub_user_id"], "action": "assistant.published", "target": "Reception"}
    portal.ask("what she does is reported", 201, "POST", f"{here}/activities", {"activities": [did]})
    log = portal.ask("the owner reads the audit log, newest first", 200, "GET", f"{here}/audit-log")
    print(*(f"    {row['occurred_at']}  {row['action']}" for row in log["items"]), sep="\n")
    demand("which has all of it", log["items"][0]["action"] == "assistant.published", log["items"])

    portal.ask("she is deactivated", 200, "PATCH", her, {"active": False})
    may = portal.ask("the next page view asks again", 200, "POST", "/v1/sessions/introspect", question)
    demand("her session has ended", not may["active"], may)
    portal.ask("and her login is refused", 401, "POST", "/v1/sessions", {**login, "password": OWN_PASSWORD})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000", help="where the service is")
    parser.add_argument("--api-key", default=os.environ.get("PORTAL_API_KEY"), help="or PORTAL_API_KEY")
    parser.add_argument("--mail-folder", type=Path, help="where the service writes mails, without a mail server")
    given = parser.parse_args()
    tell(Portal(given.url, given.api_key or parser.error("a portal API key is needed")), given.mail_folder)
