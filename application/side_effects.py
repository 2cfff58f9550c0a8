"""Side effects committed together with each event: ended sessions, deleted keys, roles and grants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.transactional_writes import (
    AddGrant,
    AddRole,
    CloseAccountSessions,
    ClosePersonSessions,
    CloseSession,
    DeleteLinks,
    EraseDataKey,
    ForgetAccountPasswords,
    LimitSessions,
    LockPermissionCatalogue,
    RemoveAccountFromDirectory,
    RemoveAccountWebhooks,
    RemoveGrant,
    RemoveGrantsOfSubUser,
    RemoveRole,
    RemoveRolesOfAccount,
    RemoveSecondFactor,
    RemoveSecondFactorsOfPerson,
    RequireSecondFactor,
    SetRolePermissions,
    TransactionalWrite,
)
from domain import events
from domain.mails import LinkPurpose
from domain.roles import default_grant
from domain.second_factor import SecondFactorPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

SESSION_ENDING_EVENTS = (
    events.SubUserActivated,
    events.SubUserDeactivated,
    events.SubUserPasswordReset,
    events.SubUserPasswordChanged,
    events.SubUserDeleted,
)
"""Events that end all sessions of their sub-user."""

PASSWORD_LINKS = [LinkPurpose.PASSWORD_RESET, LinkPurpose.INVITATION]
"""Links that become invalid with a person's password, e-mail or access."""


def side_effects_of(recorded_events: Iterable[object]) -> list[TransactionalWrite]:
    """Return the writes that must be committed together with these events, in the order of the events."""
    return [
        write
        for event in recorded_events
        for side_effects in (_side_effects, _link_side_effects, _role_side_effects, _second_factor_side_effects)
        for write in side_effects(event)
    ]


def _side_effects(event: object) -> list[TransactionalWrite]:  # noqa: PLR0911  # one return for each kind of event
    match event:
        case events.MainAccountDetailsChanged() if event.password_changed:
            return [ClosePersonSessions(event.account_id)]
        case events.MainAccountClosed():
            return [
                RemoveAccountFromDirectory(event.account_id),
                CloseAccountSessions(event.account_id),
                ForgetAccountPasswords(event.account_id),
                RemoveAccountWebhooks(event.account_id),
                RemoveRolesOfAccount(event.account_id),
            ]
        case events.MainAccountEmailChangeUndone():
            return [ClosePersonSessions(event.account_id)]
        case events.MainAccountLoggedOut():
            return [_close_sessions(event.session_id, event.account_id)]
        case events.SubUserAccessExpirySet():
            return [LimitSessions(event.sub_user_id, event.access_expires_at, event.timestamp)]
        case events.SubUserLoggedOut():
            return [_close_sessions(event.session_id, event.sub_user_id)]
        case events.PersonalDataErased():
            return [EraseDataKey(event.sub_user_id or event.account_id)]
        case _ if isinstance(event, SESSION_ENDING_EVENTS):
            return [ClosePersonSessions(event.sub_user_id)]
        case _:
            return []


def _link_side_effects(event: object) -> list[TransactionalWrite]:
    match event:
        case events.MainAccountDetailsChanged() if event.email is not None:
            return [DeleteLinks(event.account_id, [*PASSWORD_LINKS, LinkPurpose.EMAIL_CONFIRMATION])]
        case events.MainAccountDetailsChanged() if event.password_changed:
            return [DeleteLinks(event.account_id, PASSWORD_LINKS)]
        case events.MainAccountClosed():
            return [DeleteLinks(event.account_id, list(LinkPurpose))]
        case events.SubUserEmailChanged():
            return [DeleteLinks(event.sub_user_id, PASSWORD_LINKS)]
        case _ if isinstance(event, SESSION_ENDING_EVENTS):
            return [DeleteLinks(event.sub_user_id, PASSWORD_LINKS)]
        case _:
            return []


def _role_side_effects(event: object) -> list[TransactionalWrite]:  # noqa: PLR0911  # one return for each kind of event
    """Return the rows by which checks of access decide. Changes of the catalogue lock it before they change roles."""
    match event:
        case events.SubUserCreated():
            return [_add_default_grant(event)]
        case events.SubUserDeleted():
            return [RemoveGrantsOfSubUser(event.sub_user_id)]
        case events.RoleGranted():
            return [_add_grant(event)]
        case events.RoleRevoked():
            return [RemoveGrant(event.grant_id)]
        case events.RoleCreated():
            return [
                LockPermissionCatalogue(exclusive=False),
                AddRole(event.role_id, event.account_id, event.permissions.split()),
            ]
        case events.RoleChanged() if event.permissions is not None:
            return [
                LockPermissionCatalogue(exclusive=False),
                SetRolePermissions(event.role_id, event.permissions.split()),
            ]
        case events.RoleDeleted():
            return [RemoveRole(event.role_id)]
        case events.PermissionCatalogueSet():
            return [LockPermissionCatalogue(exclusive=True)]
        case _:
            return []


def _second_factor_side_effects(event: object) -> list[TransactionalWrite]:  # noqa: PLR0911  # one for each event
    """Return the rows by which sessions are restricted, and the deletion of secrets."""
    match event:
        case events.SecondFactorPolicySet():
            return [RequireSecondFactor(event.account_id, event.policy is SecondFactorPolicy.REQUIRED)]
        case events.SecondFactorVerified() if event.former_session_id is not None:
            return [CloseSession(event.former_session_id, event.sub_user_id or event.account_id)]
        case events.SecondFactorRemoved() if event.remaining > 0:
            return [RemoveSecondFactor(event.factor_id)]
        case events.SecondFactorRemoved():
            return [RemoveSecondFactorsOfPerson(event.sub_user_id or event.account_id)]
        case events.SecondFactorsReset():
            person_id = event.sub_user_id or event.account_id
            return [RemoveSecondFactorsOfPerson(person_id), ClosePersonSessions(person_id)]
        case events.SubUserDeleted():
            return [RemoveSecondFactorsOfPerson(event.sub_user_id)]
        case _:
            return []


def _close_sessions(session_id: UUID | None, person_id: UUID) -> TransactionalWrite:
    return ClosePersonSessions(person_id) if session_id is None else CloseSession(session_id, person_id)


def _add_default_grant(event: events.SubUserCreated) -> TransactionalWrite:
    grant = default_grant(event.sub_user_id, event.originator_version)
    return AddGrant(
        grant_id=grant.grant_id,
        account_id=event.account_id,
        sub_user_id=event.sub_user_id,
        role_id=grant.role_id,
        resource_type="",
        resource_id="",
        expires_at=None,
        granted_at=event.timestamp,
        version=grant.version,
    )


def _add_grant(event: events.RoleGranted) -> TransactionalWrite:
    return AddGrant(
        grant_id=event.grant_id,
        account_id=event.account_id,
        sub_user_id=event.sub_user_id,
        role_id=event.role_id,
        resource_type=event.resource_type or "",
        resource_id=event.resource_id or "",
        expires_at=event.expires_at,
        granted_at=event.timestamp,
        version=event.originator_version,
        encrypted_label=event.resource_label,
        encrypted_reason=event.reason,
    )
