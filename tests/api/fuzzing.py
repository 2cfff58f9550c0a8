"""Requests that Schemathesis makes up from the OpenAPI document, some of them aimed at what is there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import schemathesis
from email_validator import EmailNotValidError, validate_email
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.generation.meta import TestPhase

from application.api_keys import Scope
from projections.freshness import Freshness
from tests.api.callers import OWN, Account, SubUser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schemathesis import AuthContext, Case, HookContext
    from schemathesis.engine.recorder import ScenarioRecorder

    from tests.api.callers import Doors

GOOD_PASSWORD = "seven wet umbrellas under a lamp"
RECEIVER = "https://receiver.example/hook"
OF_WEBHOOKS = (
    *("show_webhook", "delete_webhook", "add_webhook_secret", "replay_webhook", "enable_webhook"),
    "list_webhook_deliveries",
)
USABLE = {"status": "active", "must_change_password": False, "locked": False, "access_expires_at": None}
"""What is shown of a sub-user who may log in with a password of their own."""


def can_be_mailed(address: str) -> bool:
    try:
        validate_email(address, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        return False
    return True


# Not all that has the form of an address is one: some domains lead nowhere by decree (RFC 6761).
schemathesis.openapi.format("email", st.emails().filter(can_be_mailed))

CHECKS: dict[str, Any] = {
    # It repeats requests with options that the WSGI client does not take; test_route_table.py leaves the key out on
    # every route.
    "ignored_auth": {"enabled": False},
    # A closed account can still be read, and a list of sessions that were ended is empty, not gone.
    "use_after_free": {"enabled": False},
    # Besides what is accepted: whether a tag is the present one is for the state to say, not for the document.
    "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "412", "429"]},
    "negative_data_rejection": {
        "expected-statuses": ["400", "401", "403", "404", "405", "406", "409", "412", "415", "422", "429"]
    },
}


@dataclass
class Findings:
    """What came of a run: how many answers of each status, and everything that was wrong with any."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        return sum(self.answers.values())

    def successes(self) -> set[str]:
        """Return the operations that succeeded at least once."""
        return {operation for operation, status in self.answers if status < 400}

    def note(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.ScenarioFinished):
            self._note_scenario(event.recorder)
        elif isinstance(event, events.NonFatalError):
            self.failures[f"{event.label}: {event.value!r}"] = ""
        elif isinstance(event, events.FatalError):
            self.failures[repr(event.exception)] = ""

    def _note_scenario(self, recorder: ScenarioRecorder) -> None:
        for case_id, node in recorder.cases.items():
            interaction = recorder.interactions.get(case_id)
            if interaction is not None and interaction.response is not None:
                self.answers[node.value.operation.label, interaction.response.status_code] += 1
        for checks in recorder.checks.values():
            for check in checks:
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    name = f"{failure.operation}: {failure.title}"
                    self.failures.setdefault(name, f"{failure.message}\n{check.failure_info.code_sample}")

    def __str__(self) -> str:
        """Return every failure with how to repeat it."""
        return "\n\n".join(f"{name}\n{how}" for name, how in self.failures.items())


class Aim:
    """Directs good requests at what is there: a made-up id, key or cursor seldom is of anything.

    Bad ones keep what is bad about them.
    """

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._account = self._new_account()
        self._signed = signed_position(doors)
        self._sub_user: SubUser | None = None
        self._paths: Mapping[str, Callable[[], dict[str, str]]] = {
            "close_account": self._new_account_s_path,
            "change_account": self._new_account_s_path,
            "raise_sub_user_limit": self._new_account_s_path,
            "delete_sub_user": self._new_sub_user_s_path,
            **dict.fromkeys(OF_WEBHOOKS, self._new_webhook_s_path),
        }
        self._parts: Mapping[str, Callable[[Case[Any]], None]] = {
            "change_own_password": self._at_new_session,
            "log_out": self._at_new_session,
            "log_in": self._with_credentials,
            "introspect": self._with_token,
            "record_activities": self._about_sub_user,
            "record_usage": self._about_sub_user,
            "show_usage": _of_these_days,
            "prove_event": self._in_newest_tree,
            "prove_consistency": self._in_newest_tree,
            "create_webhook": self._to_receiver,
            "replay_webhook": self._from_the_beginning,
        }

    def __call__(self, _: HookContext, case: Case[Any]) -> Case[Any]:
        """Return the case, directed."""
        if case.meta is None:
            return case
        name = case.operation.definition.raw["operationId"]
        ids = case.path_parameters
        if ids and all(map(is_uuid, ids.values())):
            in_scenario = case.meta.phase.name is TestPhase.STATEFUL and name not in self._parts
            if not (in_scenario and self._is_from_an_answer(ids)):
                there = self._paths.get(name, self._path)()
                case.path_parameters = {part: there[part] for part in ids}
        if case.meta.generation.mode.is_positive:
            without_what_depends(case)
            if name in self._parts:
                self._parts[name](case)
        return case

    def _is_from_an_answer(self, ids: dict[str, Any]) -> bool:
        """Say whether there ever was what these ids name."""
        if "webhook_id" in ids:
            return self._doors.portal.get(f"/v1/webhooks/{ids['webhook_id']}").status_code == 200
        told = {"sub_user_id": ids["sub_user_id"]} if "sub_user_id" in ids else {}
        log = self._doors.portal.get(f"/v1/accounts/{ids['account_id']}/audit-log", query_string={**told, "limit": 1})
        return log.status_code == 200 and log.json["items"] != []  # type: ignore[index]

    def _new_account(self) -> Account:
        account = self._doors.account()
        body = {"limit": 10_000, "reason": "to try things on"}
        assert self._doors.support.put(f"{account.path}/sub-user-limit", json=body).status_code == 200
        return account

    def _living(self) -> SubUser:
        """Return a sub-user who may log in with a password of their own; requests may have seen to the last one."""
        one = self._sub_user
        if one is None or not USABLE.items() <= one.shown().items():
            one = self._sub_user = self._account.let_in_settled()
        return one

    def _path(self) -> dict[str, str]:
        return {"account_id": self._account.account_id, "sub_user_id": self._living().sub_user_id}

    def _new_account_s_path(self) -> dict[str, str]:
        return {"account_id": self._doors.account().account_id}

    def _new_sub_user_s_path(self) -> dict[str, str]:
        return {**self._path(), "sub_user_id": self._account.let_in(password=None).sub_user_id}

    def _new_webhook_s_path(self) -> dict[str, str]:
        body = {"url": RECEIVER, "account_id": self._doors.account().account_id}
        made: Any = self._doors.portal.post("/v1/webhooks", json=body).json
        return {"webhook_id": made["webhook_id"]}

    def _at_new_session(self, case: Case[Any]) -> None:
        case.headers["Session-Token"] = self._living().token()
        if isinstance(case.body, dict):
            case.body |= {"current_password": OWN, "new_password": GOOD_PASSWORD}
            self._sub_user = None

    def _with_credentials(self, case: Case[Any]) -> None:
        case.body = {**self._living().credentials}

    def _with_token(self, case: Case[Any]) -> None:
        if isinstance(case.body, dict):
            case.body["token"] = self._living().token()

    def _to_receiver(self, case: Case[Any]) -> None:
        """Have it be one that events may be sent to, of an account: that is what a portal key is asked for."""
        body: Any = case.body
        body |= {"url": RECEIVER, "account_id": self._doors.account().account_id, "after": 0}

    def _from_the_beginning(self, case: Case[Any]) -> None:
        body: Any = case.body
        body["after"] = 0

    def _in_newest_tree(self, case: Case[Any]) -> None:
        """Ask of the tree that was signed last, for an event in it: there is none of a made-up size or position."""
        if "position" in case.path_parameters:
            case.path_parameters["position"] = str(self._signed)
        for name in ("tree_size", "second"):
            case.query.pop(name, None)
        if "first" in case.query:
            case.query["first"] = 0

    def _about_sub_user(self, case: Case[Any]) -> None:
        body: Any = case.body
        sub_user_id = self._living().sub_user_id
        for report in body.get("activities") or body.get("usage") or [body]:
            report["sub_user_id"] = sub_user_id


def without_what_depends(case: Case[Any]) -> None:
    """Leave out what is good or not by what was answered before, and passwords that everybody would choose."""
    for name in ("cursor", "after", "wait"):
        case.query.pop(name, None)
    case.headers.pop("Last-Event-ID", None)
    if "Event-Position" in case.headers:
        case.headers["Event-Position"] = "1"
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())
    if isinstance(case.body, dict):
        for name in {"password", "new_password"} & set(case.body):
            case.body[name] = GOOD_PASSWORD


def signed_position(doors: Doors) -> int:
    """Have what there is be signed, and return the position of an event that is."""
    Freshness(doors.service.database).of_view("merkle-tree")
    doors.service.checkpointer.make_now()
    newest = doors.service.checkpoints.newest()
    assert newest is not None
    return newest.position


def _of_these_days(case: Case[Any]) -> None:
    """Leave out the days: which ones are good depends on today, and on each other."""
    for name in ("since", "until"):
        case.query.pop(name, None)


def is_uuid(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


def fuzz(doors: Doors, *, phases: set[str], examples: int, seed: int | None = None, only: str = "^/v1/") -> Findings:
    """Have Schemathesis try the operations whose path matches, and return what it found."""
    config = SchemathesisConfig.from_dict(
        {
            **({} if seed is None else {"seed": seed}),
            "generation": {
                "max-examples": examples,
                "database": "none",
                "allow-extra-parameters": False,  # a header that a route does not know is nothing wrong
            },
            "phases": {name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")},
            "checks": CHECKS,
            "continue-on-failure": True,
        }
    )
    whole = schemathesis.openapi.from_wsgi("/openapi.json", doors.app, config=config)
    schema = whole.include(path_regex=only)
    schema.hook("map_case")(Aim(doors))
    schema.auth(refresh_interval=None)(key_for(doors))
    findings = Findings()
    for event in from_schema(schema).execute():
        findings.note(event)
    return findings


def key_for(doors: Doors) -> Any:
    """Return what gives each request a key of a scope that its operation opens to."""

    class Key:
        def get(self, case: Case[Any], _: AuthContext) -> str:
            scopes: list[str] = case.operation.definition.raw["x-scopes"]
            return doors.with_scope(Scope(scopes[0])).headers["Authorization"]

        def set(self, case: Case[Any], data: str, _: AuthContext) -> None:
            case.headers["Authorization"] = data

    return Key
