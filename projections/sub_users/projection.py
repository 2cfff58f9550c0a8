"""View of accounts and sub-users, with names in plain text so that lists can be searched and sorted.

A batch is applied in memory: the affected rows are read, changed event by event, and written back. The transitions of a
sub-user are those of `domain.sub_user`. A row differs from the entity in three ways: its values have JSON types, which
no transition depends on, it has e-mail address and names in plain text, and it lacks `DECISION_FIELDS`.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from adapters.postgres.event_store.stored_events import state_of
from adapters.postgres.prepared_statements import named_row
from adapters.postgres.sql_files import statements
from application.commands.resources import ERASED
from domain import events
from domain.event_metadata import Ciphertext
from domain.second_factor import SecondFactorPolicy
from domain.sub_user import CredentialsMailState, SubUser

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from psycopg import Connection

    from adapters.postgres.event_store.settled_reads import RecordedEvent
    from adapters.postgres.event_store.stored_events import State
    from application.ports.vault import Vault, VaultEntry

SQL = statements("projections.sub_users", "projection")

Row = dict[str, Any]
"""A table row in JSON types."""

ENCRYPTED_FIELDS = ("email", "company_name", "external_id", "name", "surname")
REGISTERED, CREATED, DELETED = (
    event.TOPIC for event in (events.MainAccountRegistered, events.SubUserCreated, events.SubUserDeleted)
)
NAMING_TOPICS = {
    *(REGISTERED, events.MainAccountDetailsChanged.TOPIC, events.MainAccountExternalIdSet.TOPIC),
    events.MainAccountEmailChangeRequested.TOPIC,
    *(CREATED, events.SubUserDetailsChanged.TOPIC, events.SubUserEmailChanged.TOPIC),
}
"""Events with personal data that the view holds in plain text."""

DECISION_FIELDS = frozenset({"email_hash", "was_activated", "credentials_version", "password_issued_at"})
"""Fields of a sub-user that only decisions need."""

CONSTANT_FIELDS = frozenset({"sub_user_id", "created_at"})
"""Fields of a sub-user that never change."""

SUB_USER_FIELDS = tuple(field.name for field in fields(SubUser))
COLUMNS = tuple(name for name in SUB_USER_FIELDS if name not in DECISION_FIELDS)
UPSERT_SUB_USERS = SQL["upsert_sub_users"].format(
    columns=", ".join(COLUMNS),
    updates=", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in CONSTANT_FIELDS),
)


class AccountEvent(NamedTuple):
    """An event of an account. `state` is empty if the event changes nothing in the view but the version."""

    topic: str
    account_id: str
    version: int
    state: State


class SubUserRow(NamedTuple):
    """A sub-user and their account."""

    account_id: str
    sub_user: SubUser


class SubUserProjection:
    """Keeps the tables of accounts and sub-users up to date with the events of accounts."""

    name = "sub-users"
    tables = ("account_view", "sub_user_view")

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def apply(self, connection: Connection[Any], batch: Sequence[RecordedEvent]) -> None:
        """Apply these events in the current transaction."""
        account_events = [
            _account_event(event) for event in batch if event.stored.topic not in events.NON_ACCOUNT_TOPICS
        ]
        if not account_events:
            return
        sub_user_ids = {event.state["sub_user_id"] for event in account_events if _is_of_sub_user(event)}
        accounts = _load(connection, "find_accounts", {event.account_id for event in account_events})
        loaded_rows = _load(connection, "find_sub_users", sub_user_ids)
        sub_users = {sub_user_id: _sub_user_row(row) for sub_user_id, row in loaded_rows.items()}
        self._decrypt(account_events)  # after the rows are locked, so that no key erased in the meantime is used
        for event in account_events:
            _apply_event(event, accounts, sub_users)
        _upsert(connection, SQL["upsert_accounts"], list(accounts.values()))
        _upsert(connection, UPSERT_SUB_USERS, [_columns(row) for row in sub_users.values()])
        if deleted_ids := loaded_rows.keys() - sub_users.keys():
            connection.execute(SQL["remove_sub_users"], {"ids": list(deleted_ids)}, prepare=True)

    def _decrypt(self, account_events: Iterable[AccountEvent]) -> None:
        """Replace encrypted fields by their plaintext, or by `ERASED` if the data key was erased."""
        naming_events = [event for event in account_events if event.topic in NAMING_TOPICS]
        if naming_events:
            entries = self._vault.entries(list({_person_id(event) for event in naming_events}))
            for event in naming_events:
                event.state.update(_plaintext(event.state, entries.get(_person_id(event))))


def _account_event(recorded_event: RecordedEvent) -> AccountEvent:
    stored = recorded_event.stored
    if stored.topic not in events.ACCOUNT_TOPICS:
        raise LookupError(stored.topic)
    state = state_of(stored) if stored.topic in ON_SUB_USERS or stored.topic in ON_ACCOUNTS else {}
    return AccountEvent(stored.topic, str(stored.originator_id), stored.originator_version, state)


def _is_of_sub_user(event: AccountEvent) -> bool:
    """Return whether an event changes a sub-user. Those of second factors can be about the owner."""
    return event.topic in ON_SUB_USERS and "sub_user_id" in event.state


def _person_id(event: AccountEvent) -> UUID:
    return UUID(event.state.get("sub_user_id", event.account_id))


def _plaintext(state: State, entry: VaultEntry | None) -> State:
    encrypted = {field: state[field] for field in ENCRYPTED_FIELDS if field in state}
    return {
        field: ERASED if entry is None else entry.key.decrypt(field, Ciphertext(value))
        for field, value in encrypted.items()
    }


def _load(connection: Connection[Any], statement: str, ids: Collection[str]) -> dict[str, Row]:
    if not ids:
        return {}
    rows = connection.cursor(row_factory=named_row).execute(SQL[statement], {"ids": list(ids)}, prepare=True)
    return {row.id: row.view_row for row in rows}


def _upsert(connection: Connection[Any], statement: str, rows: Sequence[Row]) -> None:
    if rows:
        connection.execute(statement, {"rows": json.dumps(rows)}, prepare=True)


def _sub_user_row(row: Row) -> SubUserRow:
    return SubUserRow(row["account_id"], SubUser(email_hash="", **{name: row[name] for name in COLUMNS}))


def _columns(row: SubUserRow) -> Row:
    values = vars(row.sub_user)
    return {"account_id": row.account_id, **{name: values[name] for name in COLUMNS}}


def _apply_event(event: AccountEvent, accounts: dict[str, Row], sub_users: dict[str, SubUserRow]) -> None:
    """Apply an event to its rows. A row that does not exist, or no longer exists, is left alone."""
    topic, state = event.topic, event.state
    if topic == REGISTERED:
        accounts[event.account_id] = _registered(event)
    account = accounts.get(event.account_id)
    if account is not None:
        account["version"] = event.version
        if topic in ON_ACCOUNTS:
            ON_ACCOUNTS[topic](account, event)
    if topic == CREATED:
        sub_users[state["sub_user_id"]] = SubUserRow(event.account_id, _created(event))
    elif topic == DELETED:
        sub_users.pop(state["sub_user_id"], None)
    elif _is_of_sub_user(event) and (row := sub_users.get(state["sub_user_id"])) is not None:
        sub_users[state["sub_user_id"]] = SubUserRow(row.account_id, ON_SUB_USERS[topic](row.sub_user, event))


def _registered(event: AccountEvent) -> Row:
    return {
        "account_id": event.account_id,
        "version": event.version,
        **{field: event.state[field] for field in ("email", "company_name", "language", "sub_user_limit")},
        "created_at": event.state["timestamp"],
        "closed_at": None,
        "external_id": event.state.get("external_id"),
        "sub_user_password_reset": True,
        "second_factor_policy": SecondFactorPolicy.OPTIONAL,
        "pending_email": None,
        "pending_email_expires_at": None,
    }


def _change_account(account: Row, event: AccountEvent) -> None:
    account.update(
        {field: event.state[field] for field in ("email", "company_name", "language") if field in event.state}
    )
    if "email" in event.state:
        account.update(pending_email=None, pending_email_expires_at=None)


def _request_email(account: Row, event: AccountEvent) -> None:
    account.update(pending_email=event.state["email"], pending_email_expires_at=event.state["expires_at"])


def _set_external_id(account: Row, event: AccountEvent) -> None:
    account["external_id"] = event.state.get("external_id")


def _set_second_factor_policy(account: Row, event: AccountEvent) -> None:
    account["second_factor_policy"] = event.state["policy"]


def _close(account: Row, event: AccountEvent) -> None:
    account.update(closed_at=event.state["timestamp"], pending_email=None, pending_email_expires_at=None)


def _erase_owner(account: Row, event: AccountEvent) -> None:
    """Erase the owner's data. An erased sub-user has no row any more."""
    if "sub_user_id" not in event.state:
        account.update(email=ERASED, company_name=ERASED, external_id=None, pending_email=None)


def _raise_limit(account: Row, event: AccountEvent) -> None:
    account["sub_user_limit"] = event.state["sub_user_limit"]


def _set_password_reset_policy(account: Row, event: AccountEvent) -> None:
    account["sub_user_password_reset"] = event.state["allowed"]


def _created(event: AccountEvent) -> SubUser:
    details = {name: event.state[name] for name in SUB_USER_FIELDS if name in event.state}
    return SubUser(**details, created_at=event.state["timestamp"])


def _details_changed(sub_user: SubUser, event: AccountEvent) -> SubUser:
    return sub_user.details_changed(event.state.get("name"), event.state.get("surname"))


def _email_changed(sub_user: SubUser, event: AccountEvent) -> SubUser:
    return sub_user.email_changed(event.state["email"], event.state["email_hash"])


def _visibility_changed(sub_user: SubUser, event: AccountEvent) -> SubUser:
    return sub_user.visibility_changed(visible=event.state["visible"])


def _access_expiry_set(sub_user: SubUser, event: AccountEvent) -> SubUser:
    return sub_user.access_expiry_set(event.state.get("access_expires_at"))


def _activated(sub_user: SubUser, event: AccountEvent) -> SubUser:
    state = event.state
    return sub_user.activated(state["credentials"], state["notice"], event.version, state["timestamp"])


def _deactivated(sub_user: SubUser, _: AccountEvent) -> SubUser:
    return sub_user.deactivated()


def _password_reset(sub_user: SubUser, event: AccountEvent) -> SubUser:
    state = event.state
    return sub_user.password_reset(state["credentials"], state["notice"], event.version, state["timestamp"])


def _password_changed(sub_user: SubUser, event: AccountEvent) -> SubUser:
    return sub_user.password_changed(event.state["credentials"])


def _logged_in(sub_user: SubUser, event: AccountEvent) -> SubUser:
    return sub_user.logged_in(event.state["timestamp"])


def _locked_out(sub_user: SubUser, _: AccountEvent) -> SubUser:
    return sub_user.locked_out()


def _unlocked(sub_user: SubUser, _: AccountEvent) -> SubUser:
    return sub_user.unlocked()


def _second_factor_added(sub_user: SubUser, _: AccountEvent) -> SubUser:
    return sub_user.second_factor_added()


def _second_factor_removed(sub_user: SubUser, event: AccountEvent) -> SubUser:
    return sub_user.second_factor_removed(event.state["remaining"])


def _second_factors_reset(sub_user: SubUser, _: AccountEvent) -> SubUser:
    return sub_user.second_factors_reset()


def _credentials_mailed(sub_user: SubUser, event: AccountEvent) -> SubUser:
    return sub_user.credentials_mail_finished(event.state["caused_by"], CredentialsMailState.SENT)


def _credentials_mail_failed(sub_user: SubUser, event: AccountEvent) -> SubUser:
    return sub_user.credentials_mail_finished(event.state["caused_by"], CredentialsMailState.FAILED)


def _no_change(_: Row, __: AccountEvent) -> None:
    """Change no field: `_apply_event` creates the row."""


def _unchanged(sub_user: SubUser, _: AccountEvent) -> SubUser:
    """Return the same state: `_apply_event` creates or removes the row."""
    return sub_user


ON_ACCOUNTS: dict[str, Callable[[Row, AccountEvent], None]] = {
    events.MainAccountRegistered.TOPIC: _no_change,
    events.MainAccountDetailsChanged.TOPIC: _change_account,
    events.MainAccountExternalIdSet.TOPIC: _set_external_id,
    events.MainAccountEmailChangeRequested.TOPIC: _request_email,
    events.MainAccountClosed.TOPIC: _close,
    events.SubUserLimitRaised.TOPIC: _raise_limit,
    events.PasswordResetPolicySet.TOPIC: _set_password_reset_policy,
    events.SecondFactorPolicySet.TOPIC: _set_second_factor_policy,
    events.PersonalDataErased.TOPIC: _erase_owner,
}
ON_SUB_USERS: dict[str, Callable[[SubUser, AccountEvent], SubUser]] = {
    events.SubUserCreated.TOPIC: _unchanged,
    events.SubUserDetailsChanged.TOPIC: _details_changed,
    events.SubUserEmailChanged.TOPIC: _email_changed,
    events.SubUserVisibilityChanged.TOPIC: _visibility_changed,
    events.SubUserAccessExpirySet.TOPIC: _access_expiry_set,
    events.SubUserActivated.TOPIC: _activated,
    events.SubUserDeactivated.TOPIC: _deactivated,
    events.SubUserPasswordReset.TOPIC: _password_reset,
    events.SubUserPasswordChanged.TOPIC: _password_changed,
    events.SubUserLoggedIn.TOPIC: _logged_in,
    events.SubUserLockedOut.TOPIC: _locked_out,
    events.SubUserUnlocked.TOPIC: _unlocked,
    events.SubUserDeleted.TOPIC: _unchanged,
    events.SecondFactorAdded.TOPIC: _second_factor_added,
    events.SecondFactorRemoved.TOPIC: _second_factor_removed,
    events.SecondFactorsReset.TOPIC: _second_factors_reset,
    events.CredentialsMailed.TOPIC: _credentials_mailed,
    events.CredentialsMailFailed.TOPIC: _credentials_mail_failed,
}
