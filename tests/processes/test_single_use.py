"""Things that are good once, used at the same time through two server processes: exactly one use succeeds."""

from __future__ import annotations

from collections import Counter
from email import message_from_bytes, policy
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.builders import mailed_token
from tests.processes.waiting import eventually
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

    from tests.processes.conftest import RunningService
    from tests.processes.portal import SubUserHandle

CLIENTS = 64
CONFIRM, UNDO = "/v1/email-changes/confirm", "/v1/email-changes/undo"


def mails_to(running_service: RunningService, address: str) -> list[EmailMessage]:
    """Return the mails to an address, oldest first."""
    files = sorted(running_service.deployment.mail_folder.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return [mail for mail in mails if address in str(mail["To"])]


def request_reset(sub_user: SubUserHandle) -> None:
    body = {"account_email": sub_user.company.email, "email": sub_user.email}
    sub_user.company.portal.call(202, "POST", "/v1/password-resets", body)


def invite(sub_user: SubUserHandle) -> None:
    sub_user.company.portal.call(202, "POST", f"{sub_user.path}/credentials-mail", {"credentials": "link"})


@pytest.mark.parametrize(
    ("mail_link", "subject", "path"),
    [
        (request_reset, "Reset your password", "/v1/password-resets/complete"),
        (invite, "Your invitation", "/v1/invitations/complete"),
    ],
    ids=["password reset", "invitation"],
)
def test_link_is_good_once(
    running_service: RunningService, mail_link: Callable[[SubUserHandle], None], subject: str, path: str
) -> None:
    """The password is that of the only client whose request succeeded."""
    portal = running_service.portal
    sub_user = portal.register().add_with_own_password()
    mail_link(sub_user)
    eventually(lambda: any(subject in mail["Subject"] for mail in mails_to(running_service, sub_user.email)))
    (mail,) = [mail for mail in mails_to(running_service, sub_user.email) if subject in mail["Subject"]]
    token = mailed_token(mail)

    def use(number: int) -> int:
        completion = {"token": token, "new_password": f"the phrase of client {number}"}
        return portal.post(path, json=completion).status_code

    results = run_concurrently([partial(use, number) for number in range(CLIENTS)])
    assert Counter(results) == {204: 1, 410: CLIENTS - 1}
    winner = list(results).index(204)
    login = {**sub_user.login_body, "password": f"the phrase of client {winner}"}
    portal.call(201, "POST", "/v1/sessions", login)


def mailed_token_to(running_service: RunningService, address: str) -> str:
    """Wait for a mail with a link to an address, and return its token."""
    return mailed_token(eventually(lambda: mails_to(running_service, address))[-1])


def test_links_of_an_email_change_are_good_once(running_service: RunningService) -> None:
    """The one that confirms the new e-mail, and the one that restores the former one."""
    portal, company = running_service.portal, running_service.portal.register()
    email = f"new-{company.email}"
    portal.call(200, "PATCH", company.path, {"email": email})
    for path, address, expected in ((CONFIRM, email, email), (UNDO, company.email, company.email)):
        body = {"token": mailed_token_to(running_service, f"<{address}>")}
        statuses = run_concurrently([lambda path=path, body=body: portal.post(path, json=body).status_code] * CLIENTS)  # type: ignore[misc]
        assert Counter(statuses) == {204: 1, 410: CLIENTS - 1}
        assert portal.call(200, "GET", company.path).json()["email"] == expected
