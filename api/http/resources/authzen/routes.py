"""Routes of the AuthZEN Authorization API 1.0 of the OpenID Foundation.

A subject is a sub-user, an action a permission. The resource type `account` with the id of the sub-user's account is
the account as a whole.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

from api.http.authentication import api_key, require_account, service
from api.http.metrics import count_decisions
from api.http.problems import AUTHZEN_PATH
from api.http.resources.authzen.schemas import (
    DEFAULT_RESULTS,
    MAX_RESULTS,
    PARTS,
    ActionSearch,
    ActionSearchAnswer,
    ConfigurationAnswer,
    DecisionAnswer,
    Evaluation,
    Evaluations,
    EvaluationsAnswer,
    EvaluationsSemantic,
    ResourceSearch,
    ResourceSearchAnswer,
    SubjectSearch,
    SubjectSearchAnswer,
    missing_parts,
)
from api.http.responses import json_response
from api.http.routing import Routes
from application.commands.api_keys import Scope
from application.errors import InvalidValue
from domain.access_decision import Decision, Question
from domain.permission_catalogue import ACCOUNT
from domain.refusals import AccountNotFound
from domain.roles import Resource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response

routes = Routes("authzen", "AuthZEN Authorization API 1.0")
DECISION, EVALUATIONS, CONFIGURATION = DecisionAnswer(), EvaluationsAnswer(), ConfigurationAnswer()
SUBJECTS, RESOURCES, ACTIONS = SubjectSearchAnswer(), ResourceSearchAnswer(), ActionSearchAnswer()
SUBJECT_TYPE = "sub_user"
PATH = AUTHZEN_PATH
NOBODY = UUID(int=0)
"""Id that no sub-user and no account has."""


@dataclass(frozen=True)
class EvaluationError:
    """An element of a batch that is not valid. It counts as a denial."""

    errors: dict[str, Any]
    is_allowed: bool = False


@routes.route("POST", f"{PATH}evaluation", Scope.PORTAL, body=Evaluation, response=(200, DecisionAnswer))
def evaluate(body: dict[str, Any]) -> Response:
    """Decide whether a sub-user may do something (AuthZEN Access Evaluation API)."""
    (decision,) = _decide([body])
    return json_response(DECISION.to_json(_decision(decision)))


@routes.route("POST", f"{PATH}evaluations", Scope.PORTAL, body=Evaluations, response=(200, EvaluationsAnswer))
def evaluate_several(body: dict[str, Any]) -> Response:
    """Decide several questions (AuthZEN Access Evaluations API). Up to 100 in one request.

    The decision on an element that is not valid is false, with an error in its context.
    """
    if not body["evaluations"]:
        (decision,) = _decide([body])
        return json_response(EVALUATIONS.to_json(_decision(decision)))
    defaults = {name: body[name] for name in PARTS if name in body}
    decisions = _decide_valid([defaults | evaluation for evaluation in body["evaluations"]])
    semantic = body["options"].get("evaluations_semantic", EvaluationsSemantic.EXECUTE_ALL)
    return json_response(
        EVALUATIONS.to_json({"evaluations": list(map(_decision, _until_decided(decisions, semantic)))})
    )


@routes.route("POST", f"{PATH}search/subject", Scope.PORTAL, body=SubjectSearch, response=(200, SubjectSearchAnswer))
def search_subjects(body: dict[str, Any]) -> Response:
    """Find the sub-users of an account who may do something (AuthZEN Subject Search API).

    The account is `account_id` in the context: ids of resources need not be unique across accounts. It may be missing
    if the resource is an account, or the API key is allowed for one account only.
    """
    account_id = _account_to_search(body)
    require_account(account_id)
    ids: Sequence[str] = []
    if body["subject"]["type"] == SUBJECT_TYPE:
        question = _question(account_id, body["action"], body["resource"])
        with suppress(AccountNotFound):
            ids = [str(holder.sub_user_id) for holder in service().commands.access.holders(account_id, question)]
    page = {"next_token": "", "count": len(ids)}
    return json_response(
        SUBJECTS.to_json({"page": page, "results": [{"type": SUBJECT_TYPE, "id": id_} for id_ in ids]})
    )


@routes.route("POST", f"{PATH}search/resource", Scope.PORTAL, body=ResourceSearch, response=(200, ResourceSearchAnswer))
def search_resources(body: dict[str, Any]) -> Response:
    """Find the resources with which a sub-user may do something (AuthZEN Resource Search API).

    Only resources with a grant of their own are known here. If it is allowed with every resource of the type, the
    context has `all`, and there are no results.
    """
    page = body["page"]
    limit, token = min(page.get("limit", DEFAULT_RESULTS), MAX_RESULTS), page.get("token") or None
    account_id, sub_user_id = _find_sub_user(body["subject"])
    permission = body["action"]["name"]
    try:
        found = service().commands.access.page_of_resources(account_id, sub_user_id, permission, limit, token)
    except InvalidValue as error:
        raise InvalidValue("page.token", error.reason) from None
    applies = found.resource_type == body["resource"]["type"]
    results = found.items if applies else ()
    next_token = found.next_cursor if applies else None
    return json_response(
        RESOURCES.to_json(
            {
                "page": {"next_token": next_token or "", "count": len(results)},
                "context": {"all": found.all and applies},
                "results": results,
            }
        )
    )


@routes.route("POST", f"{PATH}search/action", Scope.PORTAL, body=ActionSearch, response=(200, ActionSearchAnswer))
def search_actions(body: dict[str, Any]) -> Response:
    """Find the permissions of a sub-user on a resource (AuthZEN Action Search API)."""
    account_id, sub_user_id = _find_sub_user(body["subject"])
    resource = _resource(account_id, body["resource"])
    names = service().commands.access.permissions_of_sub_user(account_id, sub_user_id, resource)
    return json_response(ACTIONS.to_json({"results": [{"name": name} for name in names]}))


@routes.route("GET", "/.well-known/authzen-configuration", response=(200, ConfigurationAnswer))
def get_authzen_configuration() -> Response:
    """Get the metadata of this policy decision point."""
    url = service().settings.public_url
    return json_response(
        CONFIGURATION.to_json(
            {
                "policy_decision_point": url,
                "access_evaluation_endpoint": f"{url}{PATH}evaluation",
                "access_evaluations_endpoint": f"{url}{PATH}evaluations",
                "search_subject_endpoint": f"{url}{PATH}search/subject",
                "search_resource_endpoint": f"{url}{PATH}search/resource",
                "search_action_endpoint": f"{url}{PATH}search/action",
            }
        )
    )


def _decide_valid(evaluations: Sequence[dict[str, Any]]) -> list[Decision | EvaluationError]:
    """Return the decisions on evaluations, in their order, and errors instead of decisions on invalid ones."""
    errors = [evaluation.get("errors") or missing_parts(evaluation) for evaluation in evaluations]
    valid = [evaluation for evaluation, error in zip(evaluations, errors, strict=True) if not error]
    decisions = iter(_decide(valid))
    return [EvaluationError(error) if error else next(decisions) for error in errors]


def _decide(evaluations: Sequence[dict[str, Any]]) -> list[Decision]:
    """Return the decisions on evaluations, in their order. Those about one sub-user are decided together."""
    access = service().commands.access
    by_subject: dict[tuple[str, str], list[int]] = {}
    for index, evaluation in enumerate(evaluations):
        by_subject.setdefault((evaluation["subject"]["type"], evaluation["subject"]["id"]), []).append(index)
    decisions: dict[int, Decision] = {}
    for indexes in by_subject.values():
        account_id, sub_user_id = _find_sub_user(evaluations[indexes[0]]["subject"])
        questions = [
            _question(account_id, evaluations[index]["action"], evaluations[index]["resource"]) for index in indexes
        ]
        decisions |= zip(indexes, access.check_sub_user(account_id, sub_user_id, questions), strict=True)
    count_decisions(decisions.values())
    return [decisions[index] for index in range(len(evaluations))]


def _until_decided(
    decisions: Sequence[Decision | EvaluationError], semantic: EvaluationsSemantic
) -> Sequence[Decision | EvaluationError]:
    """Return the decisions up to the one that decides by the semantic."""
    deciding = {EvaluationsSemantic.DENY_ON_FIRST_DENY: False, EvaluationsSemantic.PERMIT_ON_FIRST_PERMIT: True}
    for count, decision in enumerate(decisions, 1):
        if decision.is_allowed is deciding.get(semantic):
            return decisions[:count]
    return decisions


def _decision(decision: Decision | EvaluationError) -> dict[str, Any]:
    if isinstance(decision, EvaluationError):
        error = {"status": HTTPStatus.BAD_REQUEST, "message": json.dumps(decision.errors)}
        return {"decision": False, "context": {"error": error}}
    grant = decision.grant
    context: dict[str, Any] = {"missing": decision.missing}
    if grant is not None:
        context = {"role_id": grant.role_id, "grant_id": grant.grant_id}
    if decision.needs_second_factor:
        context["needs_second_factor"] = True
    return {"decision": decision.is_allowed, "context": context}


def _question(account_id: UUID | None, action: dict[str, str], resource: dict[str, str]) -> Question:
    return Question(action["name"], _resource(account_id, resource))


def _resource(account_id: UUID | None, resource: dict[str, str]) -> Resource | None:
    """Return the resource, None for the account as a whole."""
    if resource["type"] == ACCOUNT and resource["id"] == str(account_id):
        return None
    return Resource(resource["type"], resource["id"])


def _find_sub_user(subject: dict[str, str]) -> tuple[UUID | None, UUID]:
    """Return the account and the id of a subject. The account is None if the key is allowed for none that has it."""
    sub_user_id = _uuid(subject["id"])
    if sub_user_id is None or subject["type"] != SUBJECT_TYPE:
        return None, NOBODY
    account_id = service().commands.access.account_of(sub_user_id)
    return account_id if api_key().allows_account(account_id) else None, sub_user_id


def _account_to_search(body: dict[str, Any]) -> UUID:
    """Return the account whose sub-users are searched. Raises a problem."""
    if "account_id" in body["context"]:
        account_id: UUID = body["context"]["account_id"]
        return account_id
    if body["resource"]["type"] == ACCOUNT:
        return _uuid(body["resource"]["id"]) or NOBODY
    accounts = api_key().limits.accounts or ()
    if len(accounts) != 1:
        raise InvalidValue("context.account_id", "Missing data for required field.")
    (only_account,) = accounts
    return only_account


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
