"""Commands on roles and grants that only the console uses, and the report of everything that a sub-user may do."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING

import pytest

from application.commands.access_control import NewGrant
from application.errors import InvalidValue
from domain.access_decision import AccessRules, Missing, Question
from domain.refusals import GrantLimitReached, RoleHasChanged, RoleNameTaken, SubUserNotFound
from domain.roles import OPERATOR, VIEWER, Resource
from tests.builders import PORTAL, Company, event_types

if TYPE_CHECKING:
    from uuid import UUID

    from api.bootstrap.service import Service
    from application.commands.access_control import RoleDetails
    from tests.builders import SubUserHandle
    from tests.conftest import TravelingClock

ONE, OTHER, TOOL = Resource("assistant", "a-1"), Resource("assistant", "a-2"), Resource("tool", "a-1")


def create_role(company: Company, *permissions: str, name: str = "Editor") -> RoleDetails:
    roles = company.service.commands.roles
    return roles.create(company.account_id, PORTAL, name=name, permissions=frozenset(permissions)).value


def add(sub_user: SubUserHandle, *grants: NewGrant) -> int | None:
    """Add grants, and return the position of the last event."""
    company = sub_user.company
    return company.service.commands.grants.add(company.account_id, sub_user.sub_user_id, grants, PORTAL).position


def replace(sub_user: SubUserHandle, *grants: NewGrant) -> None:
    company = sub_user.company
    company.service.commands.grants.replace(company.account_id, sub_user.sub_user_id, grants, PORTAL)


def grants_of(sub_user: SubUserHandle) -> set[tuple[UUID, str | None]]:
    """Return role and resource id of the sub-user's grants."""
    company = sub_user.company
    grants = company.service.commands.grants.list(company.account_id, sub_user.sub_user_id)
    return {(grant.role_id, grant.resource.id if grant.resource else None) for grant in grants}


def test_several_grants_are_added_or_none(company: Company) -> None:
    sub_user = company.create_sub_user()
    role = create_role(company, "assistants")
    before = event_types(company)

    with pytest.raises(InvalidValue):
        add(sub_user, NewGrant(role.role_id, ONE), NewGrant(role.role_id, Resource("no such type", "a-2")))
    assert event_types(company) == before

    add(sub_user, NewGrant(role.role_id, ONE), NewGrant(role.role_id, OTHER))
    assert grants_of(sub_user) == {(OPERATOR, None), (role.role_id, "a-1"), (role.role_id, "a-2")}


def test_adding_the_same_grants_again_records_nothing(company: Company, service: Service) -> None:
    """Grants with another end or another name of the resource are not the same."""
    sub_user = company.create_sub_user()
    grant = NewGrant(VIEWER, ONE, "Front desk")
    assert add(sub_user, grant, grant) is not None
    assert len(grants_of(sub_user)) == 2

    assert add(sub_user, grant) is None
    assert add(sub_user, NewGrant(OPERATOR)) is None
    assert add(sub_user, NewGrant(VIEWER, ONE, "Reception")) is not None
    assert add(sub_user, NewGrant(VIEWER, ONE, "Front desk", service.clock() + timedelta(days=1))) is not None


def test_added_grants_respect_the_limit(
    company: Company, service: Service, clock: TravelingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expired grants make place for others."""
    for module in ("application.commands.access_control.grants", "domain.main_account"):
        monkeypatch.setattr(f"{module}.MAX_GRANTS", 3)
    sub_user = company.create_sub_user()
    expiring = NewGrant(VIEWER, ONE, expires_at=service.clock() + timedelta(hours=1))
    add(sub_user, expiring, NewGrant(VIEWER, OTHER))

    with pytest.raises(GrantLimitReached):
        add(sub_user, NewGrant(VIEWER))
    clock.advance(hours=2)
    add(sub_user, NewGrant(VIEWER))
    assert grants_of(sub_user) == {(OPERATOR, None), (VIEWER, "a-2"), (VIEWER, None)}


def test_a_role_that_has_changed_is_not_overwritten(company: Company, service: Service) -> None:
    roles, account_id = service.commands.roles, company.account_id
    role = create_role(company, "assistants")
    roles.change(account_id, role.role_id, PORTAL, permissions=frozenset({"tools"}))

    with pytest.raises(RoleHasChanged):
        roles.change(account_id, role.role_id, PORTAL, name="Author", if_fingerprint=role.fingerprint)
    current = roles.get(account_id, role.role_id)
    assert (current.name, current.permissions) == ("Editor", ("tools",))
    roles.change(account_id, role.role_id, PORTAL, name="Author", if_fingerprint=current.fingerprint)
    assert roles.get(account_id, role.role_id).name == "Author"


@pytest.mark.parametrize(
    "changes", [{"name": "Author"}, {"description": "Writes"}, {"permissions": frozenset({"tools"})}]
)
def test_fingerprint_changes_with_each_part_of_a_role(
    company: Company, service: Service, changes: dict[str, object]
) -> None:
    role = create_role(company, "assistants")
    changed = service.commands.roles.change(company.account_id, role.role_id, PORTAL, **changes).value  # type: ignore[arg-type]
    assert changed.fingerprint != role.fingerprint
    assert service.commands.roles.get(company.account_id, role.role_id).fingerprint == changed.fingerprint


def test_holders_of_a_role_are_listed(company: Company, service: Service) -> None:
    role = create_role(company, "assistants")
    first, other = company.create_sub_user(), company.create_sub_user()
    replace(first, NewGrant(role.role_id, ONE), NewGrant(role.role_id, OTHER))

    assert service.commands.roles.holders(company.account_id, role.role_id) == [first.sub_user_id]
    assert service.commands.roles.holders(company.account_id, OPERATOR) == [other.sub_user_id]
    with pytest.raises(RoleNameTaken):
        create_role(company, name="editor")


def test_abilities_are_the_decisions_of_the_checks(company: Company, service: Service, clock: TravelingClock) -> None:
    """For every permission, on everything and on every resource, with roles of all kinds."""
    sub_user = company.create_with_own_password()
    editor = create_role(company, "assistants", "reports")
    toolmaker = create_role(company, "tools", "rag_collections", name="Toolmaker")
    soon = service.clock() + timedelta(hours=1)
    grants = [
        NewGrant(editor.role_id, ONE, "Front desk"),
        NewGrant(toolmaker.role_id, ONE),
        NewGrant(toolmaker.role_id, TOOL, expires_at=soon),
        NewGrant(OPERATOR, OTHER, expires_at=soon),
        NewGrant(toolmaker.role_id, expires_at=soon + timedelta(hours=1)),
        NewGrant(VIEWER),
    ]
    for count, hours in product(range(len(grants) + 1), (0, 2)):
        replace(sub_user, *(grant for grant in grants[:count] if grant.expires_at is None or hours == 0))
        clock.advance(hours=hours)
        require_abilities_equal_checks(service, company, sub_user)
        clock.advance(hours=-hours)


def require_abilities_equal_checks(service: Service, company: Company, sub_user: SubUserHandle) -> None:
    access = service.commands.access
    abilities = access.abilities_of_sub_user(company.account_id, sub_user.sub_user_id)
    assert abilities.missing is None
    names = [permission.name for permission in abilities.catalogue.permissions]
    for resource in (None, ONE, OTHER, TOOL):
        decisions = access.check_sub_user(
            company.account_id, sub_user.sub_user_id, [Question(name, resource) for name in names]
        )
        checked = {name for name, decision in zip(names, decisions, strict=True) if decision.is_allowed}
        if resource is None:
            assert set(abilities.on_everything) == checked
        else:
            of_type = {name for name in names if abilities.catalogue.by_name[name].resource_type == resource.type}
            reported = {*abilities.on_everything, *abilities.on_resources.get(resource, ())}
            assert reported & of_type == checked


def test_abilities_report_what_is_missing(company: Company, service: Service) -> None:
    """They include what the sub-user could do with access."""
    access = service.commands.access
    sub_user = company.create_sub_user()

    def abilities() -> tuple[Missing | None, tuple[str, ...]]:
        result = access.abilities_of_sub_user(company.account_id, sub_user.sub_user_id)
        return result.missing, result.on_everything

    everything = ("assistants", "tools", "rag_collections", "statistics", "reports")
    assert abilities() == (Missing.ACCESS, everything)
    sub_user.change(active=True)
    assert abilities() == (Missing.OWN_PASSWORD, everything)
    sub_user.choose_password("a password of my own")
    assert abilities() == (None, everything)


def test_abilities_of_sub_users_of_another_account_are_refused(company: Company, service: Service) -> None:
    foreign = Company.register(service).create_sub_user()
    with pytest.raises(SubUserNotFound):
        service.commands.access.abilities_of_sub_user(company.account_id, foreign.sub_user_id)


def test_many_resources_are_decided_in_one_pass(
    company: Company, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each decision sees only the grants that cover its resource, not all of them."""
    sub_user = company.create_with_own_password()
    role = create_role(company, "assistants")
    count = 200
    replace(sub_user, *(NewGrant(role.role_id, Resource("assistant", f"a-{number:03}")) for number in range(count)))
    considered = 0
    decide = AccessRules.decide

    def counted(self: object, question: Question, grants: list[object], at: object) -> object:
        nonlocal considered
        considered += len(grants)
        return decide(self, question, grants, at)  # type: ignore[arg-type]

    monkeypatch.setattr(AccessRules, "decide", counted)
    allowed = service.commands.access.resources_of_sub_user(company.account_id, sub_user.sub_user_id, "assistants")
    assert len(allowed.resources) == count
    assert considered < 5 * count
    considered = 0
    abilities = service.commands.access.abilities_of_sub_user(company.account_id, sub_user.sub_user_id)
    assert len(abilities.on_resources) == count
    assert considered < 10 * count
