"""Schemathesis set-up: requests generated from the OpenAPI document, some of them directed at existing resources."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from random import randrange
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import quote
from uuid import UUID, uuid4

import schemathesis
from email_validator import EmailNotValidError, validate_email
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.generation.meta import TestPhase

from api.deprecated_names import Kind, deprecated_names
from api.http import downloads
from api.http.authentication import MAX_PERSON_LENGTH
from application.commands.api_keys import Scope
from domain.mails import MAILS_PER_ACCOUNT
from domain.permission_catalogue import INITIAL_CATALOGUE, MAX_PERMISSIONS
from domain.roles import OPERATOR
from tests.api.clients import OWN_PASSWORD, Account, SubUser
from tests.api.second_factors import OwnSession, totp_code
from tests.authenticator import Authenticator
from tests.builders import PORTAL, deliver_mails, mailed_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schemathesis import AuthContext, Case, HookContext
    from schemathesis.engine.recorder import ScenarioRecorder

    from tests.api.clients import ApiClients

DOWNLOAD_LIMITS = ("MAX_PER_PROCESS", "MAX_PER_API_KEY", "MAX_PER_ACCOUNT")
"""Limits lifted during a run: Schemathesis does not close responses, so their download slots are never released."""

GOOD_PASSWORD = "seven wet umbrellas under a lamp"
RECEIVER = "https://receiver.example/hook"
WEBHOOK_OPERATIONS = (
    *("get_webhook", "delete_webhook", "create_webhook_secret", "replay_webhook", "enable_webhook", "adopt_webhook"),
    *("list_webhook_deliveries", "send_test_event"),
)
USABLE = {
    "status": "active",
    "must_change_password": False,
    "locked": False,
    "access_expires_at": None,
    "has_second_factor": False,
}
"""Fields of a sub-user who can log in with their own password."""


def is_deliverable(address: str) -> bool:
    try:
        validate_email(address, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        return False
    return True


# Some well-formed addresses are refused: RFC 6761 reserves domains that never receive mail.
schemathesis.openapi.format("email", st.emails().filter(is_deliverable))

# JSON Schema cannot express the bounds of a stored time; the field's description states them.
schemathesis.openapi.format(
    "date-time",
    st.datetimes(datetime(2000, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)).map(lambda at: at.isoformat()),  # noqa: DTZ001
)

CHECKS: dict[str, Any] = {
    # This check repeats requests with options that the WSGI client does not accept. test_route_table.py sends requests
    # without a key to every route.
    "ignored_auth": {"enabled": False},
    # A closed account can still be read, and the list of a sub-user's ended sessions is empty, not missing.
    "use_after_free": {"enabled": False},
    # Valid requests may also be refused because of state, such as a stale entity tag.
    "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "410", "412", "429"]},
    "negative_data_rejection": {
        "expected-statuses": ["400", "401", "403", "404", "405", "406", "409", "410", "412", "415", "422", "429"]
    },
}


INTENDED = {"POST /access/v1/evaluations: Schema-violating request accepted"}
"""Findings that are no faults: AuthZEN answers an invalid element of a batch with a refusal of that element."""


@dataclass
class Findings:
    """Result of a run: number of responses by operation and status, and all failures."""

    responses: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def request_count(self) -> int:
        return sum(self.responses.values())

    def successes(self) -> set[str]:
        """Return the operations that succeeded at least once."""
        return {operation for operation, status in self.responses if status < 400}

    def record(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.ScenarioFinished):
            self._record_scenario(event.recorder)
        elif isinstance(event, events.NonFatalError):
            self.failures[f"{event.label}: {event.value!r}"] = ""
        elif isinstance(event, events.FatalError):
            self.failures[repr(event.exception)] = ""

    def _record_scenario(self, recorder: ScenarioRecorder) -> None:
        for case_id, node in recorder.cases.items():
            interaction = recorder.interactions.get(case_id)
            if interaction is not None and interaction.response is not None:
                self.responses[node.value.operation.label, interaction.response.status_code] += 1
        for checks in recorder.checks.values():
            for check in checks:
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    name = f"{failure.operation}: {failure.title}"
                    if name in INTENDED:
                        continue
                    self.failures.setdefault(name, f"{failure.message}\n{check.failure_info.code_sample}")

    def __str__(self) -> str:
        """Return every failure with a way to reproduce it."""
        return "\n\n".join(f"{name}\n{details}" for name, details in self.failures.items())


class RequestDirector:
    """Hook that directs valid requests at existing resources, since generated ids rarely match any.

    Invalid requests keep their invalid part.
    """

    def __init__(self, clients: ApiClients) -> None:
        self._clients = clients
        self._begin_account()
        self._signed_position = clients.sign_checkpoint()
        self._sub_user: SubUser | None = None
        self._path_parameters: Mapping[str, Callable[[], dict[str, str]]] = {
            "close_account": self._new_account_parameters,
            "change_account": self._new_account_parameters,
            "change_sub_user_limit": self._new_account_parameters,
            "delete_sub_user": self._new_sub_user_parameters,
            "delete_role": self._new_role_parameters,
            "revoke_grant": self._new_grant_parameters,
            **dict.fromkeys(WEBHOOK_OPERATIONS, self._new_webhook_parameters),
        }
        self._adjustments: Mapping[str, Callable[[Case[Any]], None]] = {
            "change_own_password": self._with_new_session,
            "log_out": self._with_new_session,
            "log_in": self._with_credentials,
            "request_password_reset": _about_a_new_person,
            "complete_password_reset": self._with_new_link,
            "complete_invitation": self._with_new_invitation,
            "change_sub_user": _with_possible_credentials,
            "confirm_email_change": self._with_link_to_confirm,
            "undo_email_change": self._with_link_to_undo,
            "list_own_sessions": self._with_new_session,
            "end_other_sessions": self._with_new_session,
            "end_own_session": self._with_own_session,
            "end_session": self._with_own_session,
            "introspect_session": self._with_token,
            "list_session_resources": self._with_new_session,
            "list_second_factors": self._with_new_session,
            "create_totp_secret": self._with_new_session,
            "create_passkey_options": self._with_new_session,
            "create_second_factor": self._with_new_totp,
            "verify_second_factor": self._with_recovery_code,
            "create_second_factor_challenge": self._with_passkey,
            "create_recovery_codes": self._with_verified_session,
            "log_in_with_passkey": self._with_answer_of_passkey,
            "delete_second_factor": self._with_own_factor,
            "delete_second_factors_of_owner": _with_reason,
            "create_sub_user": _with_valid_grants,
            "grant_role": _with_valid_grants,
            "replace_grants": _with_valid_grants,
            "create_role": _with_grantable_permissions,
            "change_role": _with_grantable_permissions,
            "replace_permissions": _with_initial_permissions,
            "replace_activity_types": _with_consistent_activity_types,
            "list_access": _about_whole_resource,
            "search_subjects": self._in_account,
            "search_resources": _from_first_page,
            "evaluate_several": _with_complete_evaluations,
            "record_activities": self._about_sub_user,
            "record_usage": self._about_sub_user,
            "get_usage": _remove_days,
            "export_events": _export_as_csv,
            "export_account_events": _export_as_csv,
            "get_inclusion_proof": self._in_newest_tree,
            "get_consistency_proof": self._in_newest_tree,
            "create_webhook": self._with_valid_receiver,
            "replay_webhook": self._from_first_position,
        }

    def __call__(self, _: HookContext, case: Case[Any]) -> Case[Any]:
        """Return the case with ids, credentials and bodies that match existing resources."""
        if case.meta is None:
            return case
        name = case.operation.definition.raw["operationId"]
        ids = case.path_parameters
        if ids and all(map(is_uuid, ids.values())):
            in_scenario = case.meta.phase.name is TestPhase.STATEFUL and name not in self._adjustments
            if not (in_scenario and self._exists_or_existed(ids)):
                existing = self._path_parameters.get(name, self._shared_parameters)()
                case.path_parameters = {part: existing[part] for part in ids}
        if case.meta.generation.mode.is_positive:
            remove_state_dependent_values(case)
            if name in self._adjustments:
                self._adjustments[name](case)
        return case

    def _exists_or_existed(self, ids: dict[str, Any]) -> bool:
        """Return whether the resource that these ids name exists or existed."""
        if "webhook_id" in ids:
            return self._clients.portal.get(f"/v1/webhooks/{ids['webhook_id']}").status_code == 200
        sub_user_filter = {"sub_user_id": ids["sub_user_id"]} if "sub_user_id" in ids else {}
        log = self._clients.portal.get(
            f"/v1/accounts/{ids['account_id']}/audit-log", query_string={**sub_user_filter, "limit": 1}
        )
        return log.status_code == 200 and log.json["items"] != []  # type: ignore[index]

    def _new_account(self) -> Account:
        account = self._clients.register_account()
        body = {"sub_user_limit": 10_000, "reason": "for tests"}
        assert self._clients.support.put(f"{account.path}/sub-user-limit", json=body).status_code == 200
        return account

    def _usable_sub_user(self) -> SubUser:
        """Return a sub-user who can log in; create one if an earlier request disabled the last one.

        Each one is mailed credentials, some of them several times. Before the limit of the account's mails, the next
        one has a new account.
        """
        sub_user = self._sub_user
        if sub_user is None or not USABLE.items() <= sub_user.fetch().items():
            if len(self._account_sub_users) >= MAILS_PER_ACCOUNT // 2:
                self._begin_account()
            sub_user = self._sub_user = self._account.create_with_own_password()
            self._account_sub_users.append(sub_user)
        return sub_user

    def _begin_account(self) -> None:
        self._account = self._new_account()
        self._account_sub_users: list[SubUser] = []
        self._role_id = self._account.create_role()

    def _with_new_link(self, case: Case[Any]) -> None:
        """Use a link that was just mailed to a new sub-user."""
        account = self._clients.register_account()
        sub_user = account.create_with_own_password()
        self._clients.service.commands.password_resets.request(account.email, sub_user.email, PORTAL)
        token = mailed_token(deliver_mails(self._clients.service)[-1])
        case.body = {"token": token, "new_password": GOOD_PASSWORD}

    def _with_new_invitation(self, case: Case[Any]) -> None:
        """Use an invitation that was just mailed to a new sub-user."""
        sub_user = self._clients.register_account().create_sub_user()
        sub_user.change(status="active", credentials="link")
        token = mailed_token(deliver_mails(self._clients.service)[-1])
        case.body = {"token": token, "new_password": GOOD_PASSWORD}

    def _with_link_to_confirm(self, case: Case[Any]) -> None:
        """Use a link that was just mailed to the new e-mail of a new account."""
        account = self._clients.register_account()
        assert account.portal.patch(account.path, json={"email": f"new-{account.email}"}).status_code == 200
        case.body = {"token": mailed_token(deliver_mails(self._clients.service)[-1])}

    def _with_link_to_undo(self, case: Case[Any]) -> None:
        """Use a link that was just mailed to the former e-mail of a new account."""
        account = self._clients.register_account()
        changes = {"email": f"new-{account.email}", "email_verified": True}
        assert account.portal.patch(account.path, json=changes).status_code == 200
        case.body = {"token": mailed_token(deliver_mails(self._clients.service)[-1])}

    def _with_own_session(self, case: Case[Any]) -> None:
        """End a new session of the sub-user, as themselves or as the owner."""
        sub_user = self._usable_sub_user()
        token = sub_user.new_token()
        listed: Any = self._clients.portal.get("/v1/sessions", headers={"Session-Token": token}).json
        session_id = listed["items"][0]["session_id"]
        if "sub_user_id" in case.path_parameters:
            case.path_parameters = {**self._shared_parameters(), "session_id": session_id}
            case.path_parameters.pop("role_id")
            case.path_parameters.pop("factor_id")
        else:
            case.path_parameters = {"session_id": session_id}
            case.headers["Session-Token"] = token

    def _shared_parameters(self) -> dict[str, str]:
        return {
            "account_id": self._account.account_id,
            "sub_user_id": self._usable_sub_user().sub_user_id,
            "role_id": self._role_id,
            "factor_id": str(uuid4()),
            "session_id": str(uuid4()),
        }

    def _new_role_parameters(self) -> dict[str, str]:
        return {**self._shared_parameters(), "role_id": self._account.create_role()}

    def _new_grant_parameters(self) -> dict[str, str]:
        sub_user = self._usable_sub_user()
        (grant,) = sub_user.set_grants(
            {"role_id": str(OPERATOR), "expires_at": f"2099-01-01T00:00:{randrange(60):02}Z"}
        )
        return {**self._shared_parameters(), "grant_id": grant["grant_id"]}

    def _new_account_parameters(self) -> dict[str, str]:
        return {"account_id": self._clients.register_account().account_id}

    def _new_sub_user_parameters(self) -> dict[str, str]:
        return {**self._shared_parameters(), "sub_user_id": self._account.create_sub_user(password=None).sub_user_id}

    def _new_webhook_parameters(self) -> dict[str, str]:
        body = {"url": RECEIVER, "account_id": self._clients.register_account().account_id}
        created: Any = self._clients.portal.post("/v1/webhooks", json=body).json
        return {"webhook_id": created["webhook_id"]}

    def _with_new_session(self, case: Case[Any]) -> None:
        case.headers["Session-Token"] = self._usable_sub_user().new_token()
        if isinstance(case.body, dict):
            case.body |= {"current_password": OWN_PASSWORD, "new_password": GOOD_PASSWORD}
            self._sub_user = None

    def _new_session(self) -> OwnSession:
        """Return a session of a new sub-user, whose second factors no other request meets."""
        sub_user = self._clients.register_account().create_with_own_password()
        return OwnSession(self._clients.portal, sub_user.new_token())

    def _with_own_factor(self, case: Case[Any]) -> None:
        session = self._new_session()
        case.path_parameters = {"factor_id": session.add_totp().response["factor"]["factor_id"]}
        case.headers["Session-Token"] = session.token

    def _with_new_totp(self, case: Case[Any]) -> None:
        session = self._new_session()
        offer = session.offer_totp()
        case.headers["Session-Token"] = session.token
        case.body = {"challenge_id": offer["challenge_id"], "name": "My phone", "code": totp_code(offer["secret"])}

    def _with_recovery_code(self, case: Case[Any]) -> None:
        session = self._new_session()
        case.body = {"recovery_code": session.add_totp().recovery_codes[0]}
        case.headers["Session-Token"] = session.token

    def _with_verified_session(self, case: Case[Any]) -> None:
        session = self._new_session()
        session.add_totp()
        case.headers["Session-Token"] = session.token

    def _with_passkey(self, case: Case[Any]) -> None:
        session = self._new_session()
        session.add_passkey(Authenticator(self._clients.service.settings.public_url))
        case.headers["Session-Token"] = session.token

    def _with_answer_of_passkey(self, case: Case[Any]) -> None:
        authenticator = Authenticator(self._clients.service.settings.public_url)
        self._new_session().add_passkey(authenticator)
        challenge: Any = self._clients.portal.post("/v1/sessions/passkey-challenges").json
        case.body = {"challenge_id": challenge["challenge_id"], "passkey": authenticator.get(challenge["options"])}

    def _with_credentials(self, case: Case[Any]) -> None:
        case.body = {**self._usable_sub_user().credentials}

    def _with_token(self, case: Case[Any]) -> None:
        if isinstance(case.body, dict):
            case.body["token"] = self._usable_sub_user().new_token()
            if {"permission", "resource"} & set(case.body):
                case.body["permission"] = "assistants"

    def _in_account(self, case: Case[Any]) -> None:
        body: Any = case.body
        body["context"] = {"account_id": self._account.account_id}

    def _with_valid_receiver(self, case: Case[Any]) -> None:
        """Set an allowed URL and an existing account, which webhooks of portal keys need."""
        body: Any = case.body
        body |= {"url": RECEIVER, "account_id": self._clients.register_account().account_id, "after": 0}

    def _from_first_position(self, case: Case[Any]) -> None:
        body: Any = case.body
        body["after"] = 0

    def _in_newest_tree(self, case: Case[Any]) -> None:
        """Request proofs of the newest signed tree, and of an event in it."""
        if "position" in case.path_parameters:
            case.path_parameters["position"] = str(self._signed_position)
        for name in ("tree_size", "second"):
            case.query.pop(name, None)
        if "first" in case.query:
            case.query["first"] = 0

    def _about_sub_user(self, case: Case[Any]) -> None:
        body: Any = case.body
        sub_user_id = self._usable_sub_user().sub_user_id
        for report in body.get("activities") or body.get("usage") or [body]:
            report["sub_user_id"] = sub_user_id
            if "\\u0000" in json.dumps(report.get("details")):
                del report["details"]  # PostgreSQL stores no NUL, but no JSON Schema excludes it from names of members


def _with_possible_credentials(case: Case[Any]) -> None:
    """Name what a mail contains only together with the activation that mails it."""
    if isinstance(case.body, dict) and "credentials" in case.body:
        case.body = {**case.body, "status": "active"}
        case.body.pop("password", None)


def _with_valid_grants(case: Case[Any]) -> None:
    """Set roles and resource types that exist, and expiries in the future."""
    body: Any = case.body
    for grant in (body["grants"] or []) if "grants" in body else [body] if "role_id" in body else []:
        grant["role_id"] = str(OPERATOR)
        if grant.get("resource"):
            grant["resource"]["type"] = "assistant"
        if grant.get("expires_at"):
            grant["expires_at"] = "2099-01-01T00:00:00Z"


def _with_grantable_permissions(case: Case[Any]) -> None:
    """Set permissions of the catalogue, and a name that no other role has."""
    body: Any = case.body
    if "permissions" in body:
        body["permissions"] = body["permissions"] and ["assistants"]
    if "name" in body:
        body["name"] = uuid4().hex


def _with_initial_permissions(case: Case[Any]) -> None:
    """Keep the permissions of the initial catalogue, which other requests name."""
    body: Any = case.body
    initial = [asdict(permission) for permission in INITIAL_CATALOGUE.permissions]
    names = {permission["name"] for permission in initial}
    others = {permission["name"]: permission for permission in body["permissions"] if permission["name"] not in names}
    body["permissions"] = [*initial, *others.values()][:MAX_PERMISSIONS]
    body["remove_from_roles"] = True


def _with_consistent_activity_types(case: Case[Any]) -> None:
    """Give groups and types unique names, and types no unknown group."""
    body: Any = case.body
    groups = {group["name"]: group for group in body.get("groups", ())}
    types = {f"fuzz.{number}": activity_type for number, activity_type in enumerate(body["activity_types"])}
    body["groups"] = list(groups.values())
    body["activity_types"] = [
        {**activity_type, "action": action, "group": next(iter(groups), None)}
        for action, activity_type in types.items()
    ]


def _with_reason(case: Case[Any]) -> None:
    case.headers["X-Reason"] = "asked by phone"


def _about_whole_resource(case: Case[Any]) -> None:
    """Remove the type or the id of a resource that lacks the other."""
    if ("resource_type" in case.query) != ("resource_id" in case.query):
        for name in ("resource_type", "resource_id"):
            case.query.pop(name, None)


def _about_a_new_person(case: Case[Any]) -> None:
    """Ask for someone who has not been asked for: requests for one person are limited."""
    body: Any = case.body
    body["account_email"] = f"owner-{uuid4().hex}@company.example"


def _from_first_page(case: Case[Any]) -> None:
    body: Any = case.body
    (body.get("page") or {}).pop("token", None)


def _with_complete_evaluations(case: Case[Any]) -> None:
    """Set the parts that an evaluation may lack."""
    body: Any = case.body
    entity = {"type": "assistant", "id": "a-1"}
    body |= {"subject": entity, "action": {"name": "assistants"}, "resource": entity} | body


def remove_state_dependent_values(case: Case[Any]) -> None:
    """Remove values whose validity depends on state, and replace those that only JSON Schema allows.

    These are passwords that may be too common, addresses that its format `email` allows, such as `a@b`, and headers
    that are too long or no UTF-8 once they are decoded, times in the future, and deprecated parameters together with
    their replacements.
    """
    for name in ("cursor", "after", "wait"):
        case.query.pop(name, None)
    for deprecated in deprecated_names(Kind.QUERY_PARAMETER):
        if deprecated.replacement in case.query:
            case.query.pop(deprecated.name, None)
    if is_in_the_future(case.query.get("as_of")):
        del case.query["as_of"]
    _replace_headers(case)
    if isinstance(case.body, dict):
        for name in {"password", "new_password"} & set(case.body):
            case.body[name] = GOOD_PASSWORD
        if not is_deliverable(str(case.body.get("email", "a@example.com"))):
            case.body["email"] = f"{uuid4().hex}@example.com"
    _put_range_in_order(case)


def _replace_headers(case: Case[Any]) -> None:
    case.headers.pop("Last-Event-ID", None)
    if "Event-Position" in case.headers:
        case.headers["Event-Position"] = "1"
    if "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())
    if "X-Client-IP" in case.headers:
        case.headers["X-Client-IP"] = "203.0.113.7"
    for name in {"X-Actor", "X-Reason"} & set(case.headers):
        case.headers[name] = quote(str(case.headers[name])[:MAX_PERSON_LENGTH])


def _put_range_in_order(case: Case[Any]) -> None:
    """Swap `since` and `until` if they are reversed; remove `until` if they are equal."""
    try:
        since, until = (datetime.fromisoformat(str(case.query[name])) for name in ("since", "until"))
        is_reversed, is_empty = since > until, since == until
    except (KeyError, ValueError, TypeError):  # one is missing or deliberately invalid
        return
    if is_reversed:
        case.query["since"], case.query["until"] = case.query["until"], case.query["since"]
    if is_empty:
        del case.query["until"]


def _remove_days(case: Case[Any]) -> None:
    """Remove the days: their validity depends on each other and on today's date."""
    for name in ("since", "until"):
        case.query.pop(name, None)


def is_in_the_future(value: object) -> bool:
    """Return whether a value is a time after now."""
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC) > datetime.now(UTC)
    except (ValueError, OverflowError):
        return False


def _export_as_csv(case: Case[Any]) -> None:
    """Set the format that allows every option, if there is one."""
    if {"bom", "end_marker"} & set(case.query):
        case.query["format"] = "csv"


def is_uuid(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


def fuzz(
    clients: ApiClients,
    *,
    phases: set[str],
    examples: int,
    seed: int | None = None,
    path_pattern: str = "^/(v1|access)/",
) -> Findings:
    """Run Schemathesis on the operations whose path matches the pattern, and return its findings."""
    config = SchemathesisConfig.from_dict(
        {
            **({} if seed is None else {"seed": seed}),
            "generation": {
                "max-examples": examples,
                "database": "none",
                "allow-extra-parameters": False,  # an unknown header is not an error
            },
            "phases": {name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")},
            "checks": CHECKS,
            "continue-on-failure": True,
        }
    )
    all_operations = schemathesis.openapi.from_wsgi("/openapi.json", clients.app, config=config)
    schema = all_operations.include(path_regex=path_pattern)
    schema.hook("map_case")(RequestDirector(clients))
    schema.auth(refresh_interval=None)(auth_provider(clients))
    findings = Findings()
    lifted_limits: dict[str, Any] = dict.fromkeys(DOWNLOAD_LIMITS, 10**6)
    with patch.multiple(downloads, **lifted_limits):
        for event in from_schema(schema).execute():
            findings.record(event)
    return findings


def auth_provider(clients: ApiClients) -> Any:
    """Return a Schemathesis auth provider that sends a key with a scope that the operation accepts."""

    class Key:
        def get(self, case: Case[Any], _: AuthContext) -> str:
            scopes: list[str] = case.operation.definition.raw["x-scopes"]
            return clients.with_scope(Scope(scopes[0])).headers["Authorization"]

        def set(self, case: Case[Any], data: str, _: AuthContext) -> None:
            case.headers["Authorization"] = data

    return Key
