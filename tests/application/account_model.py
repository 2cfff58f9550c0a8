"""Model of one account with its sub-users and sessions: the expected outcome of every command."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

INITIAL_LIMIT = 10
TEMPORARY_PASSWORD = timedelta(days=7)
MAX_SESSION_LIFETIME = timedelta(hours=24)
IDLE_TIMEOUT = timedelta(minutes=60)
LAST_USE_RESOLUTION = timedelta(minutes=1)
MAIL_WINDOW = timedelta(hours=1)
MAILS_PER_SUB_USER = 5
MAILS_PER_ACCOUNT = 50

GENERATED = "a password that the service generates"


class Refused(Exception):
    """The command is refused with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class ModelSubUser:
    """A sub-user. `password` is `GENERATED` until the test has read the generated password."""

    email: str
    name: str
    surname: str
    visible: bool
    access_expires_at: datetime | None
    password: str
    created_at: datetime
    password_issued_at: datetime
    active: bool = False
    was_activated: bool = False
    must_change_password: bool = True
    last_login_at: datetime | None = None
    credentials_mail: str = "none"
    revision: int = 1

    def issue_password(self, password: str, now: datetime) -> None:
        self.password, self.password_issued_at, self.must_change_password = password, now, True

    def stop_mail(self) -> None:
        self.credentials_mail = "none" if self.credentials_mail == "pending" else self.credentials_mail

    def has_expired(self, now: datetime) -> bool:
        return self.access_expires_at is not None and self.access_expires_at <= now

    def details(self) -> dict[str, Any]:
        """Return the expected details of the sub-user, without ids."""
        has_temporary_password = self.active and self.must_change_password
        return {
            "email": self.email,
            "name": self.name,
            "surname": self.surname,
            "status": "active" if self.active else "inactive",
            "visible": self.visible,
            "created_at": self.created_at,
            "last_login_at": self.last_login_at,
            "access_expires_at": self.access_expires_at,
            "must_change_password": self.must_change_password,
            "credentials_mail": self.credentials_mail,
            "credentials_kind": "password",
            "has_second_factor": False,
            "locked": False,
            "revision": self.revision,
            "temporary_password_expires_at": self.password_issued_at + TEMPORARY_PASSWORD
            if has_temporary_password
            else None,
        }


@dataclass
class ModelSession:
    """A session of the sub-user with this number."""

    number: int
    restricted: bool
    opened_at: datetime
    last_used_at: datetime
    access_expires_at: datetime | None

    @property
    def expires_at(self) -> datetime:
        end = self.opened_at + MAX_SESSION_LIFETIME
        return end if self.access_expires_at is None else min(end, self.access_expires_at)


@dataclass
class ModelAccount:
    """An account. Sub-users are numbered in order of creation; sessions are stored by token."""

    limit: int = INITIAL_LIMIT
    closed: bool = False
    sub_users: dict[int, ModelSubUser] = field(default_factory=dict)
    sessions: dict[str, ModelSession] = field(default_factory=dict)
    mails: list[tuple[int, datetime]] = field(default_factory=list)

    def create(
        self,
        number: int,
        now: datetime,
        *,
        email: str,
        name: str,
        surname: str,
        visible: bool,
        access_expires_at: datetime | None,
        password: str | None,
    ) -> dict[str, Any]:
        self._ensure_open()
        if email.lower() in {sub_user.email.lower() for sub_user in self.sub_users.values()}:
            raise Refused("sub-user-email-taken")
        if len(self.sub_users) >= self.limit:
            raise Refused("sub-user-limit-reached")
        password = password or GENERATED
        created = ModelSubUser(email, name, surname, visible, access_expires_at, password, now, now)
        self.sub_users[number] = created
        return created.details()

    def change(self, number: int, now: datetime, *, if_revision: int | None = None, **changes: Any) -> dict[str, Any]:
        """Change a sub-user and return the details. `changes` has `access_expires_at` only if an expiry is given."""
        sub_user = self._find(number)
        self._ensure_revision(sub_user, if_revision)
        self._ensure_open()
        active, password = changes.get("active"), changes.get("password")
        email = changes.get("email", sub_user.email)
        changes_email = email.lower() != sub_user.email.lower()
        if changes_email and email.lower() in {other.email.lower() for other in self.sub_users.values()}:
            raise Refused("sub-user-email-taken")
        mails_password = (password is not None or changes_email) and sub_user.active and active is not False
        expiry = changes.get("access_expires_at", sub_user.access_expires_at)
        if (active is True or mails_password) and expiry is not None and expiry <= now:
            raise Refused("access-expired")
        if mails_password or (active is True and not sub_user.active):
            self._ensure_may_mail(number, now)
            self.mails.append((number, now))
        if changes_email:
            sub_user.email, sub_user.credentials_mail = email, "none"
            sub_user.revision += 1
        names = {name: changes[name] for name in ("name", "surname") if name in changes}
        if any(getattr(sub_user, name) != value for name, value in names.items()):
            sub_user.name, sub_user.surname = names.get("name", sub_user.name), names.get("surname", sub_user.surname)
            sub_user.revision += 1
        if changes.get("visible", sub_user.visible) != sub_user.visible:
            sub_user.visible = changes["visible"]
            sub_user.revision += 1
        if expiry != sub_user.access_expires_at:
            self._limit_sessions(number, expiry, now)
            sub_user.access_expires_at = expiry
            sub_user.revision += 1
        self._toggle(number, sub_user, now, active=active, password=password, mails_password=mails_password)
        return sub_user.details()

    def _toggle(
        self,
        number: int,
        sub_user: ModelSubUser,
        now: datetime,
        *,
        active: bool | None,
        password: str | None,
        mails_password: bool,
    ) -> None:
        activates = active is True and not sub_user.active
        if active is False and sub_user.active:
            sub_user.active = False
            sub_user.stop_mail()
            sub_user.revision += 1
            self._end_sessions(number)
        if (password is not None or mails_password) and not activates:
            sub_user.issue_password(password or GENERATED, now)
            sub_user.credentials_mail = "pending" if mails_password else sub_user.credentials_mail
            sub_user.revision += 1
            self._end_sessions(number)
        if activates:
            sub_user.issue_password(password or (GENERATED if sub_user.was_activated else sub_user.password), now)
            sub_user.active = sub_user.was_activated = True
            sub_user.credentials_mail = "pending"
            sub_user.revision += 1
            self._end_sessions(number)

    def send_again(self, number: int, now: datetime) -> dict[str, Any]:
        sub_user = self._find(number)
        if not sub_user.active:
            raise Refused("sub-user-inactive")
        if sub_user.has_expired(now):
            raise Refused("access-expired")
        self._ensure_may_mail(number, now)
        self._ensure_open()
        self.mails.append((number, now))
        sub_user.issue_password(GENERATED, now)
        sub_user.credentials_mail = "pending"
        sub_user.revision += 1
        self._end_sessions(number)
        return sub_user.details()

    def delete(self, number: int, *, if_revision: int | None = None) -> None:
        self._ensure_revision(self._find(number), if_revision)
        del self.sub_users[number]
        self._end_sessions(number)

    def end_sessions(self, number: int) -> None:
        self._find(number)
        self._end_sessions(number)

    def sign_in(self, email: str, password: str, now: datetime) -> tuple[int, ModelSession]:
        """Return the sub-user's number and the new session; the caller stores it under its token."""
        matches = [item for item in self.sub_users.items() if item[1].email.lower() == email.lower()]
        if self.closed or not matches:
            raise Refused("login-refused: unknown")
        ((number, sub_user),) = matches
        if sub_user.password != password:
            raise Refused("login-refused: wrong_password")
        if sub_user.must_change_password and sub_user.password_issued_at + TEMPORARY_PASSWORD <= now:
            raise Refused("login-refused: temporary_password_expired")
        if not sub_user.active:
            raise Refused("login-refused: inactive")
        if sub_user.has_expired(now):
            raise Refused("login-refused: expired")
        sub_user.last_login_at = now
        session = ModelSession(number, sub_user.must_change_password, now, now, sub_user.access_expires_at)
        return number, session

    def introspect(self, token: str, now: datetime) -> ModelSession:
        session = self.sessions.get(token)
        if session is None or session.expires_at <= now or session.last_used_at <= now - IDLE_TIMEOUT:
            raise Refused("session-ended")
        if now - session.last_used_at > LAST_USE_RESOLUTION:
            session.last_used_at = now
        return session

    def change_own_password(self, token: str, current: str, new: str, now: datetime) -> ModelSession:
        session = self.introspect(token, now)
        sub_user = self.sub_users[session.number]
        if new == current:
            raise Refused("invalid: new_password")
        if current != sub_user.password:
            raise Refused("invalid: current_password")
        sub_user.password, sub_user.must_change_password, sub_user.last_login_at = new, False, now
        sub_user.stop_mail()
        sub_user.revision += 1
        self._end_sessions(session.number)
        return ModelSession(session.number, False, now, now, sub_user.access_expires_at)  # not restricted

    def sign_out(self, token: str, now: datetime) -> None:
        self.introspect(token, now)
        del self.sessions[token]

    def close(self) -> None:
        self.closed = True
        self.sessions.clear()

    def _ensure_may_mail(self, number: int, now: datetime) -> None:
        recipients = [recipient for recipient, mailed_at in self.mails if mailed_at > now - MAIL_WINDOW]
        if recipients.count(number) >= MAILS_PER_SUB_USER or len(recipients) >= MAILS_PER_ACCOUNT:
            raise Refused("too-many-mails")

    def raise_limit(self, limit: int) -> tuple[int, int]:
        """Return the limit and the number of sub-users."""
        self._ensure_open()
        if limit < self.limit:
            raise Refused("limit-not-raised")
        self.limit = limit
        return limit, len(self.sub_users)

    def _find(self, number: int) -> ModelSubUser:
        if number not in self.sub_users:
            raise Refused("sub-user-not-found")
        return self.sub_users[number]

    def _ensure_open(self) -> None:
        if self.closed:
            raise Refused("account-closed")

    @staticmethod
    def _ensure_revision(sub_user: ModelSubUser, if_revision: int | None) -> None:
        if if_revision not in {None, sub_user.revision}:
            raise Refused("revision-mismatch")

    def _end_sessions(self, number: int) -> None:
        self.sessions = {token: session for token, session in self.sessions.items() if session.number != number}

    def _limit_sessions(self, number: int, expiry: datetime | None, now: datetime) -> None:
        for token, session in list(self.sessions.items()):
            if session.number != number:
                continue
            ends = [end for end in (session.access_expires_at, expiry) if end is not None]
            if ends and min(ends) <= now:
                del self.sessions[token]
            else:
                session.access_expires_at = expiry
