"""The plain model as policies of Cedar, an independent policy engine (https://www.cedarpolicy.com).

A grant is a policy that permits. What no grant can give is a policy that forbids. A role is a group of actions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cedarpy

from tests.access.model import OPERATOR, VIEWER, Given, Model, Resource

if TYPE_CHECKING:
    from collections.abc import Sequence

Question = tuple[str, str, "Resource | None"]
"""Person, permission, and resource: None is the account as a whole."""

RESERVED = "the owner's"
ACCOUNT = 'Account::"account"'


def decisions(model: Model, questions: Sequence[Question]) -> list[bool]:
    """Return the decisions of Cedar."""
    requests = [
        {
            "principal": _entity("Person", person),
            "action": _entity("Action", permission),
            "resource": ACCOUNT if resource is None else _entity("Resource", _resource_id(resource)),
            "context": {"now": model.now},
        }
        for person, permission, resource in questions
    ]
    resources = {resource for _, _, resource in questions if resource is not None}
    results = cedarpy.is_authorized_batch(requests, "\n".join(_policies(model)), _entities(model, resources))
    for result in results:
        assert not result.diagnostics.errors, result.diagnostics.errors
    return [result.decision is cedarpy.Decision.Allow for result in results]


def _policies(model: Model) -> list[str]:
    permits = [_permit(model, grant) for grant in model.grants.values()]
    forbids = [f"forbid(principal, action in {_entity('Action', RESERVED)}, resource);"]
    for name, rule in model.catalogue.items():
        applies = f"resource is Resource && resource.type == {json.dumps(rule.resource_type or '')}"
        action = _entity("Action", name)
        forbids.append(
            f"forbid(principal, action == {action}, resource) unless {{ resource is Account || {applies} }};"
        )
    for person, details in model.people.items():
        principal = f"principal == {_entity('Person', person)}"
        if not details.is_active or not details.has_own_password:
            forbids.append(f"forbid({principal}, action, resource);")
        if details.access_ends is not None:
            forbids.append(f"forbid({principal}, action, resource) when {{ context.now >= {details.access_ends} }};")
    if model.is_closed:
        forbids.append("forbid(principal, action, resource);")
    return [*permits, *forbids]


def _permit(model: Model, grant: Given) -> str:
    resource = "" if grant.resource is None else f" == {_entity('Resource', _resource_id(grant.resource))}"
    condition = "" if grant.ends is None else f" when {{ context.now < {grant.ends} }}"
    principal, role = _entity("Person", grant.person), _entity("Action", grant.role)
    return f"permit(principal == {principal}, action in {role}, resource{resource}){condition};"


def _entities(model: Model, resources: set[Resource]) -> list[dict[str, Any]]:
    actions = [
        {"uid": {"type": "Action", "id": name}, "attrs": {}, "parents": _groups(model, name)}
        for name in model.catalogue
    ]
    things = [
        {"uid": {"type": "Resource", "id": _resource_id(resource)}, "attrs": {"type": resource[0]}, "parents": []}
        for resource in resources
    ]
    return [*actions, *things]


def _groups(model: Model, permission: str) -> list[dict[str, str]]:
    rule = model.catalogue[permission]
    groups = [role for role, permissions in model.roles.items() if permission in permissions]
    groups += [OPERATOR, *([VIEWER] if rule.is_reading else []), *([RESERVED] if rule.is_reserved else [])]
    return [{"type": "Action", "id": group} for group in groups]


def _entity(entity_type: str, entity_id: str) -> str:
    return f"{entity_type}::{json.dumps(entity_id)}"


def _resource_id(resource: Resource) -> str:
    return " ".join(resource)
