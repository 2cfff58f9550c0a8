"""Scenario that plants recognizable secrets and personal data (canaries) in a deployment."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pyotp

from tests.processes.portal import Company
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.processes.deployment import Deployment
    from tests.processes.portal import Portal, SubUserHandle

TEMPORARY, RESET, OWN = "canary first phrase Qx", "canary second phrase Qx", "canary phrase of my own Qx"
MISTYPED, OWNERS, REFUSED = "canary mistyped phrase Qx", "canary phrase of the boss Qx", "canary Qx"
WRONG_KEY, WRONG_TOKEN, WRONG_CODE = "canary-wrong-api-key", "canary-wrong-token", "canary-wrong-recovery-code"
DEVICE = "canary-device-id"
FACTORS, VERIFICATION = "/v1/sessions/current/second-factors", "/v1/sessions/current/second-factor"

EMAIL, OWNERS_EMAIL, DELETED_EMAIL = "canary.sub@example.com", "canary.boss@example.com", "canary.gone@example.com"
NAME, SURNAME, DELETED_NAME, COMPANY = "Canarianne", "Ó Canary", "Canarygone", "Canary Winds & Wäves"
IP, AGENT = "2001:db8::ca:4a", "CanaryBrowser/1"
TARGET, DETAIL, REASON = "Canary assistant", "canary note", "canary reason"

EDITS_UNTIL_SNAPSHOT = 100
GENERATED_PASSWORD = re.compile(r"password \(temporary\):\s+(\S+)")
INVITATION = re.compile(r"/invitation/(\S+)")
INVITED_EMAIL = "invited-canary@company.example"


def plant_canaries(deployment: Deployment, portal: Portal, support: Portal) -> dict[str, str]:
    """Run every operation that handles a secret; return the generated secrets by name."""
    portal.headers.update({"X-Client-IP": IP, "X-Client-User-Agent": AGENT})
    body = {"email": OWNERS_EMAIL, "company_name": COMPANY, "password": OWNERS}
    path = portal.call(201, "POST", "/v1/accounts", body, Idempotency_Key="1").headers["Location"]
    company = Company(portal, path, OWNERS_EMAIL)
    support.call(200, "PUT", f"{path}/sub-user-limit", {"sub_user_limit": 11, "reason": REASON})

    factors = use_second_factors(company)
    links = change_email(deployment, portal)
    deleted = company.add(DELETED_EMAIL, TEMPORARY, name=DELETED_NAME, surname=SURNAME)
    sub_user = company.add(EMAIL, TEMPORARY, name=NAME, surname=SURNAME)
    tokens = use_passwords(deployment, sub_user)
    for number in range(EDITS_UNTIL_SNAPSHOT):
        sub_user.change(surname=f"{SURNAME} {number}")
    activity = {
        "sub_user_id": sub_user.sub_user_id,
        "action": "assistant.edited",
        "target": TARGET,
        "details": {"a": DETAIL},
    }
    portal.call(201, "POST", f"{path}/activities", {"activities": [activity]}, Idempotency_Key="2")
    send_refused_requests(portal, sub_user)
    company.audit_log()
    generated = request_credentials_mail(deployment, sub_user)
    tokens.append(replace(sub_user, password=generated).log_in())
    deleted.delete()
    invitation = invite(deployment, company)
    link = portal.call(201, "POST", f"{path}/console-links").json()["url"].rpartition("/")[2]
    return {
        "generated password": generated,
        "console link": link,
        "invitation": invitation,
        **factors,
        **links,
        **{f"token {number}": token for number, token in enumerate(tokens)},
    }


def use_second_factors(company: Company) -> dict[str, str]:
    """Add an authenticator app, and use one of the recovery codes, as a sub-user; return the secrets by name."""
    portal, sub_user = company.portal, company.add_with_own_password()
    token = sub_user.log_in()
    offer = portal.call(201, "POST", f"{FACTORS}/totp", Session_Token=token).json()
    unused = portal.call(201, "POST", f"{FACTORS}/totp", Session_Token=token).json()
    code = pyotp.TOTP(offer["secret"]).at(datetime.now(UTC))
    body = {"challenge_id": offer["challenge_id"], "name": NAME, "code": code}
    added = portal.call(201, "POST", FACTORS, body, Session_Token=token).json()
    used, *codes = added["recovery_codes"]
    verified = portal.call(200, "POST", VERIFICATION, {"recovery_code": used}, Session_Token=sub_user.log_in()).json()
    wrong = {"recovery_code": WRONG_CODE}
    portal.call(401, "POST", VERIFICATION, wrong, Session_Token=verified["token"])
    return {
        "TOTP secret": offer["secret"],
        "unused TOTP secret": unused["secret"],
        "token of a second factor": verified["token"],
        **{f"recovery code {number}": code for number, code in enumerate([used, *codes])},
    }


def invite(deployment: Deployment, company: Company) -> str:
    """Invite a sub-user, who opens the link and does not use it; return its secret."""
    company.add(INVITED_EMAIL, TEMPORARY).change(status="active", credentials="link")
    (mail,) = mails_of(deployment, "invitation")
    match = INVITATION.search(mail)
    assert match is not None, mail
    assert company.portal.get(f"/invitation/{match[1]}").status_code == 200
    return match[1]


def change_email(deployment: Deployment, portal: Portal) -> dict[str, str]:
    """Change the e-mail of another account, and undo the change; return the tokens of the links by name."""
    company = portal.register()
    portal.call(200, "PATCH", company.path, {"email": f"new-{company.email}"})
    tokens = {}
    for name, kind, path in (
        ("confirmation link", "email_confirmation", "/v1/email-changes/confirm"),
        ("undo link", "owner_email_changed", "/v1/email-changes/undo"),
    ):
        match = re.search(r"/email-(?:confirmation|undo)/(\S+)", mails_of(deployment, kind)[0])
        assert match is not None
        tokens[name] = match[1]
        assert portal.get(f"/email-confirmation/{match[1]}").status_code == 200
        portal.call(204, "POST", path, {"token": match[1]})
        portal.call(410, "POST", path, {"token": match[1]})
    return tokens


def use_passwords(deployment: Deployment, sub_user: SubUserHandle) -> list[str]:
    """Activate a sub-user, mistype, change and reset their password; return the session tokens."""
    portal = sub_user.company.portal
    sub_user.change(status="active")
    portal.call(401, "POST", "/v1/sessions", {**sub_user.login_body, "password": MISTYPED})
    temporary = sub_user.log_in()
    sub_user = sub_user.choose_password(OWN)
    own = portal.call(201, "POST", "/v1/sessions", {**sub_user.login_body, "device_id": DEVICE}).json()["token"]
    portal.introspect(own)
    wrong = {"current_password": MISTYPED, "new_password": TEMPORARY}
    portal.call(422, "PUT", "/v1/sessions/current/password", wrong, Session_Token=own)
    portal.call(204, "DELETE", "/v1/sessions/current", Session_Token=own)
    mails_of(deployment, "password_changed")
    sub_user.change(password=RESET)
    mails_of(deployment, "reset")
    return [temporary, own]


def send_refused_requests(portal: Portal, sub_user: SubUserHandle) -> None:
    """Send secrets in requests that are refused, each for another reason."""
    path = f"{sub_user.company.path}/sub-users"
    body = {"email": EMAIL, "name": NAME, "surname": SURNAME, "password": TEMPORARY}
    portal.call(409, "POST", path, body)
    portal.call(422, "POST", path, {**body, "email": f"{EMAIL}\n", "password": REFUSED, NAME: TEMPORARY})
    portal.call(422, "POST", path, {**body, "email": f"x{EMAIL}", "password": f"{NAME} {REFUSED}"})
    assert portal.post(path, content=f'{{"password": "{TEMPORARY}"').status_code == 415
    malformed = portal.post(path, content=f'{{"password": "{TEMPORARY}"', headers={"Content-Type": "application/json"})
    assert malformed.status_code == 400
    assert portal.introspect(WRONG_TOKEN) == {"active": False}
    assert portal.get(path, headers={"Authorization": f"Bearer {WRONG_KEY}"}).status_code == 401


def request_credentials_mail(deployment: Deployment, sub_user: SubUserHandle) -> str:
    """Request a credentials mail; return the generated password."""
    sub_user.company.portal.call(202, "POST", f"{sub_user.path}/credentials-mail", Idempotency_Key="3")
    match = GENERATED_PASSWORD.search(mails_of(deployment, "send_again")[0])
    assert match is not None
    return match[1]


def mails_of(deployment: Deployment, kind: str) -> list[str]:
    """Wait for a mail of this kind; return the decoded text of all of them."""
    return [decoded_text(file) for file in eventually(lambda: list(deployment.mail_folder.glob(f"*-{kind}-*.eml")))]


def decoded_text(file: Path) -> str:
    """Return a mail's headers and the decoded text of its parts."""
    mail: Any = message_from_bytes(file.read_bytes(), policy=policy.default)
    return "\n".join([str(mail.items()), *(part.get_content() for part in mail.iter_parts())])
