"""The view of accounts and their sub-users, with names in the clear, for lists that are searched and sorted.

A batch of events is taken over at once: the rows that it is about are read, changed by one event after the other, and
written back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psycopg.rows import tuple_row

from application.resources import ERASED
from domain import events
from domain.cause import Sealed
from domain.sub_user import Notice
from projections.statements import statements
from projections.stored_events import APART, OF_ACCOUNTS, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from psycopg import Connection

    from application.ports import Vault, VaultEntry
    from projections.event_log import Positioned
    from projections.stored_events import State

SQL = statements("projections", "sub_user_list")

Row = dict[str, Any]
"""A row of a table, as JSON has it."""

SEALED = ("email", "company_name", "name", "surname")
REGISTERED, CREATED, DELETED = (
    one.TOPIC for one in (events.MainAccountRegistered, events.SubUserCreated, events.SubUserDeleted)
)
TELLING = {REGISTERED, events.MainAccountDetailsChanged.TOPIC, CREATED, events.SubUserDetailsChanged.TOPIC}
"""Events with names and e-mails that the view shows in the clear."""


class Change(NamedTuple):
    """An event that the view follows; of `state` there is nothing where it changes no more than the version."""

    topic: str
    account_id: str
    version: int
    state: State


class SubUserList:
    """Follows every event of an account."""

    name = "sub-users"
    tables = ("account_view", "sub_user_view")

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def apply(self, connection: Connection[Any], batch: Sequence[Positioned]) -> None:
        """Take over these events, in the transaction that is open."""
        changes = [_change(one) for one in batch if one.stored.topic not in APART]
        if not changes:
            return
        people = {one.state["sub_user_id"] for one in changes if one.topic in ON_SUB_USERS}
        accounts = _found(connection, "find_accounts", {one.account_id for one in changes})
        sub_users = _found(connection, "find_sub_users", people)
        self._open(changes)  # once the rows are held: whoever has been forgotten before has no key now
        before = set(sub_users)
        for one in changes:
            _take_over(one, accounts, sub_users)
        _put(connection, "put_accounts", accounts)
        _put(connection, "put_sub_users", sub_users)
        if gone := before - set(sub_users):
            connection.execute(SQL["remove_sub_users"], {"ids": list(gone)}, prepare=True)

    def _open(self, changes: Iterable[Change]) -> None:
        """Have in the clear what is sealed; of a person who was forgotten there is nothing to open."""
        telling = [one for one in changes if one.topic in TELLING]
        if telling:
            entries = self._vault.entries(list({_person(one) for one in telling}))
            for one in telling:
                one.state.update(_opened(one.state, entries.get(_person(one))))


def _change(positioned: Positioned) -> Change:
    stored = positioned.stored
    if stored.topic not in OF_ACCOUNTS:
        raise LookupError(stored.topic)
    state = state_of(stored) if stored.topic in ON_SUB_USERS or stored.topic in ON_ACCOUNTS else {}
    return Change(stored.topic, str(stored.originator_id), stored.originator_version, state)


def _person(change: Change) -> UUID:
    return UUID(change.state.get("sub_user_id", change.account_id))


def _opened(state: State, entry: VaultEntry | None) -> State:
    sealed = {field: state[field] for field in SEALED if field in state}
    return {field: ERASED if entry is None else entry.key.open(field, Sealed(value)) for field, value in sealed.items()}


def _found(connection: Connection[Any], statement: str, ids: Collection[str]) -> dict[str, Row]:
    if not ids:
        return {}
    rows = connection.cursor(row_factory=tuple_row).execute(SQL[statement], {"ids": list(ids)}, prepare=True)
    return dict(rows.fetchall())


def _put(connection: Connection[Any], statement: str, rows: Mapping[str, Row]) -> None:
    if rows:
        connection.execute(SQL[statement], {"rows": json.dumps(list(rows.values()))}, prepare=True)


def _take_over(change: Change, accounts: dict[str, Row], sub_users: dict[str, Row]) -> None:
    """Have an event change the rows that it is about; where there is no such row (any more), it changes nothing."""
    topic, state = change.topic, change.state
    if topic == REGISTERED:
        accounts[change.account_id] = _registered(change)
    account = accounts.get(change.account_id)
    if account is not None:
        account["version"] = change.version
        if topic in ON_ACCOUNTS:
            ON_ACCOUNTS[topic](account, change)
    if topic == CREATED:
        sub_users[state["sub_user_id"]] = _created(change)
    elif topic == DELETED:
        sub_users.pop(state["sub_user_id"], None)
    elif topic in ON_SUB_USERS and (sub_user := sub_users.get(state["sub_user_id"])) is not None:
        ON_SUB_USERS[topic](sub_user, change)


def _registered(change: Change) -> Row:
    return {
        "account_id": change.account_id,
        "version": change.version,
        **{field: change.state[field] for field in ("email", "company_name", "language", "sub_user_limit")},
        "created_at": change.state["timestamp"],
        "closed_at": None,
    }


def _change_account(account: Row, change: Change) -> None:
    account.update(
        {field: change.state[field] for field in ("email", "company_name", "language") if field in change.state}
    )


def _close(account: Row, change: Change) -> None:
    account["closed_at"] = change.state["timestamp"]


def _erase_owner(account: Row, change: Change) -> None:
    """Show nothing of an account's owner who has been erased; a sub-user has no row any more."""
    if "sub_user_id" not in change.state:
        account.update(email=ERASED, company_name=ERASED)


def _raise_limit(account: Row, change: Change) -> None:
    account["sub_user_limit"] = change.state["sub_user_limit"]


def _created(change: Change) -> Row:
    return {
        **{field: change.state[field] for field in ("sub_user_id", "email", "name", "surname", "visible")},
        "account_id": change.account_id,
        "active": False,
        "created_at": change.state["timestamp"],
        "last_login_at": None,
        "access_expires_at": change.state.get("access_expires_at"),
        "must_change_password": True,
        "credentials_mail": "none",
        "mail_version": 0,
        "locked": False,
        "revision": 1,
    }


def _edit(sub_user: Row, **values: object) -> None:
    """Change what the main account edits: whoever has seen the sub-user before has seen another revision."""
    sub_user.update(values, revision=sub_user["revision"] + 1)


def _change_names(sub_user: Row, change: Change) -> None:
    _edit(sub_user, **{field: change.state[field] for field in ("name", "surname") if field in change.state})


def _set_visible(sub_user: Row, change: Change) -> None:
    _edit(sub_user, visible=change.state["visible"])


def _set_access_expiry(sub_user: Row, change: Change) -> None:
    _edit(sub_user, access_expires_at=change.state.get("access_expires_at"))


def _activate(sub_user: Row, change: Change) -> None:
    """Access data goes out with every activation, so a password of one's own is needed again."""
    _edit(sub_user, active=True, must_change_password=True)
    _expect_mail(sub_user, change)


def _deactivate(sub_user: Row, _: Change) -> None:
    _edit(sub_user, active=False)
    _expect_no_mail(sub_user)


def _reset_password(sub_user: Row, change: Change) -> None:
    _edit(sub_user, must_change_password=True)
    if change.state["notice"] != Notice.NONE:
        _expect_mail(sub_user, change)


def _change_password(sub_user: Row, _: Change) -> None:
    _edit(sub_user, must_change_password=False)
    _expect_no_mail(sub_user)


def _expect_mail(sub_user: Row, change: Change) -> None:
    sub_user.update(credentials_mail="pending", mail_version=change.version)


def _expect_no_mail(sub_user: Row) -> None:
    """Have a mail that has not gone out not go out any more."""
    if sub_user["credentials_mail"] == "pending":
        sub_user["credentials_mail"] = "none"


def _settle_mail(sub_user: Row, change: Change) -> None:
    """Tell what came of the last mail with access data; the outcome of an earlier one, or another kind, is nothing."""
    if sub_user["mail_version"] == change.state["caused_by"]:
        sub_user["credentials_mail"] = "sent" if change.topic == events.CredentialsMailed.TOPIC else "failed"


def _log_in(sub_user: Row, change: Change) -> None:
    sub_user["last_login_at"] = change.state["timestamp"]


def _lock(sub_user: Row, _: Change) -> None:
    sub_user["locked"] = True


def _unlock(sub_user: Row, _: Change) -> None:
    sub_user["locked"] = False


def _nothing_more(_: Row, __: Change) -> None:
    """Do no more than making the row, or removing it."""


ON_ACCOUNTS: dict[str, Callable[[Row, Change], None]] = {
    events.MainAccountRegistered.TOPIC: _nothing_more,
    events.MainAccountDetailsChanged.TOPIC: _change_account,
    events.MainAccountClosed.TOPIC: _close,
    events.SubUserLimitRaised.TOPIC: _raise_limit,
    events.PersonalDataErased.TOPIC: _erase_owner,
}
ON_SUB_USERS: dict[str, Callable[[Row, Change], None]] = {
    events.SubUserCreated.TOPIC: _nothing_more,
    events.SubUserDetailsChanged.TOPIC: _change_names,
    events.SubUserVisibilityChanged.TOPIC: _set_visible,
    events.SubUserAccessExpirySet.TOPIC: _set_access_expiry,
    events.SubUserActivated.TOPIC: _activate,
    events.SubUserDeactivated.TOPIC: _deactivate,
    events.SubUserPasswordReset.TOPIC: _reset_password,
    events.SubUserPasswordChanged.TOPIC: _change_password,
    events.SubUserLoggedIn.TOPIC: _log_in,
    events.SubUserLockedOut.TOPIC: _lock,
    events.SubUserUnlocked.TOPIC: _unlock,
    events.SubUserDeleted.TOPIC: _nothing_more,
    events.CredentialsMailed.TOPIC: _settle_mail,
    events.CredentialsMailFailed.TOPIC: _settle_mail,
}
