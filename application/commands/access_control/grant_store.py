"""Store of the current grants and roles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from application.ports.sessions import Session
    from domain.event_metadata import Ciphertext
    from domain.roles import Grant, Resource


@dataclass(frozen=True)
class GrantRecord:
    """A grant, with when it was given and its encrypted texts."""

    grant: Grant
    granted_at: datetime
    label: Ciphertext | None = field(repr=False)
    reason: Ciphertext | None = field(repr=False)


@dataclass(frozen=True)
class AccessState:
    """What decides about access at one moment.

    `grants` are those that are relevant to the questions. `role_permissions` are the permissions of their roles, except
    the built-in ones. `account_version` is the version of the account's stream.
    """

    catalogue_revision: int
    grants: Sequence[Grant]
    role_permissions: Mapping[UUID, frozenset[str]]
    account_version: int = 0


@dataclass(frozen=True)
class SessionAccess:
    """An active session, and the state that decides its access."""

    session: Session
    state: AccessState


class GrantStore(Protocol):
    """Grants and roles. Transactional writes change them, together with the events."""

    def of_session(self, token_hash: bytes, now: datetime, resources: Iterable[Resource]) -> SessionAccess | None:
        """Return the session with this token, if it is valid, and record its use.

        The grants are those of the sub-user on everything and on these resources.
        """

    def of_sub_user(self, account_id: UUID, sub_user_id: UUID, resources: Iterable[Resource]) -> AccessState:
        """Return the grants of a sub-user on everything and on these resources."""

    def of_sub_user_by_type(self, account_id: UUID, sub_user_id: UUID, resource_type: str | None) -> AccessState:
        """Return the grants of a sub-user on everything and on resources of a type."""

    def of_sub_user_in_full(self, account_id: UUID, sub_user_id: UUID) -> AccessState:
        """Return all grants of a sub-user."""

    def of_account(self, account_id: UUID, resource: Resource | None) -> AccessState:
        """Return the grants of all sub-users of an account on everything and on a resource."""

    def list(self, sub_user_id: UUID) -> Sequence[GrantRecord]:
        """Return all grants of a sub-user, oldest first."""

    def catalogue_revision(self) -> int:
        """Return the current revision of the permission catalogue."""

    def accounts_with_permissions(self, names: Iterable[str]) -> Mapping[UUID, int]:
        """Return the accounts in which a role has one of these permissions, with the versions of their streams.

        They are sorted by id, so that transactions append to streams in the same order and cannot deadlock.
        """
