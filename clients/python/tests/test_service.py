"""The client against a real service, with embedded PostgreSQL."""

from __future__ import annotations

import inspect
import re
import threading
import time
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

import django
import httpx
import pytest
from django.conf import settings as django_settings
from django.test import Client as DjangoClient
from django.test import override_settings
from examples import django_app, fastapi_app, flask_app
from fastapi.testclient import TestClient

from subusers_client import (
    Activity,
    ApiKeyNotAllowed,
    Check,
    Client,
    Conflict,
    Evaluation,
    InvalidApiKey,
    InvalidRequest,
    LinkInvalid,
    LoginRefused,
    NewGrant,
    NotFound,
    Permission,
    Resource,
    RevisionMismatch,
    SessionEnded,
    StoreWentBack,
    Usage,
    account_as_a_whole,
    models,
    verify_webhook,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OWN_PASSWORD = "seven quiet rivers meet"
IP = "203.0.113.9"


class Credentials(NamedTuple):
    account_email: str
    email: str
    password: str


def demo_credentials(service: Any) -> Credentials:
    match = re.search(r"^  sub-user +(\S+)\n  password +(\S+)$", service.output.read_text(), re.MULTILINE)
    assert match is not None
    return Credentials(service.printed("e-mail"), match[1], match[2])


def mailed_password(service: Any, address: str) -> str:
    return mailed_text(service, address, r"password \(temporary\):\s+(\S+)")


def mailed_token(service: Any, address: str, purpose: str) -> str:
    return mailed_text(service, address, rf"/{purpose}/(\S+)")


def mailed_text(service: Any, address: str, pattern: str) -> str:
    """Return the match of a pattern in a mail to an address."""
    ends_at = time.monotonic() + 30
    while time.monotonic() < ends_at:
        for file in (service.folder / "mails").glob("*.eml"):
            with suppress(FileNotFoundError):
                mail = message_from_bytes(file.read_bytes(), policy=policy.default)
                plain: Any = next(iter(mail.iter_parts()))
                match = re.search(pattern, plain.get_content())
                if match is not None and address in mail["To"]:
                    return match[1]
        time.sleep(0.1)
    pytest.fail(f"no mail to {address}")


@pytest.fixture
def client(caller: Any, service: Any) -> Any:
    """Return a client with the portal key."""
    return caller.connect(service.url, api_key=service.printed("portal"))


@pytest.fixture
def account(caller: Any, client: Any) -> Any:
    unique = uuid4().hex[:12]
    return caller.call(client.accounts.register(email=f"owner-{unique}@company.example", company_name="Company"))


def test_accounts(caller: Any, client: Any, account: Any, service: Any) -> None:
    account_id = account.account_id
    assert caller.call(client.accounts.get(account_id=account_id, at_least=client.event_position)) == account
    changed = caller.call(client.accounts.change(account_id=account_id, company_name="Winds & Waves", language="it"))
    assert (changed.company_name, changed.language, changed.email) == ("Winds & Waves", "it", account.email)

    support = caller.connect(service.url, api_key=service.printed("support"))
    raised = caller.call(
        support.accounts.raise_sub_user_limit(account_id=account_id, sub_user_limit=12, reason="growth")
    )
    assert raised.sub_user_limit == 12
    with pytest.raises(ApiKeyNotAllowed) as refused:
        caller.call(client.accounts.raise_sub_user_limit(account_id=account_id, sub_user_limit=13, reason="growth"))
    assert refused.value.problem_type == "wrong-scope"

    link = caller.call(client.accounts.create_console_link(account_id=account_id))
    assert link.url.startswith(service.url)
    assert link.url not in repr(link)
    with pytest.raises(Conflict) as conflict:
        caller.call(client.accounts.register(email=account.email, company_name="Another"))
    assert conflict.value.type == "account-email-taken"
    caller.call(client.accounts.close(account_id=account_id))
    caller.call(client.accounts.close(account_id=account_id))
    assert caller.call(client.accounts.get(account_id=account_id)).closed_at is not None
    with pytest.raises(NotFound):
        caller.call(client.accounts.get(account_id=uuid4()))


def require_sessions_end(caller: Any, portal: Any, her: dict[str, Any], login: dict[str, Any], token: str) -> None:
    """End sessions of a sub-user one by one, then all but that of a token, then all."""
    others = [caller.call(portal.sessions.log_in(**login, client_ip=IP, device_id="a laptop")) for _ in range(3)]
    listed = caller.call(portal.sessions.own_sessions(token=token))
    assert [session.current for session in listed] == [False, False, False, True]
    assert listed[0].assurance_level == "password"
    caller.call(portal.sessions.end_own_session(token=token, session_id=listed[0].session_id))
    with pytest.raises(NotFound):
        caller.call(portal.sessions.end_own_session(token=token, session_id=listed[0].session_id))
    caller.call(portal.sub_users.end_session(**her, session_id=listed[1].session_id))
    assert not any(caller.call(portal.sessions.introspect(token=other.token)).active for other in others[1:])
    caller.call(portal.sessions.end_other_sessions(token=token))
    assert not caller.call(portal.sessions.introspect(token=others[0].token)).active
    caller.call(portal.sub_users.end_sessions(**her))
    assert not caller.call(portal.sessions.introspect(token=token)).active


def test_the_life_of_a_sub_user(caller: Any, client: Any, account: Any, service: Any) -> None:
    account_id = account.account_id
    address = f"grace-{uuid4().hex[:12]}@company.example"
    created = caller.call(client.sub_users.create(account_id=account_id, email=address, name="Grace", surname="Hopper"))
    her = {"account_id": account_id, "sub_user_id": created.sub_user_id}
    assert not created.is_active
    with pytest.raises(InvalidRequest) as invalid:
        caller.call(client.sub_users.create(account_id=account_id, email="no", name="", surname="Hopper"))
    assert set(invalid.value.errors) == {"email", "name"}
    assert caller.call(
        client.for_request(actor="Zoë", reason="100 %").sub_users.change(**her, status="active")
    ).is_active

    temporary = mailed_password(service, address)
    portal = client.for_request(client_ip=IP, client_user_agent="A browser")
    login = {"account_email": account.email, "email": address}
    first = caller.call(portal.sessions.log_in(**login, password=temporary, client_ip=IP))
    assert (first.must_change_password, first.permissions) == (True, ())
    assert first.token not in repr(first)
    with pytest.raises(InvalidRequest) as invalid:
        caller.call(portal.sessions.change_password(token=first.token, current_password="x", new_password=OWN_PASSWORD))
    assert "current_password" in invalid.value.errors
    own = caller.call(
        portal.sessions.change_password(token=first.token, current_password=temporary, new_password=OWN_PASSWORD)
    )
    assert "assistants" in own.permissions
    assert not caller.call(client.sessions.introspect(token=first.token)).active
    allowed = caller.call(client.sessions.introspect(token=own.token, permission="assistants"))
    assert (allowed.active, allowed.allowed, allowed.sub_user_id) == (True, True, created.sub_user_id)
    assert caller.call(client.sessions.introspect(token=own.token, permission="billing_settings")).allowed is False
    assert caller.call(client.sessions.introspect(token=own.token)).allowed is None
    assert caller.call(client.sessions.introspect(token=own.token, profile=True)).email == address

    (session,) = caller.call(client.sub_users.sessions(**her))
    assert (session.ip, session.user_agent, session.must_change_password) == (IP, "A browser", False)
    caller.call(portal.sessions.log_out(token=own.token))
    with pytest.raises(SessionEnded):
        caller.call(portal.sessions.log_out(token=own.token))
    with pytest.raises(LoginRefused):
        caller.call(portal.sessions.log_in(**login, password="wrong", client_ip=IP))
    another = caller.call(portal.sessions.log_in(**login, password=OWN_PASSWORD, client_ip=IP))
    require_sessions_end(caller, portal, her, {**login, "password": OWN_PASSWORD}, another.token)

    assert caller.call(client.sub_users.send_credentials(**her)).must_change_password

    assert caller.call(client.sub_users.personal_data(**her))["profile"]["email"] == address
    actions = {entry.action for entry in caller.items(client.audit_log.list(account_id=account_id))}
    assert {"sub_user.created", "sub_user.logged_in", "sub_user.password_changed"} <= actions
    newest = caller.call(client.audit_log.page(account_id=account_id, limit=1, action="sub_user.logged_in"))
    assert newest.items[0].ip == IP
    assert newest.next_cursor is not None
    wanted = ["sub_user.created", "sub_user.password_changed"]
    entries = caller.items(client.audit_log.list(account_id=account_id, action=wanted, actor_type="main_account"))
    assert {entry.action for entry in entries} == {"sub_user.created"}
    caller.call(client.sub_users.delete(**her))
    with pytest.raises(NotFound) as missing:
        caller.call(client.sub_users.get(**her))
    assert missing.value.problem_type == "sub-user-not-found"


def test_links_instead_of_passwords(caller: Any, client: Any, account: Any, service: Any) -> None:
    """An invited sub-user chooses a password, and later replaces it because they forgot it."""
    address = f"ada-{uuid4().hex[:12]}@company.example"
    created = caller.call(
        client.sub_users.create(account_id=account.account_id, email=address, name="Ada", surname="Lovelace")
    )
    her = {"account_id": account.account_id, "sub_user_id": created.sub_user_id}
    assert caller.call(client.sub_users.change(**her, status="active", credentials="link")).credentials == "link"
    token = mailed_token(service, address, "invitation")
    with pytest.raises(InvalidRequest) as invalid:
        caller.call(client.passwords.complete_invitation(token=token, new_password="short"))
    assert set(invalid.value.errors) == {"new_password"}
    caller.call(client.passwords.complete_invitation(token=token, new_password=OWN_PASSWORD))
    with pytest.raises(LinkInvalid):
        caller.call(client.passwords.complete_invitation(token=token, new_password=OWN_PASSWORD))
    login = {"account_email": account.email, "email": address, "client_ip": IP}
    assert not caller.call(client.sessions.log_in(**login, password=OWN_PASSWORD)).must_change_password

    caller.call(client.passwords.request_password_reset(**login))
    caller.call(client.passwords.request_password_reset(**{**login, "email": "nobody@company.example"}))
    token = mailed_token(service, address, "password-reset")
    caller.call(client.passwords.complete_password_reset(token=token, new_password="another phrase for now"))
    caller.call(client.sessions.log_in(**login, password="another phrase for now"))
    assert caller.call(client.sub_users.send_credentials(**her)).credentials == "link"
    assert caller.call(client.sub_users.send_credentials(**her, credentials="password")).credentials == "password"


def test_changes_of_a_revision(caller: Any, client: Any, account: Any) -> None:
    created = caller.call(
        client.sub_users.create(
            account_id=account.account_id, email="grace@company.example", name="Grace", surname="Hopper"
        )
    )
    her = {"account_id": account.account_id, "sub_user_id": created.sub_user_id}
    caller.call(client.sub_users.change(**her, name="Amazing Grace", if_revision=created.revision))
    with pytest.raises(RevisionMismatch):
        caller.call(client.sub_users.change(**her, name="Grace", if_revision=created.revision))
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    assert caller.call(client.sub_users.change(**her, access_expires_at=ends_at)).access_expires_at == ends_at
    assert caller.call(client.sub_users.change(**her, access_expires_at=None)).access_expires_at is None
    corrected = caller.call(client.sub_users.change(**her, email="grace.hopper@company.example"))
    assert corrected.email == "grace.hopper@company.example"


def test_lists_of_several_pages(caller: Any, client: Any, account: Any) -> None:
    for name in ("Ada", "Grace", "Mary"):
        caller.call(
            client.sub_users.create(
                account_id=account.account_id,
                email=f"{name}@company.example",
                name=name,
                surname="X",
                idempotency_key=f"{account.account_id}-{name}",
            )
        )
    names, cursor = [], None
    while True:
        page = caller.call(client.sub_users.page(account_id=account.account_id, limit=2, cursor=cursor, sort="-name"))
        names += [item.name for item in page]
        if (cursor := page.next_cursor) is None:
            break
    assert names == ["Mary", "Grace", "Ada"]
    repeated = client.sub_users.create(
        account_id=account.account_id,
        email="Ada@company.example",
        name="Ada",
        surname="X",
        idempotency_key=f"{account.account_id}-Ada",
    )
    assert caller.call(repeated).name == "Ada"
    assert len(caller.items(client.sub_users.list(account_id=account.account_id, q="ada"))) == 1


def sign_in(caller: Any, client: Any, account: Any, sub_user: Any, service: Any) -> str:
    """Activate a sub-user, set a password of their own, and return the token of their session."""
    caller.call(
        client.sub_users.change(account_id=account.account_id, sub_user_id=sub_user.sub_user_id, status="active")
    )
    session = caller.call(
        client.sessions.log_in(
            account_email=account.email,
            email=sub_user.email,
            password=mailed_password(service, sub_user.email),
            client_ip=IP,
        )
    )
    changed = caller.call(
        client.sessions.change_password(
            token=session.token,
            current_password=mailed_password(service, sub_user.email),
            new_password=OWN_PASSWORD,
        )
    )
    token: str = changed.token
    return token


def test_roles_and_checks(caller: Any, client: Any, account: Any, service: Any) -> None:
    """A sub-user who may only work with one assistant, asked about in every way."""
    account_id = account.account_id
    reception, sales = (Resource(type="assistant", id=name, label=name.title()) for name in ("reception", "sales"))
    role = caller.call(client.roles.create(account_id=account_id, name="Editors", permissions=["assistants"]))
    assert caller.call(client.roles.get(account_id=account_id, role_id=role.role_id)) == role
    sub_user = caller.call(
        client.sub_users.create(
            account_id=account_id,
            email=f"grace-{uuid4().hex[:8]}@company.example",
            name="Grace",
            surname="Hopper",
            grants=[NewGrant(role_id=role.role_id, resource=reception)],
        )
    )
    her = {"account_id": account_id, "sub_user_id": sub_user.sub_user_id}
    (grant,) = caller.call(client.grants.list(**her))
    assert (grant.role_id, grant.resource, grant.resource.label) == (role.role_id, reception, "Reception")
    with pytest.raises(Conflict) as in_use:
        caller.call(client.roles.delete(account_id=account_id, role_id=role.role_id))
    assert in_use.value.type == "role-in-use"

    token = sign_in(caller, client, account, sub_user, service)
    checks = [Check(permission="assistants", resource=resource) for resource in (reception, sales, reception)]
    asked = caller.call(
        client.sessions.introspect(token=token, permission="assistants", resource=reception, checks=checks)
    )
    assert (asked.allowed, [check.allowed for check in asked.checks]) == (True, [True, False, True])
    assert asked.checks[0].because.grant_id == grant.grant_id
    assert caller.call(client.sessions.resources(token=token, permission="assistants")).items == (reception,)

    evaluation = Evaluation(sub_user_id=sub_user.sub_user_id, permission="assistants", resource=reception)
    decided = caller.call(client.authzen.evaluate(**vars(evaluation)))
    assert (decided.allowed, decided.because.grant_id) == (True, grant.grant_id)
    evaluations = [replace(evaluation, resource=resource) for resource in (reception, account_as_a_whole(account_id))]
    several = caller.call(client.authzen.evaluate_several(evaluations=evaluations))
    assert [decision.allowed for decision in several] == [True, False]
    holders = caller.call(client.access.holders(account_id=account_id, permission="assistants", resource=reception))
    assert [holder.sub_user_id for holder in holders] == [sub_user.sub_user_id]
    search = {"permission": "assistants", "resource": reception}
    found = caller.call(client.authzen.search_subjects(account_id=account_id, **search))
    assert found == (str(sub_user.sub_user_id),)
    asked_for = {"sub_user_id": sub_user.sub_user_id, "permission": "assistants", "resource_type": "assistant"}
    assert caller.call(client.authzen.search_resources(**asked_for)).items == (reception,)
    actions = client.authzen.search_actions(sub_user_id=sub_user.sub_user_id, resource=reception)
    assert caller.call(actions) == ("assistants",)

    before = datetime.now(UTC)
    caller.call(client.grants.revoke(**her, grant_id=grant.grant_id))
    assert (
        caller.call(client.sessions.introspect(token=token, permission="assistants", resource=reception)).allowed
        is False
    )
    past = client.access.holders(account_id=account_id, permission="assistants", resource=reception, as_of=before)
    assert len(caller.call(past)) == 1
    viewer = next(role for role in caller.call(client.roles.list(account_id=account_id)) if role.built_in == "viewer")
    given = caller.call(client.grants.give(**her, role_id=viewer.role_id, reason="Only looks on"))
    assert (given.reason, given.resource) == ("Only looks on", None)
    kept = caller.call(client.grants.replace(**her, grants=[NewGrant(role_id=viewer.role_id)]))
    assert [item.grant_id for item in kept] == [given.grant_id]
    changed = caller.call(client.roles.change(account_id=account_id, role_id=role.role_id, permissions=["tools"]))
    assert (changed.permissions, changed.holders) == (("tools",), 0)
    caller.call(client.roles.delete(account_id=account_id, role_id=role.role_id))
    with pytest.raises(NotFound):
        caller.call(client.roles.get(account_id=account_id, role_id=role.role_id))


def test_the_permission_catalogue(caller: Any, client: Any) -> None:
    """The same permissions are no change, so that other tests keep theirs."""
    catalogue = caller.call(client.permissions.get())
    assert Permission(name="statistics", reading=True, labels=catalogue.permissions[3].labels) in catalogue.permissions
    replaced = client.permissions.replace(permissions=catalogue.permissions, if_revision=catalogue.revision)
    assert caller.call(replaced) == catalogue
    with pytest.raises(RevisionMismatch):
        caller.call(client.permissions.replace(permissions=catalogue.permissions, if_revision=catalogue.revision + 1))


def test_activity_types(caller: Any, client: Any) -> None:
    """What was read can be sent unchanged. That records nothing, so that other tests keep theirs."""
    present = caller.call(client.activity_types.get())
    replaced = client.activity_types.replace(
        groups=present.groups, activity_types=present.activity_types, if_revision=present.revision
    )
    assert caller.call(replaced) == present
    with pytest.raises(RevisionMismatch):
        caller.call(client.activity_types.replace(activity_types=[], if_revision=present.revision + 1))


def test_activities_and_usage(caller: Any, client: Any, account: Any) -> None:
    account_id = account.account_id
    sub_user = caller.call(
        client.sub_users.create(account_id=account_id, email="ada@company.example", name="Ada", surname="L")
    )
    activity = Activity(sub_user_id=sub_user.sub_user_id, action="assistant.published", details={"version": 7})
    caller.call(client.activities.report(account_id=account_id, activities=[activity] * 2))
    usage = Usage(sub_user_id=sub_user.sub_user_id, conversation_ms=6000, llm_tokens=3)
    caller.call(client.usage.report(account_id=account_id, usage=[usage] * 3))
    today = datetime.now(UTC).date()
    plan = caller.call(
        client.accounts.set_plan(account_id=account_id, included_minutes=10, included_tokens=100, period_start=today)
    )
    assert plan.period_start == today
    report = caller.call(client.usage.get(account_id=account_id, at_least=client.event_position))
    assert (report.total.conversation_ms, report.total.llm_tokens) == (18_000, 9)
    assert report.sub_users[0].sub_user_id == sub_user.sub_user_id
    assert report.plan is not None
    assert (report.plan.used_ms, report.plan.included_ms, report.plan.used_tokens) == (18_000, 600_000, 9)
    entries = caller.items(client.audit_log.list(account_id=account_id, action="assistant.published"))
    assert [entry.details for entry in entries] == [{"version": 7}] * 2


def test_events(caller: Any, client: Any, account: Any, service: Any) -> None:
    caller.call(
        client.sub_users.create(account_id=account.account_id, email="ada@company.example", name="Ada", surname="L")
    )
    events: list[Any] = []
    ends_at = time.monotonic() + 20
    while len(events) < 2 and time.monotonic() < ends_at:  # the feed has settled events only
        events = caller.items(client.events.list(account_id=account.account_id))
    registered, created = events
    assert registered.type == "subusers.main_account.registered.v1"
    assert created.position == client.event_position
    rest = client.events.list(account_id=account.account_id, after=registered.position, epoch=registered.epoch)
    assert caller.items(rest) == [created]
    assert caller.items(client.events.list(account_id=account.account_id, event_types=[created.type])) == [created]

    analyst = caller.connect(service.url, api_key=service.printed("analytics"))
    page = caller.call(analyst.events.page(after=created.position - 1, wait=1))
    assert page.items[0] == created
    with pytest.raises(StoreWentBack) as back:
        caller.call(analyst.events.page(after=10**9))
    assert back.value.epoch == str(created.epoch)


def test_webhooks(caller: Any, client: Any, account: Any) -> None:
    received: list[tuple[bytes, dict[str, str]]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((body, dict(self.headers)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        webhooks = [
            caller.call(
                client.webhooks.create(
                    account_id=account.account_id,
                    url=f"http://127.0.0.1:{server.server_port}/{algorithm}",
                    signature_algorithm=algorithm,
                    after=0,
                    event_types=["subusers.main_account.registered.v1"],
                )
            )
            for algorithm in ("hmac", "ed25519")
        ]
        assert all(webhook.verification_key.startswith(("whsec_", "whpk_")) for webhook in webhooks)
        assert webhooks[0].secret not in repr(webhooks[0])
        ends_at = time.monotonic() + 30
        while len(received) < 2 and time.monotonic() < ends_at:
            time.sleep(0.1)
        keys = [webhook.verification_key for webhook in webhooks]
        events = [verify_webhook(body=body, headers=headers, keys=keys) for body, headers in received]
        assert {event.account_id for event in events} == {account.account_id}
        assert len(events) == 2
    finally:
        server.shutdown()
        server.server_close()
    hmac, ed25519 = webhooks
    listed = caller.items(client.webhooks.list(account_id=account.account_id))
    assert [webhook.webhook_id for webhook in listed] == [hmac.webhook_id, ed25519.webhook_id]
    rotated = caller.call(client.webhooks.rotate_secret(webhook_id=hmac.webhook_id))
    assert rotated.secret not in {None, hmac.secret}
    assert caller.items(client.webhooks.deliveries(webhook_id=hmac.webhook_id))[0].status == 204
    assert caller.call(client.webhooks.enable(webhook_id=hmac.webhook_id)).status == "active"
    assert caller.call(client.webhooks.adopt(webhook_id=hmac.webhook_id)).webhook_id == hmac.webhook_id
    position = caller.call(client.webhooks.get(webhook_id=hmac.webhook_id)).position
    caller.call(client.webhooks.replay(webhook_id=hmac.webhook_id, after=position))
    caller.call(client.webhooks.delete(webhook_id=hmac.webhook_id))
    with pytest.raises(NotFound):
        caller.call(client.webhooks.get(webhook_id=hmac.webhook_id))


def test_bad_api_keys_look_like_nothing_else(caller: Any, service: Any) -> None:
    credentials = demo_credentials(service)
    for api_key, problem_type in [
        ("subusers_portal_unknown", "unknown-api-key"),
        (expired_api_key(service), "api-key-expired"),
    ]:
        client = caller.connect(service.url, api_key=api_key)
        for name, arguments in (
            ("log_in", {**credentials._asdict(), "client_ip": IP}),
            ("introspect", {"token": "token"}),
            ("log_out", {"token": "token"}),
        ):
            with pytest.raises(InvalidApiKey) as raised:
                caller.call(getattr(client.sessions, name)(**arguments))
            assert raised.value.problem_type == problem_type


def expired_api_key(service: Any) -> str:
    """Return an API key that has expired. On a busy machine, creating one takes seconds."""
    for seconds in (4, 8, 16, 32, 64):
        expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
        try:
            api_key: str = service.create_api_key("portal", "--expires", expires_at.isoformat())
        except AssertionError:  # the command refused a time that had passed already
            continue
        time.sleep(max(0.0, (expires_at - datetime.now(UTC)).total_seconds() + 0.1))
        return api_key
    raise TimeoutError


def test_an_account_is_found_by_its_external_id(caller: Any, client: Any, account: Any) -> None:
    account_id, external_id = account.account_id, f"customer-{uuid4().hex}"
    changed = caller.call(client.accounts.change(account_id=account_id, external_id=external_id))
    assert changed.external_id == external_id
    (found,) = caller.items(client.accounts.list(external_id=external_id))
    assert (found.account_id, found.email) == (account_id, account.email)
    assert caller.call(client.accounts.page(email=account.email)).items == (found,)
    assert caller.call(client.accounts.change(account_id=account_id, external_id=None)).external_id is None


def test_the_email_of_an_account_changes_in_two_steps(caller: Any, client: Any, account: Any, service: Any) -> None:
    account_id, new = account.account_id, f"new-{account.email}"
    changed = caller.call(client.accounts.change(account_id=account_id, email=new))
    assert (changed.email, changed.pending_email) == (account.email, new)
    caller.call(client.accounts.confirm_email(token=mailed_text(service, new, r"/email-confirmation/(\S+)")))
    confirmed = caller.call(client.accounts.get(account_id=account_id))
    assert (confirmed.email, confirmed.pending_email) == (new, None)
    token = mailed_text(service, account.email, r"/email-undo/(\S+)")
    caller.call(client.accounts.undo_email_change(token=token))
    assert caller.call(client.accounts.get(account_id=account_id)).email == account.email
    with pytest.raises(LinkInvalid):
        caller.call(client.accounts.undo_email_change(token=token))
    verified = caller.call(client.accounts.change(account_id=account_id, email=new, email_verified=True))
    assert verified.email == new


def test_the_current_api_key(caller: Any, client: Any) -> None:
    key = caller.call(client.api_keys.current())
    assert (key.scope, key.expires_at, key.accounts) == ("portal", None, None)


def test_every_route_for_portals_has_a_method(service: Any) -> None:
    """Compares the paths in the code with the OpenAPI document of the service."""
    document = httpx.get(f"{service.url}/openapi.json").json()
    routes = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and {"portal", "support"} & set(operation.get("x-scopes", []))
    } - {("POST", "/oauth2/introspect")}  # for OAuth libraries; `sessions.introspect` is for this client
    requested: set[tuple[str, str]] = set()

    def record(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        for parameter, value in ids.items():
            path = path.replace(str(value), f"{{{parameter}}}")
        requested.add((request.method, path))
        return httpx.Response(500)

    ids = {
        "account_id": uuid4(),
        "sub_user_id": uuid4(),
        "webhook_id": uuid4(),
        "role_id": uuid4(),
        "grant_id": uuid4(),
        "factor_id": uuid4(),
        "session_id": uuid4(),
    }
    http = httpx.Client(transport=httpx.MockTransport(record))
    client = Client(base_url=service.url, api_key="key", http_client=http)
    for resource in (value for name, value in vars(client).items() if not name.startswith("_")):
        for name in (name for name in dir(resource) if not name.startswith("_")):
            call_with_samples(getattr(resource, name), ids)
    assert requested == routes


def test_models_have_no_deprecated_field(service: Any) -> None:
    """The client is newer than the deprecation."""
    document = httpx.get(f"{service.url}/openapi.json").json()
    properties = [schema.get("properties", {}) for schema in document["components"]["schemas"].values()]
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for name, field in (item for schema in properties for item in schema.items()):
        names[bool(field.get("deprecated"))].add(name)
    deprecated = names[True] - names[False]  # a name can be deprecated in one schema only
    assert "conversation_minutes" in deprecated
    classes = [value for value in vars(models).values() if isinstance(value, type) and is_dataclass(value)]
    assert not [(model, field.name) for model in classes for field in fields(model) if field.name in deprecated]


def call_with_samples(method: Callable[..., Any], ids: dict[str, UUID]) -> None:
    """Call a method with a sample of each argument that it needs, or that is an id."""
    resource = Resource(type="assistant", id="a-1")
    samples: dict[str, Any] = {
        **dict.fromkeys(("activities", "activity_types", "usage", "permissions", "grants"), ()),
        "period_start": datetime.now(UTC).date(),
        "resource": resource,
        "evaluations": [Evaluation(sub_user_id=ids["sub_user_id"], permission="text", resource=resource)],
    }
    numbers = {"sub_user_limit": 1, "included_minutes": 1, "included_tokens": 1, "after": 1}
    arguments = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is inspect.Parameter.empty or name in ids:
            arguments[name] = ids.get(name) or samples.get(name, numbers.get(name, "text"))
    if "client_ip" in arguments:
        arguments["client_ip"] = None
    with suppress(Exception):
        result = method(**arguments)
        if hasattr(result, "__next__"):
            next(result)


class Portal(NamedTuple):
    """A portal in one of the frameworks."""

    get: Callable[[str], Any]
    post: Callable[[str, dict[str, str]], Any]


@pytest.fixture(params=["flask", "django", "fastapi"])
def portal(request: pytest.FixtureRequest, service: Any) -> Iterator[tuple[Portal, str]]:
    """Yield a portal with an API key of its own, and the key's id."""
    name = f"portal {uuid4().hex}"
    api_key = service.run("api-key", "create", "--scope", "portal", "--name", name).strip()
    match = re.search(rf"^ *(\S+) .*{name}", service.run("api-key", "list"), re.MULTILINE)
    assert match is not None
    if request.param == "flask":
        config = {"SUBUSERS_URL": service.url, "SUBUSERS_API_KEY": api_key, "SUBUSERS_COOKIE_SECURE": False}
        flask_browser = flask_app.create_app(**config).test_client()
        yield Portal(flask_browser.get, lambda path, form: flask_browser.post(path, data=form)), match[1]
        flask_app.subusers.close()
    elif request.param == "django":
        if not django_settings.configured:
            django_app.configure()
            django.setup()
        client = Client(base_url=service.url, api_key=api_key)
        with client, override_settings(SUBUSERS={"URL": service.url, "CLIENT": client}):
            django_browser = DjangoClient()
            yield Portal(django_browser.get, django_browser.post), match[1]
    else:
        app = fastapi_app.create_app(base_url=service.url, api_key=api_key, cookie_secure=False)
        with TestClient(app, follow_redirects=False) as browser:
            yield Portal(browser.get, lambda path, form: browser.post(path, json=form)), match[1]


def test_a_portal_of_each_framework(portal: tuple[Portal, str], service: Any) -> None:
    browser, api_key_id = portal
    credentials = demo_credentials(service)._asdict()
    assert browser.get("/assistants").status_code == 401
    assert browser.post("/login", credentials | {"password": "wrong"}).status_code == 401
    assert browser.post("/login", credentials).status_code == 200
    assert browser.get("/assistants").status_code == 200
    assert browser.get("/").status_code == 200
    assert browser.get("/billing").status_code == 403
    assert browser.post("/logout", {}).status_code == 200
    assert browser.get("/assistants").status_code == 401

    assert browser.post("/login", credentials).status_code == 200
    service.run("api-key", "revoke", api_key_id)
    for path in ("/", "/assistants", "/billing"):
        assert browser.get(path).status_code == 503
    assert browser.post("/login", credentials).status_code == 503
    assert browser.post("/login", credentials | {"password": "wrong"}).status_code == 503
