# Generated from ../_async/access.py by tools/generate_sync.py. Do not edit.
"""Requests about access: who may do something, and AuthZEN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from subusers_client._sync.accounts import path_of as path_of_account
from subusers_client._sync.pagination import page
from subusers_client.decoding import decode_json, decode_value, encode
from subusers_client.errors import UnexpectedResponse
from subusers_client.requests import Request
from subusers_client.role_models import AllowedResources, Decision, Evaluation, Holder, Resource, reference_to

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from subusers_client._sync.transport import Transport

AUTHZEN = "/access/v1"


class Access:
    """Who may do something, now or in the past."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def holders(
        self,
        *,
        account_id: UUID | str,
        permission: str,
        resource: Resource | None = None,
        as_of: datetime | None = None,
    ) -> tuple[Holder, ...]:
        """Return the sub-users who have a permission, on a resource or on everything. `as_of` is a time in the past."""
        query = {
            "permission": permission,
            "resource_type": None if resource is None else resource.type,
            "resource_id": None if resource is None else resource.id,
            "as_of": as_of,
        }
        request = Request(method="GET", path=f"{path_of_account(account_id)}/access", query=query)
        return (page(self._transport, Holder, request)).items


class Authzen:
    """The AuthZEN Authorization API 1.0. For the account as a whole, the resource is `account_as_a_whole(…)`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def evaluate(self, *, sub_user_id: UUID | str, permission: str, resource: Resource) -> Decision:
        """Return whether a sub-user may do something with a resource, and why. It needs no session."""
        body = _evaluation(Evaluation(sub_user_id=sub_user_id, permission=permission, resource=resource))
        return decode_value(Decision, self._ask("evaluation", body))

    def evaluate_several(
        self, *, evaluations: Iterable[Evaluation], semantic: str = "execute_all"
    ) -> tuple[Decision, ...]:
        """Return the decisions on up to 100 questions, in their order.

        With the `semantic` `deny_on_first_deny` or `permit_on_first_permit`, the decision that decides is the last one.
        """
        bodies = [_evaluation(evaluation) for evaluation in evaluations]
        if not bodies:
            return ()
        body = {"evaluations": bodies, "options": {"evaluations_semantic": semantic}}
        answer = self._ask("evaluations", body)
        return tuple(decode_value(Decision, decision) for decision in _list_in(answer, "evaluations"))

    def search_subjects(self, *, account_id: UUID | str, permission: str, resource: Resource) -> tuple[str, ...]:
        """Return the ids of the sub-users of an account who may do something with a resource."""
        body = {
            "subject": {"type": "sub_user"},
            "action": {"name": permission},
            "resource": reference_to(resource),
            "context": {"account_id": account_id},
        }
        found = [decode_value(Resource, subject) for subject in _list_in(self._ask("search/subject", body))]
        return tuple(subject.id for subject in found)

    def search_resources(self, *, sub_user_id: UUID | str, permission: str, resource_type: str) -> AllowedResources:
        """Return the resources of a type with which a sub-user may do something. All pages are requested."""
        body: dict[str, Any] = {
            "subject": _subject(sub_user_id),
            "action": {"name": permission},
            "resource": {"type": resource_type},
        }
        resources: list[Resource] = []
        while True:
            answer = self._ask("search/resource", body)
            resources += [decode_value(Resource, resource) for resource in _list_in(answer)]
            token = answer.get("page", {}).get("next_token")
            if not token:
                return AllowedResources(all=answer["context"]["all"] is True, items=tuple(resources))
            body["page"] = {"token": token}

    def search_actions(self, *, sub_user_id: UUID | str, resource: Resource) -> tuple[str, ...]:
        """Return the permissions that a sub-user has on a resource."""
        body = {"subject": _subject(sub_user_id), "resource": reference_to(resource)}
        return tuple(str(action["name"]) for action in _list_in(self._ask("search/action", body)))

    def _ask(self, route: str, body: dict[str, Any]) -> Any:
        request = Request(
            method="POST",
            path=f"{AUTHZEN}/{route}",
            body=encode(body),
            time_limit=self._transport.settings.introspection_time_limit,
        )
        return decode_json((self._transport.send(request)).body)


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "subject": _subject(evaluation.sub_user_id),
        "action": {"name": evaluation.permission},
        "resource": reference_to(evaluation.resource),
    }


def _subject(sub_user_id: UUID | str) -> dict[str, Any]:
    return {"type": "sub_user", "id": sub_user_id}


def _list_in(answer: Any, name: str = "results") -> list[Any]:
    if not isinstance(answer, dict) or not isinstance(answer.get(name), list):
        raise UnexpectedResponse(f"the response has no {name}")
    items: list[Any] = answer[name]
    return items
