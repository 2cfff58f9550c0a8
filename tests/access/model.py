"""Plain model of roles and grants: what commands mean, without events, tables or the service's decisions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATOR, VIEWER = "operator", "viewer"
BEGINNING = datetime(2001, 1, 1, tzinfo=UTC)
"""Time 0 of a model. Its times are in seconds since then."""

ACCOUNT_AS_A_WHOLE = None
Resource = tuple[str, str]
"""Type and id."""


def time_at(seconds: int) -> datetime:
    """Return the time of a model's time."""
    return BEGINNING + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Rule:
    """A permission of the catalogue."""

    resource_type: str | None
    is_reserved: bool = False
    is_reading: bool = False


@dataclass(frozen=True)
class Person:
    """A sub-user."""

    is_active: bool
    has_own_password: bool
    access_ends: int | None = None

    def has_access(self, now: int) -> bool:
        return self.is_active and self.has_own_password and (self.access_ends is None or self.access_ends > now)


@dataclass(frozen=True)
class Given:
    """A grant."""

    person: str
    role: str
    resource: Resource | None = None
    ends: int | None = None


@dataclass
class Model:
    """The state of one account and the catalogue. People, roles and grants have short names."""

    catalogue: Mapping[str, Rule]
    now: int = 0
    is_closed: bool = False
    roles: dict[str, frozenset[str]] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    grants: dict[str, Given] = field(default_factory=dict)

    @property
    def grantable(self) -> set[str]:
        return {name for name, rule in self.catalogue.items() if not rule.is_reserved}

    @property
    def resource_types(self) -> set[str]:
        return {rule.resource_type for rule in self.catalogue.values() if rule.resource_type is not None}

    def grants_of(self, person: str) -> list[str]:
        return [name for name, grant in self.grants.items() if grant.person == person]

    def copy(self) -> Model:
        return replace(self, roles=dict(self.roles), people=dict(self.people), grants=dict(self.grants))

    def set_catalogue(self, catalogue: Mapping[str, Rule]) -> None:
        withdrawn = self.grantable
        self.catalogue = catalogue
        withdrawn -= self.grantable
        self.roles = {role: permissions - withdrawn for role, permissions in self.roles.items()}

    def add_person(self, person: str, *, has_own_password: bool, is_active: bool) -> None:
        self.people[person] = Person(is_active, has_own_password)
        self.grants[default_grant_of(person)] = Given(person, OPERATOR)

    def delete_person(self, person: str) -> None:
        del self.people[person]
        self.grants = {name: grant for name, grant in self.grants.items() if grant.person != person}

    def is_allowed(self, person: str, permission: str, resource: Resource | None) -> bool:
        """Decide by the rules as prose says them. Cedar decides by policies, and the service by `AccessRules`."""
        rule = self.catalogue.get(permission)
        if self.is_closed or person not in self.people or not self.people[person].has_access(self.now):
            return False
        if rule is None or rule.is_reserved or (resource is not None and resource[0] != rule.resource_type):
            return False
        for name in self.grants_of(person):
            grant = self.grants[name]
            in_force = grant.ends is None or grant.ends > self.now
            if in_force and grant.resource in {None, resource} and self._role_has(grant.role, permission):
                return True
        return False

    def _role_has(self, role: str, permission: str) -> bool:
        if role == OPERATOR:
            return True
        return self.catalogue[permission].is_reading if role == VIEWER else permission in self.roles[role]


def default_grant_of(person: str) -> str:
    """Return the name of the grant that a new sub-user has."""
    return f"default of {person}"
