"""Completeness of the history: every command that changes something records an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from api.cli.program import MODULE_BY_COMMAND
from application.commands.webhooks import DisableReason
from domain.roles import VIEWER
from tests.api.clients import OWN_PASSWORD, ApiClients, SubUser
from tests.api.route_table import routes
from tests.api.second_factors import FACTORS, AddedTotp, OwnSession, totp_code
from tests.authenticator import Authenticator
from tests.builders import PORTAL, deliver_mails, mailed_token, plain_text
from tests.postgres import fetch
from tests.second_factors import Person

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

URL = "https://receiver.example/hook"
SendRequest = Callable[[ApiClients, SubUser], "TestResponse"]


def create_webhook(clients: ApiClients, sub_user: SubUser) -> str:
    """Create a webhook with a failed delivery and no API key, and return its path."""
    response = clients.portal.post("/v1/webhooks", json={"url": URL, "account_id": sub_user.account.account_id})
    fetch(clients.service.settings.database_url or "", "UPDATE webhooks SET failures = 1, api_key_id = NULL")
    return str(response.headers["Location"])


def enable(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    path = create_webhook(clients, sub_user)
    clients.service.commands.webhook_disabling.disable(UUID(path.rpartition("/")[2]), DisableReason.FAILING)
    return clients.portal.post(f"{path}/enable")


def path_of_role(sub_user: SubUser) -> str:
    return f"{sub_user.account.path}/roles/{sub_user.account.create_role('assistants')}"


def replace_catalogue(clients: ApiClients, _: SubUser) -> TestResponse:
    """Replace the permission catalogue by one with another label, and then by the former one again."""
    former: Any = clients.portal.get("/v1/permissions").json
    first, *others = former["permissions"]
    changed = {**first, "labels": {**first["labels"], "en": "Build assistants"}}
    response = clients.portal.put("/v1/permissions", json={"permissions": [changed, *others]})
    clients.portal.put("/v1/permissions", json={"permissions": former["permissions"]})
    return response


def replace_activity_types(clients: ApiClients, _: SubUser) -> TestResponse:
    """Replace the activity types by one, and then by the former ones again."""
    former: Any = clients.portal.get("/v1/activity-types").json
    labels = {"en": "Call", "it": "Chiamata"}
    response = clients.portal.put("/v1/activity-types", json={"activity_types": [{"action": "call", "labels": labels}]})
    clients.portal.put("/v1/activity-types", json={name: former[name] for name in ("groups", "activity_types")})
    return response


def report(sub_user: SubUser, **fields: Any) -> dict[str, Any]:
    return {"sub_user_id": sub_user.sub_user_id, **fields}


def session_of(clients: ApiClients, sub_user: SubUser) -> OwnSession:
    return OwnSession(clients.portal, sub_user.new_token())


def session_with_totp(clients: ApiClients, sub_user: SubUser) -> tuple[OwnSession, AddedTotp]:
    session = session_of(clients, sub_user)
    return session, session.add_totp()


def verify(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    session, added = session_with_totp(clients, sub_user)
    return session.verify(recovery_code=added.recovery_codes[0])


def add_factor(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    session = session_of(clients, sub_user)
    offer = session.offer_totp()
    body = {"challenge_id": offer["challenge_id"], "name": "My phone", "code": totp_code(offer["secret"])}
    return session.client.post(FACTORS, json=body)


def remove_factor(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    session, added = session_with_totp(clients, sub_user)
    return session.client.delete(f"{FACTORS}/{added.response['factor']['factor_id']}")


def log_in_with_passkey(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    authenticator = Authenticator(clients.service.settings.public_url)
    session_of(clients, sub_user).add_passkey(authenticator)
    challenge: Any = clients.portal.post("/v1/sessions/passkey-challenges").json
    answer = {"challenge_id": challenge["challenge_id"], "passkey": authenticator.get(challenge["options"])}
    return clients.portal.post("/v1/sessions/passkey", json=answer)


def reset_factors(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    session_with_totp(clients, sub_user)
    return clients.portal.delete(f"{sub_user.path}/second-factors")


def reset_owners_factors(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    """Add a second factor of the owner in the console's way, and let support reset it."""
    account, owners = sub_user.account, clients.service.commands.owner_sessions
    link = owners.create_link(UUID(account.account_id))
    Person(clients.service, owners.log_in_by_link(link, PORTAL).value.token, is_owner=True).add_totp()
    return clients.support.with_headers(X_Reason="Lost the phone.").delete(f"{account.path}/owner/second-factors")


def complete_reset(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    person = {"account_email": sub_user.account.email, "email": sub_user.email}
    clients.portal.post("/v1/password-resets", json=person)
    body = {"token": mailed_token(deliver_mails(clients.service)[-1]), "new_password": "a phrase that nobody knew"}
    return clients.portal.post("/v1/password-resets/complete", json=body)


def accept_invitation(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    clients.portal.post(f"{sub_user.path}/credentials-mail", json={"credentials": "link"})
    body = {"token": mailed_token(deliver_mails(clients.service)[-1]), "new_password": "a phrase that nobody knew"}
    return clients.portal.post("/v1/invitations/complete", json=body)


def confirm_email(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    clients.portal.patch(sub_user.account.path, json={"email": f"new-{sub_user.account.email}"})
    body = {"token": mailed_token(deliver_mails(clients.service)[-1])}
    return clients.portal.post("/v1/email-changes/confirm", json=body)


def undo_email(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    changes = {"email": f"new-{sub_user.account.email}", "email_verified": True}
    clients.portal.patch(sub_user.account.path, json=changes)
    mails = [mail for mail in deliver_mails(clients.service) if "/email-undo/" in plain_text(mail)]
    return clients.portal.post("/v1/email-changes/undo", json={"token": mailed_token(mails[-1])})


def other_session(clients: ApiClients, sub_user: SubUser) -> tuple[str, dict[str, str]]:
    """Log in twice, and return the id of the first session and the headers of the second."""
    sub_user.new_token()
    headers = {"Session-Token": sub_user.new_token()}
    listed: Any = clients.portal.get("/v1/sessions", headers=headers).json
    return next(row["session_id"] for row in listed["items"] if not row["current"]), headers


def end_own_session(clients: ApiClients, sub_user: SubUser) -> TestResponse:
    session_id, headers = other_session(clients, sub_user)
    return clients.portal.delete(f"/v1/sessions/{session_id}", headers=headers)


REQUESTS_BY_ROUTE: dict[str, SendRequest] = {
    "POST /v1/accounts": lambda clients, _: clients.register_account().response,
    "PATCH /v1/accounts/{account_id}": lambda clients, sub_user: clients.portal.patch(
        sub_user.account.path, json={"language": "it"}
    ),
    "DELETE /v1/accounts/{account_id}": lambda clients, sub_user: clients.portal.delete(sub_user.account.path),
    "POST /v1/accounts/{account_id}/activities": lambda clients, sub_user: clients.portal.post(
        f"{sub_user.account.path}/activities", json={"activities": [report(sub_user, action="tool.used")]}
    ),
    "POST /v1/accounts/{account_id}/usage": lambda clients, sub_user: clients.portal.post(
        f"{sub_user.account.path}/usage", json={"usage": [report(sub_user, llm_tokens=7)]}
    ),
    "PUT /v1/accounts/{account_id}/plan": lambda clients, sub_user: clients.portal.put(
        f"{sub_user.account.path}/plan",
        json={"included_minutes": 10, "included_tokens": 10, "period_start": "2026-05-01"},
    ),
    "PUT /v1/accounts/{account_id}/sub-user-limit": lambda clients, sub_user: clients.support.put(
        f"{sub_user.account.path}/sub-user-limit", json={"sub_user_limit": 12, "reason": "A second office."}
    ),
    "POST /v1/accounts/{account_id}/sub-users": lambda _, sub_user: sub_user.account.create_sub_user().response,
    "PATCH /v1/accounts/{account_id}/sub-users/{sub_user_id}": lambda _, sub_user: sub_user.change(name="Ada"),
    "DELETE /v1/accounts/{account_id}/sub-users/{sub_user_id}": lambda clients, sub_user: clients.portal.delete(
        sub_user.path
    ),
    "POST /v1/accounts/{account_id}/sub-users/{sub_user_id}/credentials-mail": lambda clients, sub_user: (
        clients.portal.post(f"{sub_user.path}/credentials-mail")
    ),
    "DELETE /v1/accounts/{account_id}/sub-users/{sub_user_id}/sessions": lambda clients, sub_user: (
        clients.portal.delete(f"{sub_user.path}/sessions")
    ),
    "POST /v1/accounts/{account_id}/roles": lambda clients, sub_user: clients.portal.post(
        f"{sub_user.account.path}/roles", json={"name": "Editors", "permissions": ["assistants"]}
    ),
    "PATCH /v1/accounts/{account_id}/roles/{role_id}": lambda clients, sub_user: clients.portal.patch(
        path_of_role(sub_user), json={"permissions": ["tools"]}
    ),
    "DELETE /v1/accounts/{account_id}/roles/{role_id}": lambda clients, sub_user: clients.portal.delete(
        path_of_role(sub_user)
    ),
    "POST /v1/accounts/{account_id}/sub-users/{sub_user_id}/grants": lambda clients, sub_user: clients.portal.post(
        f"{sub_user.path}/grants", json={"role_id": str(VIEWER)}
    ),
    "PUT /v1/accounts/{account_id}/sub-users/{sub_user_id}/grants": lambda clients, sub_user: clients.portal.put(
        f"{sub_user.path}/grants", json={"grants": []}
    ),
    "DELETE /v1/accounts/{account_id}/sub-users/{sub_user_id}/grants/{grant_id}": lambda clients, sub_user: (
        clients.portal.delete(f"{sub_user.path}/grants/{sub_user.sub_user_id}")
    ),
    "PUT /v1/permissions": replace_catalogue,
    "PUT /v1/activity-types": replace_activity_types,
    "POST /v1/sessions": lambda _, sub_user: sub_user.log_in(),
    "DELETE /v1/sessions/current": lambda clients, sub_user: clients.portal.delete(
        "/v1/sessions/current", headers={"Session-Token": sub_user.new_token()}
    ),
    "PUT /v1/sessions/current/password": lambda clients, sub_user: clients.portal.put(
        "/v1/sessions/current/password",
        json={"current_password": OWN_PASSWORD, "new_password": f"{OWN_PASSWORD}, and another"},
        headers={"Session-Token": sub_user.new_token()},
    ),
    "POST /v1/sessions/passkey": log_in_with_passkey,
    "POST /v1/sessions/current/second-factor": verify,
    "POST /v1/sessions/current/second-factors": add_factor,
    "DELETE /v1/sessions/current/second-factors/{factor_id}": remove_factor,
    "POST /v1/sessions/current/second-factors/recovery-codes": lambda clients, sub_user: session_with_totp(
        clients, sub_user
    )[0].client.post(f"{FACTORS}/recovery-codes"),
    "DELETE /v1/accounts/{account_id}/sub-users/{sub_user_id}/second-factors": reset_factors,
    "DELETE /v1/accounts/{account_id}/owner/second-factors": reset_owners_factors,
    "POST /v1/password-resets/complete": complete_reset,
    "POST /v1/invitations/complete": accept_invitation,
    "POST /v1/email-changes/confirm": confirm_email,
    "POST /v1/email-changes/undo": undo_email,
    "DELETE /v1/sessions/{session_id}": end_own_session,
    "DELETE /v1/sessions/others": lambda clients, sub_user: clients.portal.delete(
        "/v1/sessions/others", headers=other_session(clients, sub_user)[1]
    ),
    "DELETE /v1/accounts/{account_id}/sub-users/{sub_user_id}/sessions/{session_id}": lambda clients, sub_user: (
        clients.portal.delete(f"{sub_user.path}/sessions/{other_session(clients, sub_user)[0]}")
    ),
    "POST /v1/webhooks": lambda clients, sub_user: clients.portal.post(
        "/v1/webhooks", json={"url": URL, "account_id": sub_user.account.account_id}
    ),
    "DELETE /v1/webhooks/{webhook_id}": lambda clients, sub_user: clients.portal.delete(
        create_webhook(clients, sub_user)
    ),
    "POST /v1/webhooks/{webhook_id}/adopt": lambda clients, sub_user: clients.portal.post(
        f"{create_webhook(clients, sub_user)}/adopt"
    ),
    "POST /v1/webhooks/{webhook_id}/enable": enable,
    "POST /v1/webhooks/{webhook_id}/replay": lambda clients, sub_user: clients.portal.post(
        f"{create_webhook(clients, sub_user)}/replay", json={"after": 0}
    ),
    "POST /v1/webhooks/{webhook_id}/secrets": lambda clients, sub_user: clients.portal.post(
        f"{create_webhook(clients, sub_user)}/secrets"
    ),
}
ROUTES_WITHOUT_EVENT = {
    **dict.fromkeys(("POST /access/v1/evaluation", "POST /access/v1/evaluations"), "read-only"),
    **{f"POST /access/v1/search/{what}": "read-only" for what in ("subject", "resource", "action")},
    "POST /v1/sessions/introspect": "read-only",
    "POST /oauth2/introspect": "read-only",
    "POST /v1/webhooks/{webhook_id}/test": "sends a request, and changes nothing",
    "POST /v1/sessions/passkey-challenges": "the login with the passkey records an event",
    "POST /v1/sessions/current/second-factor/challenges": "the verification records an event",
    **{
        f"POST /v1/sessions/current/second-factors/{kind}": "the confirmation records an event"
        for kind in ("totp", "passkey")
    },
    "POST /v1/password-resets": "records an event if the person exists, which the response does not reveal",
    "POST /v1/accounts/{account_id}/console-links": "the login with the link records an event",
}
"""Routes other than GET that record no event, with the reason."""

OPERATOR_COMMANDS_WITH_EVENT = {
    "api-key": "tests/application/test_api_keys.py",
    "erase-account": "PersonalDataErased: tests/cli/test_erasing.py",
    "erase": "PersonalDataErased: tests/cli/test_erasing.py",
    "replay": "AuditLogRead: tests/application/test_audit_access.py",
    "export": "AuditLogExported: tests/cli/test_export.py",
    "evidence": "AuditLogExported: tests/cli/test_evidence.py",
    "signing-key": "a signed checkpoint instead of an event: tests/cli/test_signing_key.py",
}
"""Commands that record an event, with the tests that require it."""

OPERATOR_COMMANDS_WITHOUT_EVENT = {
    **dict.fromkeys(("serve", "api", "work"), "run the service"),
    **dict.fromkeys(("status", "tail", "verify", "erasures"), "read-only"),
    "migrate": "recorded in schema_migrations",
    "rebuild": "derives the same view again",
    "accept-lost-history": "changes the store's epoch, which is a row of its own, and no event",
    "rotate-master-key": "re-encrypts the same data keys; no plaintext changes",
}
"""Commands that record no event, with the reason."""


def test_every_route_that_writes_is_listed() -> None:
    writing_routes = {str(route) for route in routes() if route.scopes and route.method != "GET"}
    assert writing_routes == {*REQUESTS_BY_ROUTE, *ROUTES_WITHOUT_EVENT}


def test_every_operator_command_is_listed() -> None:
    assert set(MODULE_BY_COMMAND) == {*OPERATOR_COMMANDS_WITH_EVENT, *OPERATOR_COMMANDS_WITHOUT_EVENT}


@pytest.mark.parametrize("route", REQUESTS_BY_ROUTE)
def test_request_records_an_event(clients: ApiClients, route: str) -> None:
    """The response's Event-Position is the position of an event that this request recorded."""
    sub_user = clients.register_account().create_with_own_password()
    before = clients.service.queries.progress.recorded_position()
    response = REQUESTS_BY_ROUTE[route](clients, sub_user)
    assert response.status_code < 300, response.text
    after = clients.service.queries.progress.recorded_position()
    assert before < int(response.headers["Event-Position"]) <= after
