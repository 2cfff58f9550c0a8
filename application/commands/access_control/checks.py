"""Checks of access: whether a session or a sub-user may do something, who may, and with which resources.

Everything that decides is read as of one moment, so that no answer mixes two states.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from application.errors import TooBusy
from application.repository import ATTEMPTS
from domain.access_decision import AccessRules, Decision, Missing, Question
from domain.assurance_level import AssuranceLevel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from application.commands.access_control.catalogue import PermissionCatalogues
    from application.commands.access_control.grant_store import AccessState, GrantStore
    from application.pagination_cursors import Cursors
    from application.ports.clock import Clock
    from application.ports.sessions import Session
    from application.ports.vault import Vault
    from application.repository import MainAccounts
    from domain.main_account import MainAccount
    from domain.permission_catalogue import PermissionCatalogue
    from domain.roles import Grant, Resource
    from domain.sub_user import SubUser


@dataclass(frozen=True)
class CheckedSession:
    """An active session, its permissions on everything, and a decision for each question."""

    session: Session
    catalogue: PermissionCatalogue
    permissions: tuple[str, ...]
    decisions: Sequence[Decision]

    @property
    def step_up_required(self) -> bool:
        """Whether the session, or something that it was asked about, needs a second factor that it has not proved."""
        return self.session.step_up_required or any(
            decision.missing is Missing.SECOND_FACTOR for decision in self.decisions
        )

    def has_level_for(self, permission: str) -> bool:
        """Return whether the level of the session is enough for a permission."""
        found = self.catalogue.by_name.get(permission)
        required_level = AssuranceLevel.PASSWORD if found is None else found.required_level
        return not self.session.step_up_required and self.session.assurance.meets(required_level)


@dataclass(frozen=True)
class AllowedResources:
    """The resources of a permission's type that a sub-user may use: all, or those listed, sorted by id."""

    all: bool = False
    resource_type: str | None = None
    resources: Sequence[Resource] = ()


@dataclass(frozen=True)
class ResourcePage:
    """A page of allowed resources of a permission's type."""

    all: bool
    resource_type: str | None
    items: Sequence[Resource]
    next_cursor: str | None


@dataclass(frozen=True)
class Abilities:
    """Everything that a sub-user may do: the permissions on everything, and further ones on single resources.

    `missing` is what they lack to do anything at all, None if nothing. Otherwise the permissions are those that they
    would have.
    """

    missing: Missing | None
    catalogue: PermissionCatalogue
    on_everything: tuple[str, ...]
    on_resources: Mapping[Resource, tuple[str, ...]]


@dataclass(frozen=True)
class SubUserAccess:
    """What decides about the access of a sub-user at one time."""

    rules: AccessRules
    grants: Sequence[Grant]
    at: datetime


@dataclass(frozen=True)
class Holder:
    """A sub-user who may do something, by a grant."""

    sub_user_id: UUID
    grant: Grant


class AccessChecks:
    """Checks of access."""

    def __init__(
        self,
        accounts: MainAccounts,
        vault: Vault,
        grants: GrantStore,
        catalogues: PermissionCatalogues,
        clock: Clock,
        cursors: Cursors,
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._grants = grants
        self._catalogues = catalogues
        self._clock = clock
        self._cursors = cursors

    def check_session(self, token_hash: bytes, questions: Sequence[Question]) -> CheckedSession | None:
        """Return a session if it is active, with a decision for each question, and record its use."""
        at = self._clock()
        resources = [question.resource for question in questions if question.resource is not None]
        access = self._grants.of_session(token_hash, at, resources)
        if access is None:
            return None
        session, grants = access.session, access.state.grants
        rules = replace(self._rules(access.state), level=session.assurance)
        if session.assurance.is_restricted or session.step_up_required:
            missing = Missing.OWN_PASSWORD if session.assurance.is_restricted else Missing.SECOND_FACTOR
            return CheckedSession(session, rules.catalogue, (), [Decision(missing=missing) for _ in questions])
        permissions = rules.permissions_on_everything(grants, at)
        decisions = rules.decide_each(questions, grants, at)
        return CheckedSession(session, rules.catalogue, permissions, decisions)

    def check_sub_user(
        self, account_id: UUID | None, sub_user_id: UUID, questions: Sequence[Question]
    ) -> list[Decision]:
        """Return a decision for each question about a sub-user. An unknown one (of no account) has no access."""
        resources = [question.resource for question in questions if question.resource is not None]
        access = self._access_of(account_id, sub_user_id, resources)
        if isinstance(access, Missing):
            return [Decision(missing=access) for _ in questions]
        return access.rules.decide_each(questions, access.grants, access.at)

    def resources_of_sub_user(self, account_id: UUID | None, sub_user_id: UUID, permission: str) -> AllowedResources:
        """Return the resources for which a sub-user has a permission."""
        if account_id is None:
            return AllowedResources()
        for _ in range(ATTEMPTS):
            catalogue = self._catalogues.current()
            found = catalogue.by_name.get(permission)
            resource_type = found.resource_type if found is not None else None
            account, state = self._consistent(
                account_id, partial(self._grants.of_sub_user_by_type, account_id, sub_user_id, resource_type)
            )
            if state.catalogue_revision == catalogue.revision:  # the catalogue that has this resource type
                break
        else:
            raise TooBusy
        at = self._clock()
        if missing_of_sub_user(account, sub_user_id, at) is not None:
            return AllowedResources(resource_type=resource_type)
        rules = self._rules(state)
        if rules.decide(Question(permission), state.grants, at).is_allowed:
            return AllowedResources(all=True, resource_type=resource_type)
        allowed = [
            resource
            for resource, grants in _grants_by_resource(state.grants).items()
            if rules.decide(Question(permission, resource), grants, at).is_allowed
        ]
        allowed.sort(key=lambda resource: resource.id)
        return AllowedResources(resource_type=resource_type, resources=allowed)

    def page_of_resources(
        self, account_id: UUID | None, sub_user_id: UUID, permission: str, limit: int, cursor: str | None
    ) -> ResourcePage:
        """Return a page of the resources for which a sub-user has a permission. Raises `InvalidValue`."""
        scope = ["resources", str(sub_user_id), permission]
        after = "" if cursor is None else str(self._cursors.read(scope, cursor)[0])
        allowed = self.resources_of_sub_user(account_id, sub_user_id, permission)
        remaining = [resource for resource in allowed.resources if resource.id > after]
        items = remaining[:limit]
        last = items[-1].id if items else after
        next_cursor = self._cursors.write(scope, [last]) if len(remaining) > limit else None
        return ResourcePage(allowed.all, allowed.resource_type, items, next_cursor)

    def permissions_of_sub_user(
        self, account_id: UUID | None, sub_user_id: UUID, resource: Resource | None
    ) -> list[str]:
        """Return the permissions that a sub-user has on a resource, or on everything (None), in display order."""
        access = self._access_of(account_id, sub_user_id, [resource] if resource is not None else [])
        if isinstance(access, Missing):
            return []
        return [
            name
            for name in access.rules.catalogue.grantable
            if access.rules.decide(Question(name, resource), access.grants, access.at).is_allowed
        ]

    def abilities_of_sub_user(self, account_id: UUID, sub_user_id: UUID) -> Abilities:
        """Return everything that a sub-user may do, also if they have no access at present.

        The resources are sorted by type and id. Raises `SubUserNotFound`.
        """
        account, state = self._consistent(account_id, lambda: self._grants.of_sub_user_in_full(account_id, sub_user_id))
        account.sub_user(sub_user_id)
        at, rules = self._clock(), self._rules(state)
        on_everything = rules.permissions_on_everything(state.grants, at)
        on_resources = {
            resource: tuple(
                permission.name
                for permission in rules.catalogue.permissions
                if permission.resource_type == resource.type
                and permission.name not in on_everything
                and rules.decide(Question(permission.name, resource), grants, at).is_allowed
            )
            for resource, grants in _grants_by_resource(state.grants).items()
        }
        return Abilities(
            missing_of_sub_user(account, sub_user_id, at),
            rules.catalogue,
            on_everything,
            {
                resource: on_resources[resource]
                for resource in sorted(on_resources, key=lambda resource: (resource.type, resource.id))
                if on_resources[resource]
            },
        )

    def holders(self, account_id: UUID, question: Question) -> list[Holder]:
        """Return the sub-users of an account who may do something, by the time of their creation."""
        account, state = self._consistent(account_id, lambda: self._grants.of_account(account_id, question.resource))
        return holders(account, self._rules(state), state.grants, question, self._clock())

    def account_of(self, sub_user_id: UUID) -> UUID | None:
        """Return the account of a sub-user; None if there is no such sub-user."""
        entry = self._vault.entries([sub_user_id]).get(sub_user_id)
        return entry.account_id if entry is not None and entry.account_id != sub_user_id else None

    def _access_of(
        self, account_id: UUID | None, sub_user_id: UUID, resources: Sequence[Resource]
    ) -> SubUserAccess | Missing:
        """Return what decides about a sub-user's access to resources, or what they lack to have any access."""
        if account_id is None:
            return Missing.ACCESS
        read = partial(self._grants.of_sub_user, account_id, sub_user_id, resources)
        account, state = self._consistent(account_id, read)
        at = self._clock()
        missing = missing_of_sub_user(account, sub_user_id, at)
        return missing if missing is not None else SubUserAccess(self._rules(state), state.grants, at)

    def _consistent(self, account_id: UUID, read: Callable[[], AccessState]) -> tuple[MainAccount, AccessState]:
        """Return an account and the state of its grants at the same version. Raises `TooBusy`."""
        for _ in range(ATTEMPTS):
            account, state = self._accounts.load(account_id), read()
            if state.account_version == account.version:
                return account, state
        raise TooBusy

    def _rules(self, state: AccessState) -> AccessRules:
        return AccessRules(self._catalogues.of_revision(state.catalogue_revision), state.role_permissions)


def missing_of_sub_user(account: MainAccount, sub_user_id: UUID, at: datetime) -> Missing | None:
    """Return the part that a sub-user lacks for any access, None if there is none."""
    sub_user: SubUser | None = account.sub_users.get(sub_user_id)
    if sub_user is None or account.access_refusal(sub_user, at) is not None:
        return Missing.ACCESS
    return Missing.OWN_PASSWORD if sub_user.must_change_password else None


def _grants_by_resource(grants: Iterable[Grant]) -> dict[Resource, list[Grant]]:
    """Return the grants that cover each resource: those on it and those on everything.

    Deciding about every resource by all grants would take a time that grows with their square.
    """
    on_everything = [grant for grant in grants if grant.resource is None]
    grants_by_resource: dict[Resource, list[Grant]] = {}
    for grant in grants:
        if grant.resource is not None:
            grants_by_resource.setdefault(grant.resource, list(on_everything)).append(grant)
    return grants_by_resource


def holders(
    account: MainAccount, rules: AccessRules, grants: Sequence[Grant], question: Question, at: datetime
) -> list[Holder]:
    """Return the sub-users who may do something at a time, by the time of their creation."""
    found = []
    for sub_user_id in account.sub_users:
        if missing_of_sub_user(account, sub_user_id, at) is None:
            own_grants = [grant for grant in grants if grant.sub_user_id == sub_user_id]
            decision = rules.decide(question, own_grants, at)
            if decision.grant is not None:
                found.append(Holder(sub_user_id, decision.grant))
    return found
