"""The view of accounts and their sub-users, with names in the clear, for lists that are searched and sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from application.resources import ERASED
from domain import events
from domain.sub_user import Notice
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg import Connection

    from application.ports import Vault, VaultEntry
    from domain.cause import Sealed
    from projections.event_log import Positioned

SQL = statements("projections", "sub_user_list")
Change = tuple[str, dict[str, Any]]

OF_NOBODY = {"email": ERASED, "company_name": ERASED, "language": None}
"""What is shown of an account whose owner has been erased."""


class SubUserList:
    """Follows every event of an account."""

    name = "sub-users"
    tables = ("account_view", "sub_user_view")

    def __init__(self, mapper: Mapper[UUID], vault: Vault) -> None:
        self._mapper = mapper
        self._vault = vault

    def apply(self, connection: Connection[Any], batch: Sequence[Positioned]) -> None:
        """Take over these events, in the transaction that is open."""
        decoded = [cast("object", self._mapper.to_domain_event(positioned.stored)) for positioned in batch]
        account_events = [event for event in decoded if isinstance(event, events.Event)]
        entries = self._vault.entries(list({person for event in account_events for person in _people(event)}))
        with connection.pipeline():
            for event in account_events:
                for statement, parameters in _changes(event, _Opened(event, entries)):
                    connection.execute(SQL[statement], parameters)
            for account_id, version in _versions(account_events).items():
                connection.execute(SQL["set_version"], {"account_id": account_id, "version": version})


class _Opened:
    """Opens the sealed fields of one event; of a person who was forgotten there is nothing to open."""

    def __init__(self, event: events.Event, entries: Mapping[UUID, VaultEntry]) -> None:
        self._event = event
        self._entries = entries

    def __call__(self, field: str) -> str | None:
        sealed: Sealed | None = getattr(self._event, field)
        if sealed is None:
            return None
        entry = self._entries.get(self._event.sealed_for(field))
        return ERASED if entry is None else entry.key.open(field, sealed)


def _people(event: events.Event) -> set[UUID]:
    match event:
        case events.MainAccountRegistered() | events.MainAccountDetailsChanged():
            return {event.account_id}
        case events.SubUserCreated() | events.SubUserDetailsChanged():
            return {event.sub_user_id}
        case _:
            return set()


def _versions(account_events: Iterable[events.Event]) -> dict[UUID, int]:
    return {event.account_id: event.originator_version for event in account_events}


def _changes(event: events.Event, opened: Callable[[str], str | None]) -> Iterator[Change]:  # noqa: C901, PLR0912  # one case an event
    one = {"sub_user_id": event.subject_id}
    match event:
        case events.MainAccountRegistered():
            yield "add_account", _registered(event, opened)
        case events.MainAccountDetailsChanged():
            changed = {"email": opened("email"), "company_name": opened("company_name"), "language": event.language}
            yield "change_account", {"account_id": event.account_id, **changed}
        case events.MainAccountClosed():
            yield "close_account", {"account_id": event.account_id, "closed_at": event.timestamp}
        case events.SubUserLimitRaised():
            yield "raise_limit", {"account_id": event.account_id, "sub_user_limit": event.sub_user_limit}
        case events.SubUserCreated():
            yield "add_sub_user", _created(event, opened)
        case events.SubUserDetailsChanged():
            yield "change_names", {**one, "name": opened("name"), "surname": opened("surname")}
        case events.SubUserVisibilityChanged():
            yield "set_visible", {**one, "visible": event.visible}
        case events.SubUserAccessExpirySet():
            yield "set_access_expiry", {**one, "access_expires_at": event.access_expires_at}
        case events.SubUserActivated():
            yield "activate", one
            yield "expect_mail", {**one, "mail_version": event.originator_version}
        case events.SubUserDeactivated():
            yield "deactivate", one
        case events.SubUserPasswordReset():
            yield "reset_password", one
            if event.notice != Notice.NONE:
                yield "expect_mail", {**one, "mail_version": event.originator_version}
        case events.SubUserPasswordChanged():
            yield "change_password", one
        case events.SubUserLoggedIn():
            yield "log_in", {**one, "last_login_at": event.timestamp}
        case events.SubUserLockedOut():
            yield "lock", one
        case events.SubUserUnlocked():
            yield "unlock", one
        case events.SubUserDeleted():
            yield "remove_sub_user", one
        case events.PersonalDataErased() if event.sub_user_id is None:
            yield "change_account", {"account_id": event.account_id, **OF_NOBODY}
        case events.CredentialsMailed():
            yield "settle_mail", {**one, "mail_version": event.caused_by, "state": "sent"}
        case events.CredentialsMailFailed():
            yield "settle_mail", {**one, "mail_version": event.caused_by, "state": "failed"}


def _registered(event: events.MainAccountRegistered, opened: Callable[[str], str | None]) -> dict[str, Any]:
    return {
        "account_id": event.account_id,
        "version": event.originator_version,
        "email": opened("email"),
        "company_name": opened("company_name"),
        "language": event.language,
        "sub_user_limit": event.sub_user_limit,
        "created_at": event.timestamp,
    }


def _created(event: events.SubUserCreated, opened: Callable[[str], str | None]) -> dict[str, Any]:
    return {
        "sub_user_id": event.sub_user_id,
        "account_id": event.account_id,
        "email": opened("email"),
        "name": opened("name"),
        "surname": opened("surname"),
        "visible": event.visible,
        "created_at": event.timestamp,
        "access_expires_at": event.access_expires_at,
    }
