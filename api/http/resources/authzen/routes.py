"""Routes of the AuthZEN Authorization API 1.0 of the OpenID Foundation.

A subject is a sub-user, an action a permission. The resource type `account` with the id of the sub-user's account is
the account as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from api.http.authentication import api_key, require_account, service
from api.http.resources.authzen.schemas import (
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
)
from api.http.responses import json_response
from api.http.routing import Routes
from application.commands.api_keys import Scope
from domain.access_decision import Decision, Question
from domain.permission_catalogue import ACCOUNT
from domain.roles import Resource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response

routes = Routes("authzen", "AuthZEN Authorization API 1.0")
DECISION, EVALUATIONS, CONFIGURATION = DecisionAnswer(), EvaluationsAnswer(), ConfigurationAnswer()
SUBJECTS, RESOURCES, ACTIONS = SubjectSearchAnswer(), ResourceSearchAnswer(), ActionSearchAnswer()
SUBJECT_TYPE = "sub_user"
PATH = "/access/v1"


@routes.route("POST", f"{PATH}/evaluation", Scope.PORTAL, body=Evaluation, response=(200, DecisionAnswer))
def evaluate(body: dict[str, Any]) -> Response:
    """Decide whether a sub-user may do something (AuthZEN Access Evaluation API)."""
    (decision,) = _decide([body])
    return json_response(DECISION.to_json(_decision(decision)))


@routes.route("POST", f"{PATH}/evaluations", Scope.PORTAL, body=Evaluations, response=(200, EvaluationsAnswer))
def evaluate_several(body: dict[str, Any]) -> Response:
    """Decide several questions (AuthZEN Access Evaluations API). Up to 100 in one request."""
    if not body["evaluations"]:
        (decision,) = _decide([body])
        return json_response(EVALUATIONS.to_json(_decision(decision)))
    defaults = {name: body[name] for name in ("subject", "action", "resource") if name in body}
    decisions = _decide([defaults | evaluation for evaluation in body["evaluations"]])
    semantic = body["options"].get("evaluations_semantic", EvaluationsSemantic.EXECUTE_ALL)
    return json_response(
        EVALUATIONS.to_json({"evaluations": list(map(_decision, _until_decided(decisions, semantic)))})
    )


@routes.route("POST", f"{PATH}/search/subject", Scope.PORTAL, body=SubjectSearch, response=(200, SubjectSearchAnswer))
def search_subjects(body: dict[str, Any]) -> Response:
    """Find the sub-users of an account who may do something (AuthZEN Subject Search API).

    The account is `account_id` in the context: ids of resources need not be unique across accounts.
    """
    account_id = body["context"]["account_id"]
    require_account(account_id)
    ids: Sequence[str] = []
    if body["subject"]["type"] == SUBJECT_TYPE:
        question = _question(account_id, body["action"], body["resource"])
        ids = [str(holder.sub_user_id) for holder in service().commands.access.holders(account_id, question)]
    page = {"next_token": "", "count": len(ids)}
    return json_response(
        SUBJECTS.to_json({"page": page, "results": [{"type": SUBJECT_TYPE, "id": id_} for id_ in ids]})
    )


@routes.route(
    "POST", f"{PATH}/search/resource", Scope.PORTAL, body=ResourceSearch, response=(200, ResourceSearchAnswer)
)
def search_resources(body: dict[str, Any]) -> Response:
    """Find the resources with which a sub-user may do something (AuthZEN Resource Search API).

    Only resources with a grant of their own are known here. If it is allowed with every resource of the type, the
    context has `all`, and there are no results.
    """
    access, permission, page = service().commands.access, body["action"]["name"], body["page"]
    sub_user_id = _sub_user_id(body["subject"])
    found = access.page_of_resources(sub_user_id, permission, page.get("limit", 200), page.get("token") or None)
    results = [resource for resource in found.items if resource.type == body["resource"]["type"]]
    applies = _applies_to(permission, body["resource"]["type"])
    next_token = found.next_cursor or ""
    return json_response(
        RESOURCES.to_json(
            {
                "page": {"next_token": next_token if applies else "", "count": len(results)},
                "context": {"all": found.all and applies},
                "results": results,
            }
        )
    )


@routes.route("POST", f"{PATH}/search/action", Scope.PORTAL, body=ActionSearch, response=(200, ActionSearchAnswer))
def search_actions(body: dict[str, Any]) -> Response:
    """Find what a sub-user may do with a resource (AuthZEN Action Search API)."""
    sub_user_id = _sub_user_id(body["subject"])
    account_id = service().commands.access.account_of(sub_user_id)
    resource = _resource(account_id, body["resource"])
    names = service().commands.access.permissions_of_sub_user(sub_user_id, resource)
    return json_response(ACTIONS.to_json({"results": [{"name": name} for name in names]}))


@routes.route("GET", "/.well-known/authzen-configuration", response=(200, ConfigurationAnswer))
def get_authzen_configuration() -> Response:
    """Get the metadata of this policy decision point."""
    url = service().settings.public_url
    return json_response(
        CONFIGURATION.to_json(
            {
                "policy_decision_point": url,
                "access_evaluation_endpoint": f"{url}{PATH}/evaluation",
                "access_evaluations_endpoint": f"{url}{PATH}/evaluations",
                "search_subject_endpoint": f"{url}{PATH}/search/subject",
                "search_resource_endpoint": f"{url}{PATH}/search/resource",
                "search_action_endpoint": f"{url}{PATH}/search/action",
            }
        )
    )


def _decide(evaluations: Sequence[dict[str, Any]]) -> list[Decision]:
    """Return the decisions on evaluations, in their order. Those about one sub-user are decided together."""
    access = service().commands.access
    by_subject: dict[tuple[str, str], list[int]] = {}
    for index, evaluation in enumerate(evaluations):
        by_subject.setdefault((evaluation["subject"]["type"], evaluation["subject"]["id"]), []).append(index)
    decisions: dict[int, Decision] = {}
    for indexes in by_subject.values():
        sub_user_id = _sub_user_id(evaluations[indexes[0]]["subject"])
        account_id = access.account_of(sub_user_id)
        questions = [
            _question(account_id, evaluations[index]["action"], evaluations[index]["resource"]) for index in indexes
        ]
        decisions |= zip(indexes, access.check_sub_user(sub_user_id, questions), strict=True)
    return [decisions[index] for index in range(len(evaluations))]


def _until_decided(decisions: Sequence[Decision], semantic: EvaluationsSemantic) -> Sequence[Decision]:
    """Return the decisions up to the one that decides by the semantic."""
    deciding = {EvaluationsSemantic.DENY_ON_FIRST_DENY: False, EvaluationsSemantic.PERMIT_ON_FIRST_PERMIT: True}
    for count, decision in enumerate(decisions, 1):
        if decision.is_allowed is deciding.get(semantic):
            return decisions[:count]
    return decisions


def _decision(decision: Decision) -> dict[str, Any]:
    grant = decision.grant
    context = {"missing": decision.missing} if grant is None else {"role_id": grant.role_id, "grant_id": grant.grant_id}
    return {"decision": decision.is_allowed, "context": context}


def _question(account_id: UUID | None, action: dict[str, str], resource: dict[str, str]) -> Question:
    return Question(action["name"], _resource(account_id, resource))


def _resource(account_id: UUID | None, resource: dict[str, str]) -> Resource | None:
    """Return the resource, None for the account as a whole."""
    if resource["type"] == ACCOUNT and resource["id"] == str(account_id):
        return None
    return Resource(resource["type"], resource["id"])


def _sub_user_id(subject: dict[str, str]) -> UUID:
    """Return the id of a subject, or an id that no sub-user has."""
    try:
        sub_user_id = UUID(subject["id"])
    except ValueError:
        return UUID(int=0)
    account_id = service().commands.access.account_of(sub_user_id)
    is_known = subject["type"] == SUBJECT_TYPE and account_id is not None
    return sub_user_id if is_known and api_key().allows_account(account_id) else UUID(int=0)


def _applies_to(permission: str, resource_type: str) -> bool:
    found = service().commands.catalogues.current().by_name.get(permission)
    return found is not None and found.resource_type == resource_type
