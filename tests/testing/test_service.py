"""The service that portals test with: `subusers.testing`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from standardwebhooks import Webhook

from domain.roles import VIEWER
from subusers.testing import SubusersService
from tests.waiting import eventually

if TYPE_CHECKING:
    from subusers.testing import SubUser

RECEIVER = "http://localhost:8001/hook"

START_AND_WAIT = """
import os, sys
from subusers.testing import SubusersService
service = SubusersService()
service.add_sub_user()
print(service.url, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def grace(subusers_service: SubusersService) -> SubUser:
    return subusers_service.add_sub_user(email="grace@company.example")


def log_in(service: SubusersService, sub_user: SubUser, password: str | None = None) -> str:
    body = {
        "account_email": sub_user.account_email,
        "email": sub_user.email,
        "password": password or sub_user.password,
    }
    token: str = service.request("POST", "/v1/sessions", body)["token"]
    return token


def is_active(service: SubusersService, token: str) -> bool:
    active: bool = service.request("POST", "/v1/sessions/introspect", {"token": token})["active"]
    return active


def may(service: SubusersService, token: str, permission: str, resource: dict[str, str] | None = None) -> bool:
    body = {"token": token, "permission": permission, "resource": resource}
    allowed: bool = service.request("POST", "/v1/sessions/introspect", body)["allowed"]
    return allowed


def problem_of(error: HTTPError) -> str:
    with error:
        problem: dict[str, Any] = json.loads(error.read())
    return str(problem["type"]).rpartition(":")[2]


def end_of_process(service: SubusersService) -> int | None:
    return service._process.poll()  # noqa: SLF001


def test_the_mailed_password_logs_a_sub_user_in(subusers_service: SubusersService) -> None:
    service = subusers_service
    account = service.request("POST", "/v1/accounts", {"email": "owner@company.example", "company_name": "Company"})
    sub_users = f"/v1/accounts/{account['account_id']}/sub-users"
    ada = {"email": "ada@company.example", "name": "Ada", "surname": "Lovelace"}
    path = f"{sub_users}/{service.request('POST', sub_users, ada)['sub_user_id']}"
    assert service.mails == []
    service.request("PATCH", path, {"status": "active"})
    (mail,) = service.mails
    assert (mail.kind, mail.to) == ("activation", "ada@company.example")
    assert mail.message["To"] == "Ada Lovelace <ada@company.example>"
    assert mail.subject
    assert mail.temporary_password is not None
    assert mail.temporary_password in mail.text
    assert mail.temporary_password in mail.html
    assert mail.temporary_password not in repr(mail)
    login = {"account_email": "owner@company.example", "email": mail.to, "password": mail.temporary_password}
    assert service.request("POST", "/v1/sessions", login)["must_change_password"]
    assert service.request("GET", path)["credentials_mail"] == "sent"


def test_the_mailed_link_invites_a_sub_user(subusers_service: SubusersService) -> None:
    service = subusers_service
    account = service.request("POST", "/v1/accounts", {"email": "owner@company.example", "company_name": "Company"})
    sub_users = f"/v1/accounts/{account['account_id']}/sub-users"
    ada = {"email": "ada@company.example", "name": "Ada", "surname": "Lovelace"}
    path = f"{sub_users}/{service.request('POST', sub_users, ada)['sub_user_id']}"
    service.request("PATCH", path, {"status": "active", "credentials": "link"})
    (mail,) = service.mails
    assert (mail.kind, mail.temporary_password) == ("invitation", None)
    assert mail.link is not None
    assert mail.link in mail.text
    assert str(mail.link_token) not in repr(mail)
    password = "seven quiet rivers meet"
    service.request("POST", "/v1/invitations/complete", {"token": mail.link_token, "new_password": password})
    login = {"account_email": "owner@company.example", "email": mail.to, "password": password}
    assert not service.request("POST", "/v1/sessions", login)["must_change_password"]


def test_webhook_requests_are_signed_and_in_order(subusers_service: SubusersService, grace: SubUser) -> None:
    webhook = {"url": RECEIVER, "account_id": grace.account_id}
    secret = subusers_service.request("POST", "/v1/webhooks", webhook)["secret"]
    (created,) = (request.event["type"] for request in subusers_service.webhooks if "webhook" in request.event["type"])
    assert created == "subusers.webhook.created.v1"
    token = log_in(subusers_service, grace)
    subusers_service.request("DELETE", "/v1/sessions/current", headers={"Session-Token": token})
    requests = subusers_service.webhooks
    assert [request.event["type"] for request in requests if "logged" in request.event["type"]] == [
        "subusers.sub_user.logged_in.v1",
        "subusers.sub_user.logged_out.v1",
    ]
    for request in requests:
        assert request.url == RECEIVER
        assert Webhook(secret).verify(request.body, dict(request.headers)) == request.event
    assert subusers_service.webhooks == requests


def test_webhooks_report_mails_and_usage_thresholds(subusers_service: SubusersService, grace: SubUser) -> None:
    account = f"/v1/accounts/{grace.account_id}"
    subusers_service.request("POST", "/v1/webhooks", {"url": RECEIVER, "account_id": grace.account_id})
    plan = {"included_minutes": 1, "included_tokens": 0, "period_start": "2026-01-01"}
    subusers_service.request("PUT", f"{account}/plan", plan)
    usage = {"sub_user_id": grace.sub_user_id, "conversation_ms": 50_000}
    subusers_service.request("POST", f"{account}/usage", usage)
    subusers_service.request("POST", f"{account}/sub-users/{grace.sub_user_id}/credentials-mail")
    types = [request.event["type"] for request in subusers_service.webhooks]
    assert "subusers.main_account.usage_threshold_reached.v1" in types
    assert "subusers.sub_user.credentials_mailed.v1" in types


def test_webhooks_are_complete_after_concurrent_requests(subusers_service: SubusersService) -> None:
    """Reads during the requests find events that have not settled. Deliveries of those would wait for a second."""
    analytics = {"Authorization": f"Bearer {subusers_service.create_api_key('analytics')}"}
    subusers_service.request("POST", "/v1/webhooks", {"url": RECEIVER}, analytics)

    def register(number: int) -> None:
        registration = {"email": f"owner-{number}@company.example", "company_name": "Company"}
        subusers_service.request("POST", "/v1/accounts", registration)

    with ThreadPoolExecutor(4) as portals:
        registrations = [portals.submit(register, number) for number in range(60)]
        earlier = 0
        while not all(registration.done() for registration in registrations):
            delivered = len(subusers_service.webhooks)
            assert delivered >= earlier
            earlier = delivered
    types = [request.event["type"] for request in subusers_service.webhooks]
    assert types.count("subusers.main_account.registered.v1") == 60


def test_reset_deletes_everything(subusers_service: SubusersService, grace: SubUser) -> None:
    service = subusers_service
    service.request("POST", "/v1/webhooks", {"url": RECEIVER, "account_id": grace.account_id})
    token = log_in(service, grace)
    other_key = service.create_api_key("auditor")
    assert service.mails
    assert service.webhooks
    service.reset()
    assert (service.mails, service.webhooks) == ([], [])
    assert service.request("GET", "/v1/accounts")["items"] == []
    assert not is_active(service, token)
    with pytest.raises(HTTPError) as refused:
        service.request("GET", "/v1/api-keys/current", headers={"Authorization": f"Bearer {other_key}"})
    assert problem_of(refused.value) == "unknown-api-key"


def test_the_same_can_happen_after_each_reset(subusers_service: SubusersService) -> None:
    """Unique e-mails, idempotency keys and throttling are forgotten."""
    registration = {"email": "owner@company.example", "company_name": "Company"}
    account_ids = set()
    for _ in range(3):
        headers = {"Idempotency-Key": "the-same"}
        account_ids.add(subusers_service.request("POST", "/v1/accounts", registration, headers)["account_id"])
        subusers_service.reset()
    assert len(account_ids) == 3


def test_reset_is_no_loss_of_history(subusers_service: SubusersService) -> None:
    """New connections find the store shorter than before, and the epoch of its positions stays the same."""

    def epoch() -> str:
        headers = {"Authorization": f"Bearer {subusers_service.create_api_key('analytics')}"}
        request = Request(f"{subusers_service.url}/v1/events", headers=headers)  # noqa: S310
        with urlopen(request, timeout=20) as response:  # noqa: S310
            return str(response.headers["Store-Epoch"])

    before = epoch()
    grace = subusers_service.add_sub_user()
    subusers_service.reset()
    subusers_service.reset()
    with ThreadPoolExecutor(16) as browsers:  # together they need more connections than before
        list(browsers.map(lambda _: subusers_service.request("GET", "/v1/accounts"), range(64)))
    assert epoch() == before
    with pytest.raises(HTTPError) as gone:
        subusers_service.request("GET", f"/v1/accounts/{grace.account_id}")
    assert problem_of(gone.value) == "account-not-found"


def test_sub_users_with_grants(subusers_service: SubusersService, grace: SubUser) -> None:
    """Each has exactly these. A list of permissions creates a role in their account."""
    assistant = {"type": "assistant", "id": "a-1"}
    ada = subusers_service.add_sub_user(
        colleague_of=grace,
        grants=[{"permissions": ["assistants"], "resource": assistant}, {"role_id": str(VIEWER)}],
    )
    nobody = subusers_service.add_sub_user(colleague_of=grace, grants=[])
    assert (ada.account_id, ada.account_email) == (grace.account_id, grace.account_email)
    allowed = {
        person.email: may(subusers_service, log_in(subusers_service, person), "assistants", assistant)
        for person in (grace, ada, nobody)
    }
    assert list(allowed.values()) == [True, True, False]
    assert not may(subusers_service, log_in(subusers_service, ada), "assistants")
    assert may(subusers_service, log_in(subusers_service, ada), "reports")
    with pytest.raises(ValueError, match="account_email"):
        subusers_service.add_sub_user(colleague_of=grace, account_email="other@company.example")


def test_a_reset_restores_the_permission_catalogue(subusers_service: SubusersService) -> None:
    """Also if the same revision then has other permissions."""
    for name in ("first.permission", "second.permission"):
        subusers_service.reset()
        catalogue = {"permissions": [{"name": name}]}
        assert subusers_service.request("GET", "/v1/permissions")["revision"] == 0
        assert subusers_service.request("PUT", "/v1/permissions", catalogue)["revision"] == 1
        (permission,) = subusers_service.request("GET", "/v1/permissions")["permissions"]
        assert permission["name"] == name


def test_a_revoked_key_works_again_after_a_reset(subusers_service: SubusersService) -> None:
    subusers_service.revoke_api_key()
    with pytest.raises(HTTPError) as refused:
        subusers_service.request("GET", "/v1/accounts")
    assert problem_of(refused.value) == "unknown-api-key"
    subusers_service.reset()
    assert subusers_service.request("GET", "/v1/api-keys/current")["scope"] == "portal"


def test_keys_of_each_scope(subusers_service: SubusersService) -> None:
    for scope in ("portal", "support", "auditor", "analytics"):
        headers = {"Authorization": f"Bearer {subusers_service.create_api_key(scope)}"}
        assert subusers_service.request("GET", "/v1/api-keys/current", headers=headers)["scope"] == scope
    with pytest.raises(RuntimeError, match="ValueError: 'owner' is not a valid Scope"):
        subusers_service.create_api_key("owner")
    assert subusers_service.mails == []  # it still runs


def test_time_passes_until_the_next_reset(subusers_service: SubusersService, grace: SubUser) -> None:
    token = log_in(subusers_service, grace)
    subusers_service.advance_clock(minutes=59)
    assert is_active(subusers_service, token)
    subusers_service.advance_clock(minutes=61)
    assert not is_active(subusers_service, token)
    subusers_service.reset()
    token = log_in(subusers_service, subusers_service.add_sub_user())
    assert is_active(subusers_service, token)


def test_start_and_reset_are_quick() -> None:
    """An idle machine needs less than 3 s for a start and 50 ms for a reset. A busy one may need ten times as long."""
    started_at = time.monotonic()
    with SubusersService() as service:
        start = time.monotonic() - started_at
        resets = [timed_reset(service) for _ in range(5)]
    assert start < 10 * 3
    assert median(resets) < 10 * 0.05


def timed_reset(service: SubusersService) -> float:
    service.add_sub_user()
    started_at = time.monotonic()
    service.reset()
    return time.monotonic() - started_at


def test_the_service_ends_with_the_tests() -> None:
    """Also if their process is killed. Then nothing remains, neither PostgreSQL nor its files."""
    with tempfile.TemporaryDirectory(prefix="subusers-killed-") as folder:
        Path(folder).chmod(0o711)
        command, pipe = [sys.executable, "-c", START_AND_WAIT], subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={"TMPDIR": folder}) as tests:
            assert tests.stdout is not None
            url = tests.stdout.readline().strip()
            assert list(Path(folder).glob("subusers-testing-*"))
            tests.kill()
        eventually(lambda: not list(Path(folder).glob("subusers-testing-*")))
    with pytest.raises(URLError):
        urlopen(f"{url}/healthz", timeout=10)  # noqa: S310


def test_a_stopped_service_can_be_stopped_again() -> None:
    """Also immediately after its start. It ends without an error each time."""
    for _ in range(2):
        service = SubusersService()
        service.stop()
        service.stop()
        assert end_of_process(service) == 0


def test_the_output_of_a_failed_start_is_shown(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no such module\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(RuntimeError, match="the service has ended: no such module"):
        SubusersService(python=python)
