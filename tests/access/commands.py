"""Random commands on roles, grants, sub-users and the catalogue, and what each does to the plain model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from tests.access.model import OPERATOR, VIEWER, Given, Model, Resource, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

NAMES = ("a", "a.edit", "a.read", "b.edit", "reports", "owner.only")
"""Names of permissions. One is the beginning of others."""

TYPES = ("a", "b", None)
RESOURCES: tuple[Resource, ...] = (("a", "1"), ("a", "10"), ("a", "A"), ("a", "a"), ("b", "1"), ("c", "1"))
"""Resources that questions are about. Ids differ in case, and one begins with another. No permission has the type c."""

MAX_PEOPLE, MAX_OWN_ROLES, MAX_GRANTS = 4, 4, 8
MAX_MAILS = 4
"""Credentials mails to a person: the service sends no more than five in an hour."""


@dataclass(frozen=True)
class SetCatalogue:
    catalogue: Mapping[str, Rule]

    def apply(self, model: Model) -> None:
        model.set_catalogue(self.catalogue)


@dataclass(frozen=True)
class CreateRole:
    role: str
    permissions: frozenset[str]

    def apply(self, model: Model) -> None:
        model.roles[self.role] = self.permissions


@dataclass(frozen=True)
class ChangeRole(CreateRole):
    pass


@dataclass(frozen=True)
class DeleteRole:
    role: str

    def apply(self, model: Model) -> None:
        del model.roles[self.role]


@dataclass(frozen=True)
class AddPerson:
    person: str
    is_active: bool
    has_own_password: bool

    def apply(self, model: Model) -> None:
        model.add_person(self.person, is_active=self.is_active, has_own_password=self.has_own_password)


@dataclass(frozen=True)
class DeletePerson:
    person: str

    def apply(self, model: Model) -> None:
        model.delete_person(self.person)


@dataclass(frozen=True)
class Deactivate:
    person: str

    def apply(self, model: Model) -> None:
        model.people[self.person] = replace(model.people[self.person], is_active=False)


@dataclass(frozen=True)
class Activate:
    """Activate a sub-user, who gets a temporary password."""

    person: str
    chooses_password: bool

    def apply(self, model: Model) -> None:
        person = model.people[self.person]
        model.people[self.person] = replace(person, is_active=True, has_own_password=self.chooses_password)


@dataclass(frozen=True)
class ResetPassword:
    person: str

    def apply(self, model: Model) -> None:
        model.people[self.person] = replace(model.people[self.person], has_own_password=False)


@dataclass(frozen=True)
class LimitAccess:
    person: str
    ends: int | None

    def apply(self, model: Model) -> None:
        model.people[self.person] = replace(model.people[self.person], access_ends=self.ends)


@dataclass(frozen=True)
class Grant:
    name: str
    given: Given

    def apply(self, model: Model) -> None:
        model.grants[self.name] = self.given


@dataclass(frozen=True)
class Revoke:
    name: str

    def apply(self, model: Model) -> None:
        del model.grants[self.name]


@dataclass(frozen=True)
class ReplaceGrants:
    """Replace all grants of a sub-user. `kept` are names of grants that stay."""

    person: str
    kept: frozenset[str]
    new: Mapping[str, Given]

    def apply(self, model: Model) -> None:
        for name in model.grants_of(self.person):
            if name not in self.kept:
                del model.grants[name]
        model.grants.update(self.new)


@dataclass(frozen=True)
class Wait:
    seconds: int

    def apply(self, model: Model) -> None:
        model.now += self.seconds


@dataclass(frozen=True)
class CloseAccount:
    def apply(self, model: Model) -> None:
        model.is_closed = True


Command = (
    SetCatalogue
    | CreateRole
    | ChangeRole
    | DeleteRole
    | AddPerson
    | DeletePerson
    | Deactivate
    | Activate
    | ResetPassword
    | LimitAccess
    | Grant
    | Revoke
    | ReplaceGrants
    | Wait
    | CloseAccount
)


def random_catalogue(random: Random) -> dict[str, Rule]:
    """Return a catalogue with some of the names, in any order."""
    names = random.sample(NAMES, random.randint(2, len(NAMES)))
    return {
        name: Rule(random.choice(TYPES), is_reserved=random.random() < 0.15, is_reading=random.random() < 0.4)
        for name in names
    }


class RandomCommands:
    """Generates valid commands for the state of a model."""

    def __init__(self, random: Random, model: Model) -> None:
        self._random = random
        self._model = model
        self._numbers = count(1)
        self._mails: dict[str, int] = {}
        self._makers: dict[Callable[[], Command | None], int] = {
            self._wait: 6,
            self._set_catalogue: 2,
            self._create_role: 4,
            self._change_role: 3,
            self._delete_role: 1,
            self._add_person: 3,
            self._delete_person: 1,
            self._deactivate: 1,
            self._activate: 3,
            self._reset_password: 1,
            self._limit_access: 1,
            self._grant: 9,
            self._revoke: 4,
            self._replace_grants: 2,
        }

    def next(self) -> Command:
        """Return a command, and apply it to the model."""
        while True:
            (maker,) = self._random.choices(list(self._makers), list(self._makers.values()))
            command = maker()
            if command is not None:
                command.apply(self._model)
                return command

    def _wait(self) -> Command:
        """Wait for a while, or exactly until something expires."""
        now = self._model.now
        ends = [grant.ends for grant in self._model.grants.values() if grant.ends is not None]
        ends += [person.access_ends for person in self._model.people.values() if person.access_ends is not None]
        waits = [end - now for end in ends if end > now]
        return Wait(self._random.choice(waits) if waits and self._random.random() < 0.7 else self._random.randint(1, 5))

    def _set_catalogue(self) -> Command:
        return SetCatalogue(random_catalogue(self._random))

    def _create_role(self) -> Command | None:
        if len(self._model.roles) >= MAX_OWN_ROLES:
            return None
        return CreateRole(f"role {next(self._numbers)}", self._permissions())

    def _change_role(self) -> Command | None:
        roles = list(self._model.roles)
        return ChangeRole(self._random.choice(roles), self._permissions()) if roles else None

    def _delete_role(self) -> Command | None:
        used = {grant.role for grant in self._model.grants.values()}
        unused = [role for role in self._model.roles if role not in used]
        return DeleteRole(self._random.choice(unused)) if unused else None

    def _add_person(self) -> Command | None:
        if len(self._model.people) >= MAX_PEOPLE:
            return None
        person, is_active = f"person {next(self._numbers)}", self._random.random() < 0.9
        self._mails[person] = int(is_active)
        return AddPerson(person, is_active, has_own_password=is_active and self._random.random() < 0.9)

    def _delete_person(self) -> Command | None:
        person = self._person()
        return DeletePerson(person) if person is not None else None

    def _deactivate(self) -> Command | None:
        person = self._person()
        return Deactivate(person) if person is not None and self._model.people[person].is_active else None

    def _activate(self) -> Command | None:
        person = self._person()
        if person is None or self._model.people[person].is_active or not self._may_be_mailed(person):
            return None
        return Activate(person, chooses_password=self._random.random() < 0.8)

    def _reset_password(self) -> Command | None:
        person = self._person()
        if person is None or not self._model.people[person].is_active or not self._may_be_mailed(person):
            return None
        return ResetPassword(person)

    def _limit_access(self) -> Command | None:
        person = self._person()
        if person is None:
            return None
        return LimitAccess(person, self._end() if self._random.random() < 0.7 else None)

    def _grant(self) -> Command | None:
        person = self._person()
        if person is None or len(self._model.grants_of(person)) >= MAX_GRANTS:
            return None
        return Grant(f"grant {next(self._numbers)}", self._given(person))

    def _revoke(self) -> Command | None:
        grants = list(self._model.grants)
        return Revoke(self._random.choice(grants)) if grants else None

    def _replace_grants(self) -> Command | None:
        person = self._person()
        if person is None:
            return None
        kept = frozenset(name for name in self._model.grants_of(person) if self._may_keep(name))
        present = {self._model.grants[name] for name in self._model.grants_of(person)}
        given = {self._given(person) for _ in range(self._random.randint(0, 3))} - present
        new = {f"grant {next(self._numbers)}": grant for grant in sorted(given, key=repr)}
        return ReplaceGrants(person, kept, new)

    def _may_keep(self, name: str) -> bool:
        """Return whether a request can name a grant: it is in force, and no other one of the person is the same."""
        grants = self._model.grants
        same = [other for other in grants if grants[other] == grants[name]]
        in_force = grants[name].ends is None or (grants[name].ends or 0) > self._model.now
        return in_force and len(same) == 1 and self._random.random() < 0.7

    def _given(self, person: str) -> Given:
        role = self._random.choice([OPERATOR, VIEWER, *self._model.roles, *self._model.roles])
        possible = [resource for resource in RESOURCES if resource[0] in self._model.resource_types]
        resource = self._random.choice(possible) if possible and self._random.random() < 0.7 else None
        return Given(person, role, resource, self._end() if self._random.random() < 0.5 else None)

    def _permissions(self) -> frozenset[str]:
        grantable = sorted(self._model.grantable)
        return frozenset(self._random.sample(grantable, self._random.randint(0, len(grantable))))

    def _person(self) -> str | None:
        people = list(self._model.people)
        return self._random.choice(people) if people else None

    def _end(self) -> int:
        return self._model.now + self._random.randint(1, 20)

    def _may_be_mailed(self, person: str) -> bool:
        """Return whether a person has access now, and count the mail that they get."""
        ends = self._model.people[person].access_ends
        if self._mails[person] >= MAX_MAILS or (ends is not None and ends <= self._model.now):
            return False
        self._mails[person] += 1
        return True
