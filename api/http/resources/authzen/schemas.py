"""Schemas of the AuthZEN Authorization API 1.0 (https://openid.net/specs/authorization-api-1_0.html).

Unknown fields and `properties` are ignored, as the specification demands.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from api.http.fields.texts import NO_NUL
from api.http.response_bodies import ResponseBody
from domain.access_decision import Missing

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = ("subject", "action", "resource")
"""Parts of an evaluation."""

MAX_EVALUATIONS = 100
DEFAULT_RESULTS, MAX_RESULTS = 200, 1000
MAX_TEXT_LENGTH = 1000


class EvaluationsSemantic(StrEnum):
    """When to stop evaluating the elements of a request."""

    EXECUTE_ALL = "execute_all"
    DENY_ON_FIRST_DENY = "deny_on_first_deny"
    PERMIT_ON_FIRST_PERMIT = "permit_on_first_permit"


class Identifier(fields.String):
    """An identifier of the client's. PostgreSQL cannot store NUL, and UTF-8 has no unpaired surrogates."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(1, MAX_TEXT_LENGTH), metadata={"pattern": NO_NUL}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if any(character == "\0" or unicodedata.category(character) == "Cs" for character in text):
            msg = "must not contain NUL or unpaired surrogates"
            raise ValidationError(msg)
        return text


class AuthzenRequest(Schema):
    """Base of AuthZEN requests."""

    class Meta:
        unknown = EXCLUDE


class EntityType(AuthzenRequest):
    """Type of the entities to find."""

    type = Identifier(required=True)


class Entity(EntityType):
    """A subject or a resource."""

    id = Identifier(required=True)


class Action(AuthzenRequest):
    """An action: the name of a permission."""

    name = Identifier(required=True)


class Page(AuthzenRequest):
    """Which part of a search result to return."""

    token = fields.String(load_default="", validate=validate.Length(0, 2000))
    limit = fields.Integer(
        load_default=DEFAULT_RESULTS,
        strict=True,
        validate=validate.Range(0),
        metadata={"description": f"Maximum number of results, at most {MAX_RESULTS} of which are returned."},
    )


class AccountContext(AuthzenRequest):
    """Context of a search for subjects."""

    account_id = fields.UUID(
        metadata={
            "description": "The account whose sub-users are searched. Default: the resource if it is an account, else "
            "the only account for which the API key is allowed."
        }
    )


class Evaluation(AuthzenRequest):
    """A request for a decision."""

    subject = fields.Nested(Entity, required=True)
    action = fields.Nested(Action, required=True)
    resource = fields.Nested(Entity, required=True)


class PartialEvaluation(AuthzenRequest):
    """An element of a request for several decisions. What it lacks is that of the whole request."""

    subject = fields.Nested(Entity)
    action = fields.Nested(Action)
    resource = fields.Nested(Entity)


class BatchElement(fields.Nested):
    """An element of a request for several decisions. An invalid one is loaded as its errors: the others count."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        try:
            return super()._deserialize(value, attr, data, **kwargs)
        except ValidationError as error:
            return {"errors": error.messages}


class EvaluationsOptions(AuthzenRequest):
    """Options of a request for several decisions."""

    evaluations_semantic = fields.Enum(EvaluationsSemantic, by_value=True, load_default=EvaluationsSemantic.EXECUTE_ALL)


class Evaluations(PartialEvaluation):
    """A request for several decisions. Without `evaluations`, it is a request for one."""

    evaluations = fields.List(
        BatchElement(PartialEvaluation), load_default=list, validate=validate.Length(0, MAX_EVALUATIONS)
    )
    options = fields.Nested(EvaluationsOptions, load_default=dict)

    @validates_schema
    def require_complete_evaluation(self, data: Any, **_: Any) -> None:
        """Refuse a request without `evaluations` that lacks a part."""
        if not data["evaluations"] and (errors := missing_parts(data)):
            raise ValidationError(errors)


def missing_parts(evaluation: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return messages for the parts that an evaluation lacks."""
    return {name: ["Missing data for required field."] for name in PARTS if name not in evaluation}


class SubjectSearch(AuthzenRequest):
    """A search for the sub-users of an account who may do something."""

    subject = fields.Nested(EntityType, required=True)
    action = fields.Nested(Action, required=True)
    resource = fields.Nested(Entity, required=True)
    context = fields.Nested(AccountContext, load_default=dict)
    page = fields.Nested(Page, load_default=dict)


class ResourceSearch(AuthzenRequest):
    """A search for the resources with which a sub-user may do something."""

    subject = fields.Nested(Entity, required=True)
    action = fields.Nested(Action, required=True)
    resource = fields.Nested(EntityType, required=True)
    page = fields.Nested(Page, load_default=dict)


class ActionSearch(AuthzenRequest):
    """A search for the permissions of a sub-user on a resource."""

    subject = fields.Nested(Entity, required=True)
    resource = fields.Nested(Entity, required=True)


class ErrorAnswer(ResponseBody):
    """Why an evaluation failed."""

    status = fields.Integer(required=True)
    message = fields.String(required=True)


class DecisionContext(ResponseBody):
    """Why a decision was made: the grant and its role, what is missing, or an error in an element of a batch."""

    role_id = fields.UUID()
    grant_id = fields.UUID()
    missing = fields.String(validate=validate.OneOf(list(Missing)))
    error = fields.Nested(ErrorAnswer)
    needs_second_factor = fields.Boolean(
        metadata={"description": "True if only a session that has verified a second factor may do it."}
    )


class DecisionAnswer(ResponseBody):
    """A decision."""

    decision = fields.Boolean(required=True)
    context = fields.Nested(DecisionContext, required=True)


class EvaluationsAnswer(ResponseBody):
    """Decisions, in the order of the request. To a request without `evaluations`, one decision."""

    decision = fields.Boolean()
    context = fields.Nested(DecisionContext)
    evaluations = fields.List(fields.Nested(DecisionAnswer))


class FoundEntity(ResponseBody):
    """A subject or a resource that was found."""

    type = fields.String(required=True)
    id = fields.String(required=True)


class FoundAction(ResponseBody):
    """An action that was found."""

    name = fields.String(required=True)


class PageAnswer(ResponseBody):
    """The place of the page in the search result."""

    next_token = fields.String(required=True)
    count = fields.Integer(required=True)


class SearchContext(ResponseBody):
    """What holds for the whole result."""

    all = fields.Boolean(
        required=True,
        metadata={"description": "Whether it is allowed with every resource of the type. Then `results` is empty."},
    )


class SubjectSearchAnswer(ResponseBody):
    """Subjects that were found."""

    page = fields.Nested(PageAnswer, required=True)
    results = fields.List(fields.Nested(FoundEntity), required=True)


class ResourceSearchAnswer(ResponseBody):
    """Resources that were found."""

    page = fields.Nested(PageAnswer, required=True)
    context = fields.Nested(SearchContext, required=True)
    results = fields.List(fields.Nested(FoundEntity), required=True)


class ActionSearchAnswer(ResponseBody):
    """Actions that were found."""

    results = fields.List(fields.Nested(FoundAction), required=True)


class ConfigurationAnswer(ResponseBody):
    """Metadata of the policy decision point."""

    policy_decision_point = fields.Url(required=True)
    access_evaluation_endpoint = fields.Url(required=True)
    access_evaluations_endpoint = fields.Url(required=True)
    search_subject_endpoint = fields.Url(required=True)
    search_resource_endpoint = fields.Url(required=True)
    search_action_endpoint = fields.Url(required=True)
