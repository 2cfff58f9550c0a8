"""Content of the audit log for every kind of event: actor, client, times, reason and details."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from application.command_context import CommandContext
from application.commands.api_keys import Scope
from application.commands.webhooks import DisableReason
from domain.event_metadata import ActorType
from domain.refusals import LoginRefused
from projections.audit_log.actions import ACTIONS
from tests.api.clients import OWN_PASSWORD, Account, SubUser
from tests.api.second_factors import FACTORS, OwnSession
from tests.api_keys import add_api_key
from tests.builders import deliver_mails, mailed_token
from tests.refusing_mail_server import RefusingMailServer
from tests.throttling import fail_as_sub_user

if TYPE_CHECKING:
    from tests.api.clients import ApiClients

OWNER_CLIENT = ("192.0.2.1", "the owner's browser")
SUB_USER_CLIENT = ("2001:db8::2", "the sub-user's browser")
SUPPORT_CLIENT = ("127.0.0.1", "support's terminal")
NO_CLIENT = (None, None)
EXTERNAL_ID = f"customer-{uuid4().hex}"
CORRECTED_EMAIL = "someone-else@company.example"
RESET_PASSWORD = "another phrase for now"
OWNER_PASSWORD = "a password for the console"
WRONG_PASSWORD = "not what it is"
THRESHOLD_REACHED = "main_account.usage_threshold_reached"


@dataclass(frozen=True)
class Story:
    """Audit log of an account before and after its sub-user's deletion, newest first, with the expected actors."""

    actors: dict[str, dict[str, Any]]
    sub_user_id: str
    rows_before_deletion: list[dict[str, Any]]
    rows_after_deletion: list[dict[str, Any]]
    began: datetime
    ended: datetime

    def latest(self, action: str) -> dict[str, Any]:
        """Return the newest entry with this action."""
        return next(row for row in self.rows_after_deletion if row["action"] == action)


def identity_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return the actor of a row without the API key and the person at the portal, which have tests of their own."""
    return {name: value for name, value in row["actor"].items() if name not in {"api_key_id", "person"}}


@pytest.fixture(scope="module")
def story(clients: ApiClients) -> Story:
    """Return the audit log of an account with at least one event of each kind."""
    began = clients.service.clock()
    owner = clients.portal.with_headers(X_Client_IP=OWNER_CLIENT[0], X_Client_User_Agent=OWNER_CLIENT[1])
    account = replace(clients, portal=owner).register_account(password=OWNER_PASSWORD)
    change_email(clients, account)
    sub_user = account.create_sub_user()
    sub_user_account = replace(
        account,
        portal=clients.portal.with_headers(X_Client_IP=SUB_USER_CLIENT[0], X_Client_User_Agent=SUB_USER_CLIENT[1]),
    )

    change_everything(clients, account, sub_user)
    use_console(clients, account)
    use_webhook(clients, account)
    logged_in = act_as_sub_user(replace(sub_user, account=sub_user_account))
    use_second_factors(account, logged_in)
    use_up_plan(clients, logged_in)
    reset_password(clients, logged_in)
    deliver_mails(clients.service)
    lock_sub_user(clients, logged_in)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clients.service.workers.mailer, "_transport", RefusingMailServer())
        sub_user.change(password=RESET_PASSWORD)
        request_reset(logged_in)
        deliver_mails(clients.service)
    replace(logged_in, password=RESET_PASSWORD).new_token()
    sub_user.change(status="inactive", email=CORRECTED_EMAIL)
    read_as_auditor(clients, account)
    rows = account.audit_log_rows()
    assert owner.delete(sub_user.path).status_code == 204
    assert owner.delete(account.path).status_code == 204

    support = next(key for key in clients.service.commands.api_keys.list() if key.scope == "support")
    actors: dict[str, dict[str, Any]] = {
        "owner": {"type": "main_account", "id": account.account_id, "name": "Winds & Waves"},
        "sub-user": {"type": "sub_user", "id": sub_user.sub_user_id, "name": "Grace Hopper"},
        "support": {"type": "support", "id": str(support.api_key_id), "name": "the support's key"},
        "mailer": {"type": "system", "id": "mailer", "name": None},
        "webhook dispatcher": {"type": "system", "id": "webhooks", "name": None},
        "usage counter": {"type": "system", "id": "usage", "name": None},
        "anonymous": {"type": "anonymous", "id": None, "name": None},
    }
    return Story(actors, sub_user.sub_user_id, rows, account.audit_log_rows(), began, clients.service.clock())


def change_everything(clients: ApiClients, account: Account, sub_user: SubUser) -> None:
    """Change everything that the owner and support can change."""
    account.portal.patch(account.path, json={"language": "it"})
    account.portal.patch(account.path, json={"external_id": EXTERNAL_ID})
    body = {"sub_user_limit": 12, "reason": "They opened a second office."}
    clients.support.put(f"{account.path}/sub-user-limit", json=body, headers={"User-Agent": SUPPORT_CLIENT[1]})
    sub_user.change(surname="Murray", visible=False, access_expires_at="2099-01-01T00:00:00Z")
    sub_user.change(surname="Hopper", status="active")
    change_roles(account, sub_user)
    deliver_mails(clients.service)


def change_roles(account: Account, sub_user: SubUser) -> None:
    """Create a role, change it, grant it and revoke it, and delete it."""
    created: Any = account.portal.post(f"{account.path}/roles", json={"name": "Editor", "permissions": []}).json
    path = f"{account.path}/roles/{created['role_id']}"
    assert account.portal.patch(path, json={"permissions": ["assistants"]}).status_code == 200
    body = {"role_id": created["role_id"], "resource": {"type": "assistant", "id": "a-1", "label": "Reception"}}
    granted: Any = account.portal.post(f"{sub_user.path}/grants", json=body).json
    assert account.portal.delete(f"{sub_user.path}/grants/{granted['grant_id']}").status_code == 204
    assert account.portal.delete(path).status_code == 204


def use_console(clients: ApiClients, account: Account) -> None:
    """Fail to log in as the owner, log in, and log out."""
    context = CommandContext(ActorType.MAIN_ACCOUNT, ip=OWNER_CLIENT[0], user_agent=OWNER_CLIENT[1])
    with pytest.raises(LoginRefused):
        clients.service.commands.owner_sessions.log_in(account.email, WRONG_PASSWORD, context)
    session = clients.service.commands.owner_sessions.log_in(account.email, OWNER_PASSWORD, context).value
    clients.service.commands.owner_sessions.log_out(session.token, context)


def use_webhook(clients: ApiClients, account: Account) -> None:
    """Create a webhook, call every command on it, and delete it."""
    body = {"account_id": account.account_id, "url": "https://receiver.example/"}
    created: Any = account.portal.post("/v1/webhooks", json=body).json
    clients.service.commands.webhook_disabling.disable(UUID(created["webhook_id"]), DisableReason.FAILING)
    path = f"/v1/webhooks/{created['webhook_id']}"
    assert account.portal.post(f"{path}/enable").status_code == 200
    assert account.portal.post(f"{path}/secrets").status_code == 201
    assert account.portal.post(f"{path}/replay", json={"after": 0}).status_code == 200
    new_key = f"Bearer {add_api_key(clients.service, Scope.PORTAL)}"
    assert account.portal.post(f"{path}/adopt", headers={"Authorization": new_key}).status_code == 200
    assert account.portal.delete(path).status_code == 204


def act_as_sub_user(sub_user: SubUser) -> SubUser:
    """Set an own password, report an activity, log in from a new device, and log out, as the sub-user."""
    sub_user = sub_user.set_own_password(OWN_PASSWORD)
    activity = {"sub_user_id": sub_user.sub_user_id, "action": "tool.used", "target": "a tool", "details": {"times": 3}}
    sub_user.account.portal.post(f"{sub_user.account.path}/activities", json={"activities": [activity]})
    assert sub_user.log_in(device_id="a device").status_code == 201
    sub_user.account.portal.delete("/v1/sessions/current", headers={"Session-Token": sub_user.new_token()})
    return sub_user


def use_second_factors(account: Account, sub_user: SubUser) -> None:
    """Add an authenticator app, send a wrong code, remove the app, and add another one that the owner resets."""
    session = OwnSession(sub_user.account.portal, sub_user.new_token())
    added = session.add_totp()
    assert session.verify(code="wrong").status_code == 401
    assert session.client.delete(f"{FACTORS}/{added.response['factor']['factor_id']}").status_code == 204
    session.add_totp()
    assert account.portal.delete(f"{sub_user.path}/second-factors").status_code == 204
    for policy in ("required", "optional"):
        assert account.portal.patch(account.path, json={"second_factor_policy": policy}).status_code == 200


def request_reset(sub_user: SubUser) -> None:
    body = {"account_email": sub_user.account.email, "email": sub_user.email}
    assert sub_user.account.portal.post("/v1/password-resets", json=body).status_code == 202


def reset_password(clients: ApiClients, sub_user: SubUser) -> None:
    """Ask for a link while the account forbids it, then again, and choose a password with the link."""
    portal, path = sub_user.account.portal, sub_user.account.path
    for allowed in (False, True):
        body = {"sub_user_password_reset": allowed}
        assert clients.portal.patch(path, json=body, headers=client_headers(OWNER_CLIENT)).status_code == 200
        request_reset(sub_user)
    completion = {"token": mailed_token(deliver_mails(clients.service)[-1]), "new_password": "a phrase by a link"}
    assert portal.post("/v1/password-resets/complete", json=completion).status_code == 204


def change_email(clients: ApiClients, account: Account) -> None:
    """Change the account's e-mail while it has another active sub-user, and undo the change."""
    account.create_active(name="Ada", surname="Byron", email=f"ada-{account.email}")
    for email, path in ((f"new-{account.email}", "confirm"), (account.email, "undo")):
        if path == "confirm":
            assert account.portal.patch(account.path, json={"email": email}).status_code == 200
        (*_, mail) = [mail for mail in deliver_mails(clients.service) if mail["To"].addresses[0].addr_spec == email]
        body = {"token": mailed_token(mail)}
        assert account.portal.post(f"/v1/email-changes/{path}", json=body).status_code == 204


def use_up_plan(clients: ApiClients, sub_user: SubUser) -> None:
    """Set a plan, use all its minutes, and wait for the threshold event."""
    plan = {"included_minutes": 5, "included_tokens": 0, "period_start": "2026-01-01"}
    assert (
        clients.portal.put(f"{sub_user.account.path}/plan", json=plan, headers=client_headers(OWNER_CLIENT)).status_code
        == 200
    )
    usage = {"sub_user_id": sub_user.sub_user_id, "conversation_ms": 300_000}
    assert sub_user.account.portal.post(f"{sub_user.account.path}/usage", json={"usage": [usage]}).status_code == 201
    while not any(row["action"] == THRESHOLD_REACHED for row in sub_user.account.audit_log_rows()):
        clients.service.commands.usage.check_next()


def read_as_auditor(clients: ApiClients, account: Account) -> None:
    """Read and export the audit log with an auditor's key."""
    for accepted in ("application/json", "text/csv"):
        assert clients.auditor.get(f"{account.path}/audit-log", headers={"Accept": accepted}).status_code == 200


def client_headers(client: tuple[str, str]) -> dict[str, str]:
    """Return the headers in which the portal names its client."""
    return {"X-Client-IP": client[0], "X-Client-User-Agent": client[1]}


def lock_sub_user(clients: ApiClients, sub_user: SubUser) -> None:
    """Lock the sub-user with 100 failed logins: two real ones, and 98 recorded without the throttling delay."""
    sub_user.log_in(password=WRONG_PASSWORD)
    fail_as_sub_user(clients.service, sub_user.account.email, sub_user.email, 98)
    sub_user.log_in(password=WRONG_PASSWORD)


def test_every_kind_of_event_has_an_entry(story: Story) -> None:
    without_account = ("api_key.", "permission_catalogue.", "activity_types.")
    account_actions = {action for action in ACTIONS.values() if not action.startswith(without_account)}
    assert {row["action"] for row in story.rows_after_deletion} == {*account_actions, "tool.used"}


@pytest.mark.parametrize(
    ("action", "actor", "client", "details"),
    [
        ("main_account.registered", "owner", OWNER_CLIENT, {"company_name": "Winds & Waves", "sub_user_limit": 10}),
        ("main_account.details_changed", "owner", OWNER_CLIENT, {"language": "it", "password_changed": False}),
        ("main_account.external_id_set", "owner", OWNER_CLIENT, {"external_id": EXTERNAL_ID}),
        ("main_account.sub_user_limit_raised", "support", SUPPORT_CLIENT, {"sub_user_limit": 12}),
        ("main_account.login_refused", "anonymous", OWNER_CLIENT, {"why": "wrong_password", "failures": 1}),
        ("main_account.logged_in", "owner", OWNER_CLIENT, {"via": "password"}),
        ("main_account.logged_out", "owner", OWNER_CLIENT, {}),
        ("webhook.created", "owner", OWNER_CLIENT, {}),
        ("webhook.disabled", "webhook dispatcher", NO_CLIENT, {"why": "failing", "failures": 0}),
        ("webhook.enabled", "owner", OWNER_CLIENT, {}),
        ("webhook.secret_rotated", "owner", OWNER_CLIENT, {}),
        ("webhook.replayed", "owner", OWNER_CLIENT, {"after": 0}),
        ("webhook.adopted", "owner", OWNER_CLIENT, {}),
        ("webhook.deleted", "owner", OWNER_CLIENT, {}),
        ("main_account.plan_set", "owner", OWNER_CLIENT, {"included_minutes": 5, "period_start": "2026-01-01"}),
        (
            THRESHOLD_REACHED,
            "usage counter",
            NO_CLIENT,
            {"resource": "conversation_ms", "used": 300_000, "included": 300_000},
        ),
        ("sub_user.usage_recorded", "sub-user", SUB_USER_CLIENT, {"conversation_ms": 300_000, "llm_tokens": 0}),
        ("sub_user.created", "owner", OWNER_CLIENT, {"name": "Grace", "surname": "Hopper", "visible": True}),
        ("sub_user.details_changed", "owner", OWNER_CLIENT, {"surname": "Hopper"}),
        ("sub_user.email_changed", "owner", OWNER_CLIENT, {"email": CORRECTED_EMAIL}),
        ("main_account.role_created", "owner", OWNER_CLIENT, {"name": "Editor", "permissions": ""}),
        ("main_account.role_changed", "owner", OWNER_CLIENT, {"permissions": "assistants"}),
        ("main_account.role_deleted", "owner", OWNER_CLIENT, {}),
        ("sub_user.role_granted", "owner", OWNER_CLIENT, {"resource_id": "a-1", "resource_label": "Reception"}),
        ("sub_user.role_revoked", "owner", OWNER_CLIENT, {"resource_type": "assistant", "resource_id": "a-1"}),
        ("main_account.password_reset_policy_set", "owner", OWNER_CLIENT, {"allowed": True}),
        ("person.password_reset_requested", "anonymous", SUB_USER_CLIENT, {}),
        ("person.password_reset_forwarded", "anonymous", SUB_USER_CLIENT, {}),
        ("person.link_used", "sub-user", SUB_USER_CLIENT, {"purpose": "password_reset"}),
        ("person.notice_mailed", "mailer", NO_CLIENT, {"notice": "password_reset"}),
        ("person.notice_mail_failed", "mailer", NO_CLIENT, {"notice": "password_reset"}),
        ("sub_user.visibility_changed", "owner", OWNER_CLIENT, {"visible": False}),
        ("sub_user.access_expiry_set", "owner", OWNER_CLIENT, {"access_expires_at": "2099-01-01T00:00:00Z"}),
        ("sub_user.activated", "owner", OWNER_CLIENT, {"notice": "activation"}),
        ("sub_user.credentials_mailed", "mailer", NO_CLIENT, {"notice": "password_changed"}),
        ("sub_user.logged_in", "sub-user", SUB_USER_CLIENT, {"with_temporary_password": True}),
        ("sub_user.password_changed", "sub-user", SUB_USER_CLIENT, {}),
        ("person.new_device_signed_in", "sub-user", SUB_USER_CLIENT, {}),
        ("tool.used", "sub-user", SUB_USER_CLIENT, {"times": 3}),
        ("sub_user.logged_out", "sub-user", SUB_USER_CLIENT, {}),
        ("main_account.second_factor_policy_set", "owner", OWNER_CLIENT, {"policy": "optional"}),
        ("person.second_factor_added", "sub-user", SUB_USER_CLIENT, {"kind": "totp", "name": "My phone"}),
        ("person.second_factor_verified", "sub-user", SUB_USER_CLIENT, {"method": "totp"}),
        ("person.second_factor_refused", "anonymous", SUB_USER_CLIENT, {"method": "totp", "why": "wrong_code"}),
        ("person.second_factor_removed", "sub-user", SUB_USER_CLIENT, {"remaining": 0}),
        ("person.recovery_codes_issued", "sub-user", SUB_USER_CLIENT, {"count": 10}),
        ("person.second_factors_reset", "owner", OWNER_CLIENT, {}),
        ("sub_user.login_refused", "anonymous", SUB_USER_CLIENT, {"why": "wrong_password", "failures": 1}),
        ("sub_user.locked_out", "anonymous", SUB_USER_CLIENT, {"failures": 100}),
        ("sub_user.password_reset", "owner", OWNER_CLIENT, {"notice": "reset"}),
        ("sub_user.unlocked", "owner", OWNER_CLIENT, {}),
        ("sub_user.credentials_mail_failed", "mailer", NO_CLIENT, {"notice": "reset"}),
        ("sub_user.deactivated", "owner", OWNER_CLIENT, {}),
    ],
)
def test_entry_has_actor_client_and_details(
    story: Story, action: str, actor: str, client: tuple[str | None, str | None], details: dict[str, Any]
) -> None:
    row = next(row for row in story.rows_before_deletion if row["action"] == action)
    assert identity_of(row) == story.actors[actor]
    assert (row["ip"], row["user_agent"]) == client
    assert details.items() <= row["details"].items()
    assert row["sub_user_id"] == (None if action.startswith(("main_account.", "webhook.")) else story.sub_user_id)
    assert row["target"] == ("a tool" if action == "tool.used" else None)


def test_only_raising_the_limit_has_a_reason(story: Story) -> None:
    with_reason = {row["action"]: row["reason"] for row in story.rows_before_deletion if row["reason"] is not None}
    assert with_reason == {"main_account.sub_user_limit_raised": "They opened a second office."}


def test_entry_has_utc_times_in_order(story: Story) -> None:
    texts = [row["recorded_at"] for row in story.rows_after_deletion]
    assert all(text.endswith("Z") for text in texts)
    times = [datetime.fromisoformat(text) for text in texts]
    assert times == sorted(times, reverse=True)
    assert story.began <= times[-1] <= times[0] <= story.ended
    assert [row["occurred_at"] for row in story.rows_after_deletion] == texts


def test_mail_entries_have_the_reply_of_the_mail_server(story: Story) -> None:
    """This holds for accepted and refused mails."""
    failed = next(row for row in story.rows_before_deletion if row["action"] == "sub_user.credentials_mail_failed")
    assert failed["details"]["reply"].startswith("550 no such user: someone-")
    mailed = next(row for row in story.rows_before_deletion if row["action"] == "sub_user.credentials_mailed")
    assert mailed["details"]["reply"]


def test_entries_have_no_internal_fields(story: Story) -> None:
    """Internal fields are hashes, stream ids and versions."""
    internal_fields = {
        "email_hash",
        "originator_id",
        "originator_version",
        "originator_topic",
        "timestamp",
        "request_id",
    }
    assert not [row for row in story.rows_before_deletion if internal_fields & set(row["details"])]


def test_deletion_erases_personal_data_from_the_log(story: Story) -> None:
    """The entries stay, with the owner as the actor where the owner acted."""
    created, logged_in = story.latest("sub_user.created"), story.latest("sub_user.logged_in")
    assert created["details"]["email"] == created["details"]["name"] == created["details"]["surname"] == "[erased]"
    assert identity_of(created) == story.actors["owner"]
    assert (created["ip"], created["user_agent"]) == OWNER_CLIENT
    assert identity_of(logged_in) == {"type": "sub_user", "id": story.sub_user_id, "name": "[erased]"}
    assert (logged_in["ip"], logged_in["user_agent"]) == ("[erased]", "[erased]")
    activity = story.latest("tool.used")
    assert (activity["target"], activity["details"]) == ("[erased]", "[erased]")
    text = str(story.rows_after_deletion)
    assert "Grace" not in text
    assert "someone-" not in text
    assert SUB_USER_CLIENT[0] not in text
    assert len(story.rows_after_deletion) == len(story.rows_before_deletion) + 3


def test_deletion_and_closing_have_entries(story: Story) -> None:
    for action in ("sub_user.deleted", "sub_user.personal_data_erased", "main_account.closed"):
        row = story.latest(action)
        assert identity_of(row) == story.actors["owner"]
        assert (row["ip"], row["user_agent"]) == OWNER_CLIENT


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"password": WRONG_PASSWORD}, "wrong_password"),
        ({"email": "nobody@company.example"}, "unknown"),
    ],
)
def test_refused_login_is_logged_with_its_reason(account: Account, overrides: dict[str, str], reason: str) -> None:
    """The login response does not reveal it."""
    sub_user = account.create_active()
    assert sub_user.log_in(**overrides).status_code == 401
    row = account.audit_log_rows()[0]
    assert row["action"] == "sub_user.login_refused"
    assert row["details"] == {"why": reason, "failures": 1}
    assert row["sub_user_id"] == (sub_user.sub_user_id if reason == "wrong_password" else None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"status": "inactive"}, "inactive"), ({"access_expires_at": "2020-01-01T00:00:00Z"}, "expired")],
)
def test_login_without_access_is_logged_with_its_reason(account: Account, change: dict[str, Any], reason: str) -> None:
    """The password in the request is correct."""
    sub_user = account.create_active()
    sub_user.change(**change)
    assert sub_user.log_in().status_code == 401
    assert account.audit_log_rows()[0]["details"] == {"why": reason, "failures": 1}


def test_consecutive_refused_logins_are_sampled(account: Account) -> None:
    """The first five are logged, then each doubling of their number, so that an attacker cannot flood the history."""
    sub_user = account.create_active()
    for number in range(33):
        body = {**sub_user.credentials, "password": WRONG_PASSWORD}
        account.portal.post("/v1/sessions", json=body, headers={"X-Client-IP": f"198.51.{number}.1"})
    failures = [row["details"]["failures"] for row in account.audit_log_rows(action="sub_user.login_refused")]
    assert failures == [32, 16, 8, 5, 4, 3, 2, 1]
