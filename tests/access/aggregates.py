"""Runs commands on the aggregate of an account, without a database."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid5

from domain.access_decision import AccessRules
from domain.event_metadata import ActorType, Ciphertext, EventMetadata
from domain.main_account import MainAccount
from domain.permission_catalogue import Permission, PermissionCatalogue
from domain.roles import OPERATOR as OPERATOR_ID
from domain.roles import VIEWER as VIEWER_ID
from domain.roles import Grant, Resource, Role
from domain.sub_user import SubUserEdit
from projections.history.past_access import apply_to_grants
from tests.access import commands
from tests.access.model import OPERATOR, VIEWER, Given, Model, default_grant_of, time_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from domain.events import Event
    from tests.access.model import Resource as ModelResource
    from tests.access.model import Rule

NAMESPACE = UUID("5b5e9ac4-3c3b-5d0e-9a55-7b6a4b0f0aff")
TEXT = Ciphertext("a text")
BY_OWNER = EventMetadata(ActorType.MAIN_ACCOUNT)


@cache
def id_of(name: str) -> UUID:
    """Return the id of a person, role or grant by its short name."""
    if name in {OPERATOR, VIEWER}:
        return OPERATOR_ID if name == OPERATOR else VIEWER_ID
    return uuid5(NAMESPACE, name.removeprefix(default_grant_of("")))  # a default grant has the id of its sub-user


def permissions_in(catalogue: Mapping[str, Rule]) -> tuple[Permission, ...]:
    """Return the permissions of a model's catalogue."""
    return tuple(
        Permission(name, rule.resource_type, rule.is_reserved, rule.is_reading) for name, rule in catalogue.items()
    )


def resource_of(resource: ModelResource | None) -> Resource | None:
    return Resource(*resource) if resource is not None else None


class AggregateExecutor:
    """An account in memory, with the catalogue."""

    def __init__(self, model: Model, name: str = "", revision: int = 1) -> None:
        """`name` makes the ids unique, and `revision` is that of the first catalogue."""
        self._name = name
        self.catalogue = PermissionCatalogue(revision, permissions_in(model.catalogue))
        self._now = model.now
        self.catalogue_changes = [(self.at, self.catalogue)]
        self.account = MainAccount.register(
            id_of(f"account{name}"),
            email=TEXT,
            email_hash="a hash",
            company_name=TEXT,
            language="en",
            at=self.at,
            metadata=BY_OWNER,
        )

    @property
    def at(self) -> datetime:
        return time_at(self._now)

    def id_of(self, name: str) -> UUID:
        """Return the id of a person, role or grant by its short name."""
        return id_of(name if name in {OPERATOR, VIEWER} else f"{name}{self._name}")

    def grants(self) -> dict[UUID, Grant]:
        """Return the grants that the events so far give."""
        grants: dict[UUID, Grant] = {}
        for event in self.account.pending_events:
            apply_to_grants(grants, cast("Event", event))
        return grants

    def rules(self) -> AccessRules:
        return AccessRules(self.catalogue, {role.role_id: role.permissions for role in self.account.roles.values()})

    def run(self, command: commands.Command) -> None:  # noqa: C901, PLR0912  # one case for each command
        account = self.account
        match command:
            case commands.Wait(seconds):
                self._now += seconds
            case commands.SetCatalogue(catalogue):
                replaced = PermissionCatalogue(self.catalogue.revision + 1, permissions_in(catalogue))
                withdrawn = set(self.catalogue.grantable) - set(replaced.grantable)
                self._do(account.withdraw_permissions, withdrawn)
                self.catalogue = replaced
                self.catalogue_changes.append((self.at, replaced))
            case commands.ChangeRole(role, permissions):
                self._do(account.change_role, self.id_of(role), permissions=permissions)
            case commands.CreateRole(role, permissions):
                self._do(account.create_role, Role(self.id_of(role), TEXT, TEXT, permissions), has_unique_name=True)
            case commands.DeleteRole(role):
                self._do(account.delete_role, self.id_of(role))
            case commands.AddPerson(person, is_active, has_own_password):
                names = {"email": TEXT, "email_hash": person, "name": TEXT, "surname": TEXT}
                self._do(account.create_sub_user, self.id_of(person), **names)
                if is_active:
                    self._activate(person, chooses_password=has_own_password)
            case commands.DeletePerson(person):
                self._do(account.delete_sub_user, self.id_of(person))
            case commands.Deactivate(person):
                self._edit(person, active=False)
            case commands.Activate(person, chooses_password):
                self._activate(person, chooses_password=chooses_password)
            case commands.ResetPassword(person):
                self._edit(person, new_password=True)
            case commands.LimitAccess(person, ends):
                self._edit(person, changes_expiry=True, access_expires_at=time_at(ends) if ends is not None else None)
            case commands.Grant(name, given):
                self._grant(name, given)
            case commands.Revoke(name):
                self._do(account.revoke_role, self.grants()[self.id_of(name)])
            case commands.ReplaceGrants(person, kept, new):
                kept_ids = set(map(self.id_of, kept))
                for grant in self.grants().values():
                    if grant.sub_user_id == self.id_of(person) and grant.grant_id not in kept_ids:
                        self._do(account.revoke_role, grant)
                for name, given in new.items():
                    self._grant(name, given)
            case commands.CloseAccount():
                self._do(account.close)

    def _grant(self, name: str, given: Given) -> None:
        ends = time_at(given.ends) if given.ends is not None else None
        grant = Grant(
            self.id_of(name), self.id_of(given.person), self.id_of(given.role), resource_of(given.resource), ends
        )
        self._do(self.account.grant_role, grant, None)

    def _activate(self, person: str, *, chooses_password: bool) -> None:
        self._edit(person, active=True)
        if chooses_password:
            self._do(self.account.change_own_password, self.id_of(person), self.id_of("session"))

    def _edit(self, person: str, **changes: Any) -> None:
        self._do(self.account.edit_sub_user, self.id_of(person), SubUserEdit(**changes))

    def _do(self, method: Any, *arguments: Any, **named: Any) -> None:
        method(*arguments, **named, at=self.at, metadata=BY_OWNER)
