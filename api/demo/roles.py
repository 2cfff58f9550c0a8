"""The demo's own roles: an account manager for single assistants, and a consultant for a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from api.demo import people
from api.demo.company import DEMO_CONTEXT
from application.commands.access_control import NewGrant
from domain.roles import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.demo.company import Company, CreatedSubUser
    from api.demo.people import Person

CONSULTANT_DAYS = 30
"""Days until the consultant's role ends."""

FRONT_DESK, OPENING_HOURS = Resource("assistant", "asst-1041"), Resource("assistant", "asst-1042")
"""Assistants. Sub-users report activities on those with these names."""

PRICE_LIST = Resource("rag_collection", "coll-2026")


def create_roles(company: Company, created: Mapping[Person, CreatedSubUser]) -> None:
    """Create two roles, and give each to a sub-user instead of the role Operator on everything."""
    roles = company.service.commands.roles
    account_manager = roles.create(
        company.account_id,
        DEMO_CONTEXT,
        name="Account manager",
        description="Looks after the assistants of some clients",
        permissions=frozenset({"assistants", "tools", "statistics", "reports"}),
    ).value
    consultant = roles.create(
        company.account_id,
        DEMO_CONTEXT,
        name="Consultant",
        description="Helps with a project from outside, for a limited time",
        permissions=frozenset({"assistants", "rag_collections"}),
    ).value
    expires_at = company.service.clock() + timedelta(days=CONSULTANT_DAYS)
    _give(
        company,
        created[people.ACCOUNT_MANAGER],
        "Manages the calls of these clients",
        NewGrant(account_manager.role_id, FRONT_DESK, "Front desk"),
        NewGrant(account_manager.role_id, OPENING_HOURS, "Opening hours"),
    )
    _give(
        company,
        created[people.CONSULTANT],
        "New price list",
        NewGrant(consultant.role_id, FRONT_DESK, "Front desk", expires_at),
        NewGrant(consultant.role_id, PRICE_LIST, "Price list 2026", expires_at),
    )


def _give(company: Company, sub_user: CreatedSubUser, reason: str, *grants: NewGrant) -> None:
    context = replace(DEMO_CONTEXT, reason=reason)
    company.service.commands.grants.replace(company.account_id, sub_user.sub_user_id, grants, context)
