"""A company's main account, and the rules by which it lets sub-users in.

Every public method decides: it checks the rules, raises a `Refusal` or records what happened. Every `@event` method
evolves: it only takes over what happened, so that a rule tightened later never makes history unreadable.
Time, ids, hashes and sealed text come in as arguments.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Self

from eventsourcing.domain import Aggregate, event

from domain import events, refusals
from domain.main_account_snapshot import MainAccountSnapshot
from domain.plan import REMEMBERED, Plan, Threshold, thresholds
from domain.sub_user import CredentialsMailState, Notice, SubUser, SubUserEdit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime
    from uuid import UUID

    from domain.cause import Cause, Sealed, Via
    from domain.plan import Period, Resource, Usage

INITIAL_SUB_USER_LIMIT = 10
"""How many sub-users an account may have until support raises it (rule 8)."""

LOCKING_FAILURES = 100
"""How many failed logins in a row lock a sub-user, or keep an owner's password out (NIST SP 800-63B-4, 3.2.2)."""

RECORDED_FAILURES = 5
"""So many failed logins in a row are recorded one by one, and after that each time their number has doubled."""


class MainAccount(Aggregate):
    """The account that is in charge: every sub-user belongs to one, and one stream holds all that happened in it."""

    TOPIC = "MainAccount"
    Snapshot = MainAccountSnapshot  # type: ignore[assignment]  # the library types it as its own class, and takes any

    Event = events.Event
    Created = events.MainAccountRegistered  # type: ignore[assignment]  # the library wants it to go by this name
    MainAccountDetailsChanged = events.MainAccountDetailsChanged
    MainAccountClosed = events.MainAccountClosed
    MainAccountLoggedIn = events.MainAccountLoggedIn
    MainAccountLoginRefused = events.MainAccountLoginRefused
    MainAccountLoggedOut = events.MainAccountLoggedOut
    SubUserLimitRaised = events.SubUserLimitRaised
    MainAccountPlanSet = events.MainAccountPlanSet
    UsageThresholdReached = events.UsageThresholdReached
    SubUserCreated = events.SubUserCreated
    SubUserDetailsChanged = events.SubUserDetailsChanged
    SubUserVisibilityChanged = events.SubUserVisibilityChanged
    SubUserAccessExpirySet = events.SubUserAccessExpirySet
    SubUserActivated = events.SubUserActivated
    SubUserDeactivated = events.SubUserDeactivated
    SubUserPasswordReset = events.SubUserPasswordReset
    SubUserPasswordChanged = events.SubUserPasswordChanged
    SubUserLoggedIn = events.SubUserLoggedIn
    SubUserLoginRefused = events.SubUserLoginRefused
    SubUserLockedOut = events.SubUserLockedOut
    SubUserUnlocked = events.SubUserUnlocked
    SubUserLoggedOut = events.SubUserLoggedOut
    SubUserDeleted = events.SubUserDeleted
    CredentialsMailed = events.CredentialsMailed
    CredentialsMailFailed = events.CredentialsMailFailed
    PersonalDataErased = events.PersonalDataErased

    def __init__(
        self, *, email: Sealed, email_hash: str, company_name: Sealed, language: str, sub_user_limit: int
    ) -> None:
        self.email = email
        self.email_hash = email_hash
        self.company_name = company_name
        self.language = language
        self.sub_user_limit = sub_user_limit
        self.closed_at: datetime | None = None
        self.plan: Plan | None = None
        self.thresholds_told: frozenset[Threshold] = frozenset()
        self.sub_users: dict[UUID, SubUser] = {}

    # What it is asked to do

    @classmethod
    def register(
        cls,
        account_id: UUID,
        *,
        email: Sealed,
        email_hash: str,
        company_name: Sealed,
        language: str,
        at: datetime,
        cause: Cause,
    ) -> Self:
        """Set the account up, with the usual limit."""
        return cls._create(
            cls.Created,
            id=account_id,
            timestamp=at,
            email=email,
            email_hash=email_hash,
            company_name=company_name,
            language=language,
            sub_user_limit=INITIAL_SUB_USER_LIMIT,
            **asdict(cause),
        )

    def change_details(
        self,
        *,
        email: Sealed | None = None,
        email_hash: str | None = None,
        company_name: Sealed | None = None,
        language: str | None = None,
        password_changed: bool = False,
        at: datetime,
        cause: Cause,
    ) -> None:
        """Change the account's own data; None leaves a thing as it is."""
        self._require_open()
        new_language = language if language != self.language else None
        if email is None and company_name is None and new_language is None and not password_changed:
            return
        self._record(
            self.MainAccountDetailsChanged,
            at,
            cause,
            email=email,
            email_hash=email_hash,
            company_name=company_name,
            language=new_language,
            password_changed=password_changed,
        )

    def close(self, *, at: datetime, cause: Cause) -> None:
        """End all access to the account. Closing it again changes nothing."""
        if self.closed_at is None:
            self._record(self.MainAccountClosed, at, cause)

    def log_in_owner(self, session_id: UUID, via: Via, *, at: datetime, cause: Cause) -> None:
        """Open a session for the owner, who proved who they are. Raises `LoginRefused` where the account is closed."""
        if self.closed_at is not None:
            raise refusals.LoginRefused("account_closed")
        self._record(self.MainAccountLoggedIn, at, cause, session_id=session_id, via=via)

    def note_refused_owner_login(self, why: str, failures: int, *, at: datetime, cause: Cause) -> None:
        """Record a refused login as the owner, unless so many came before it that it says nothing new."""
        if _says_something_new(failures):
            self._record(self.MainAccountLoginRefused, at, cause, why=why, failures=failures)

    def log_out_owner(self, session_id: UUID | None, *, at: datetime, cause: Cause) -> None:
        """End one session of the owner's, or all of them (None)."""
        self._record(self.MainAccountLoggedOut, at, cause, session_id=session_id)

    def raise_sub_user_limit(self, limit: int, *, at: datetime, cause: Cause) -> None:
        """Allow more sub-users. Raises `LimitNotRaised` where that would be fewer; the same number changes nothing."""
        self._require_open()
        if limit < self.sub_user_limit:
            raise refusals.LimitNotRaised
        if limit > self.sub_user_limit:
            self._record(self.SubUserLimitRaised, at, cause, sub_user_limit=limit)

    def set_plan(self, plan: Plan, *, at: datetime, cause: Cause) -> None:
        """Change what the plan includes, or when its months begin. The same plan again changes nothing."""
        self._require_open()
        if plan != self.plan:
            self._record(self.MainAccountPlanSet, at, cause, **vars(plan))

    def note_usage(self, period: Period, used: Usage, *, at: datetime, cause: Cause) -> None:
        """Record each threshold that is reached by what was used in a period of the plan, unless it was told before.

        It is told once for each amount included: where the plan is raised later, it can be reached again. In a closed
        account too: what was used before is still to be paid for.
        """
        for one in thresholds(self.plan, period) if self.plan is not None else ():
            if one.is_reached(used) and one not in self.thresholds_told:
                self._record(
                    self.UsageThresholdReached,
                    at,
                    cause,
                    resource=one.resource,
                    threshold=one.percent,
                    period_start=one.period_start,
                    used=used.of(one.resource),
                    included=one.included,
                )

    def require_room_for(self, email_hash: str) -> None:
        """Raise the refusal that a sub-user with this e-mail would meet, if any."""
        self._require_open()
        if any(sub_user.email_hash == email_hash for sub_user in self.sub_users.values()):
            raise refusals.SubUserEmailTaken
        if len(self.sub_users) >= self.sub_user_limit:
            raise refusals.SubUserLimitReached

    def create_sub_user(
        self,
        sub_user_id: UUID,
        *,
        email: Sealed,
        email_hash: str,
        name: Sealed,
        surname: Sealed,
        visible: bool = True,
        access_expires_at: datetime | None = None,
        at: datetime,
        cause: Cause,
    ) -> None:
        """Let a collaborator in, inactive as yet. Raises `SubUserEmailTaken` or `SubUserLimitReached`."""
        self.require_room_for(email_hash)
        self._record(
            self.SubUserCreated,
            at,
            cause,
            sub_user_id=sub_user_id,
            email=email,
            email_hash=email_hash,
            name=name,
            surname=surname,
            visible=visible,
            access_expires_at=access_expires_at,
        )

    def needs_new_password(self, sub_user_id: UUID, edit: SubUserEdit) -> bool:
        """Say whether the edit activates somebody again, which takes new access data (rule 3)."""
        sub_user = self.sub_user(sub_user_id)
        return edit.active is True and not sub_user.active and sub_user.was_activated

    def edit_sub_user(self, sub_user_id: UUID, edit: SubUserEdit, *, at: datetime, cause: Cause) -> None:
        """Change several things at once, all or nothing. What is already so changes nothing."""
        self._require_open()
        sub_user = self.sub_user(sub_user_id)
        if edit.name is not None or edit.surname is not None:
            self._record(
                self.SubUserDetailsChanged, at, cause, sub_user_id=sub_user_id, name=edit.name, surname=edit.surname
            )
        if edit.visible not in {None, sub_user.visible}:
            self._record(self.SubUserVisibilityChanged, at, cause, sub_user_id=sub_user_id, visible=edit.visible)
        if edit.expiry_given and edit.access_expires_at != sub_user.access_expires_at:
            self._record(
                self.SubUserAccessExpirySet,
                at,
                cause,
                sub_user_id=sub_user_id,
                access_expires_at=edit.access_expires_at,
            )
        if edit.active is False and sub_user.active:
            self._record(self.SubUserDeactivated, at, cause, sub_user_id=sub_user_id)
        activating = edit.active is True and not sub_user.active
        if edit.new_password and not activating:
            stays_active = sub_user.active and edit.active is not False
            self._issue_password(sub_user, Notice.RESET if stays_active else Notice.NONE, at, cause)
        if activating:
            self._activate(sub_user, edit, at, cause)

    def send_credentials_again(self, sub_user_id: UUID, *, at: datetime, cause: Cause) -> None:
        """Issue a new temporary password and mail it. Raises `SubUserIsInactive` unless they may log in."""
        self._require_open()
        sub_user = self.sub_user(sub_user_id)
        if not sub_user.active:
            raise refusals.SubUserIsInactive
        self._issue_password(sub_user, Notice.SEND_AGAIN, at, cause)

    def delete_sub_user(self, sub_user_id: UUID, *, held: bool = False, at: datetime, cause: Cause) -> None:
        """Remove a sub-user for good, and with them all that could be read of them: in a closed account too.

        Where it is `held`, what can be read of them is erased later.
        """
        self.sub_user(sub_user_id)
        self._record(self.SubUserDeleted, at, cause, sub_user_id=sub_user_id)
        if not held:
            self._record(self.PersonalDataErased, at, cause, sub_user_id=sub_user_id)

    def erase_sub_user(self, sub_user_id: UUID, *, at: datetime, cause: Cause) -> None:
        """Have nothing be readable of a sub-user any more, who is deleted with that if they live."""
        if sub_user_id in self.sub_users:
            self._record(self.SubUserDeleted, at, cause, sub_user_id=sub_user_id)
        self._record(self.PersonalDataErased, at, cause, sub_user_id=sub_user_id)

    def erase_everybody(self, sub_user_ids: Iterable[UUID], *, at: datetime, cause: Cause) -> None:
        """Have nothing be readable of these sub-users, of any others who live, and of the owner; close the account."""
        self.close(at=at, cause=cause)
        for sub_user_id in dict.fromkeys([*sub_user_ids, *self.sub_users]):
            self.erase_sub_user(sub_user_id, at=at, cause=cause)
        self._record(self.PersonalDataErased, at, cause, sub_user_id=None)

    def log_in(self, sub_user_id: UUID, session_id: UUID, *, at: datetime, cause: Cause) -> None:
        """Open a session for a sub-user whose password was right. Raises `LoginRefused` unless they have access."""
        sub_user = self.sub_user(sub_user_id)
        why = self.why_no_access(sub_user, at)
        if why is not None:
            raise refusals.LoginRefused(why)
        self._record(
            self.SubUserLoggedIn,
            at,
            cause,
            sub_user_id=sub_user_id,
            session_id=session_id,
            with_temporary_password=sub_user.must_change_password,
        )

    def why_no_access(self, sub_user: SubUser, at: datetime) -> str | None:
        """Return why this sub-user may not log in at that moment, None if they may."""
        if self.closed_at is not None:
            return "account_closed"
        if sub_user.locked:
            return "locked"
        if not sub_user.active:
            return "inactive"
        return "expired" if sub_user.has_expired(at) else None

    def note_refused_login(
        self, sub_user_id: UUID | None, why: str, failures: int, *, at: datetime, cause: Cause
    ) -> None:
        """Record a refused login, unless so many came before it that it says nothing new; lock after too many."""
        if _says_something_new(failures):
            self._record(self.SubUserLoginRefused, at, cause, sub_user_id=sub_user_id, why=why, failures=failures)
        sub_user = self.sub_users.get(sub_user_id) if sub_user_id is not None else None
        if sub_user is not None and failures >= LOCKING_FAILURES and not sub_user.locked:
            self._record(self.SubUserLockedOut, at, cause, sub_user_id=sub_user.sub_user_id, failures=failures)

    def change_own_password(self, sub_user_id: UUID, session_id: UUID, *, at: datetime, cause: Cause) -> None:
        """Let a sub-user have a password of their own, and a new session with it."""
        sub_user = self.sub_user(sub_user_id)
        why = self.why_no_access(sub_user, at)
        if why is not None:
            raise refusals.LoginRefused(why)
        self._record(
            self.SubUserPasswordChanged,
            at,
            cause,
            sub_user_id=sub_user_id,
            credentials=sub_user.credentials + 1,
        )
        self._record(
            self.SubUserLoggedIn,
            at,
            cause,
            sub_user_id=sub_user_id,
            session_id=session_id,
            with_temporary_password=False,
        )

    def log_out(self, sub_user_id: UUID, session_id: UUID | None, *, at: datetime, cause: Cause) -> None:
        """End one session, or all of them (None)."""
        self.sub_user(sub_user_id)
        self._record(self.SubUserLoggedOut, at, cause, sub_user_id=sub_user_id, session_id=session_id)

    def note_mail(
        self,
        sub_user_id: UUID,
        notice: Notice,
        caused_by: int,
        reply: Sealed,
        *,
        accepted: bool,
        at: datetime,
        cause: Cause,
    ) -> None:
        """Record what came of a mail. Of somebody who was deleted meanwhile there is nothing to record."""
        if sub_user_id in self.sub_users:
            self._record(
                self.CredentialsMailed if accepted else self.CredentialsMailFailed,
                at,
                cause,
                sub_user_id=sub_user_id,
                notice=notice,
                caused_by=caused_by,
                reply=reply,
            )

    # What it can be asked

    def sub_user(self, sub_user_id: UUID) -> SubUser:
        """Return a living sub-user. Raises `SubUserNotFound`."""
        try:
            return self.sub_users[sub_user_id]
        except KeyError:
            raise refusals.SubUserNotFound from None

    def sub_user_with_email(self, email_hash: str) -> SubUser | None:
        """Return the living sub-user with this e-mail, None if there is none."""
        return next((one for one in self.sub_users.values() if one.email_hash == email_hash), None)

    def _require_open(self) -> None:
        if self.closed_at is not None:
            raise refusals.AccountIsClosed

    # How it records

    def _record(self, event_class: type[events.Event], at: datetime, cause: Cause, **facts: Any) -> None:
        # Clocks of several hosts differ: time must not run backwards within a history that is read as of a time.
        self.trigger_event(event_class, timestamp=max(at, self.modified_on), **facts, **vars(cause))

    def _issue_password(self, sub_user: SubUser, notice: Notice, at: datetime, cause: Cause) -> None:
        self._record(
            self.SubUserPasswordReset,
            at,
            cause,
            sub_user_id=sub_user.sub_user_id,
            credentials=sub_user.credentials + 1,
            notice=notice,
        )
        self._unlock(sub_user, at, cause)

    def _activate(self, sub_user: SubUser, edit: SubUserEdit, at: datetime, cause: Cause) -> None:
        first = not sub_user.was_activated
        self._record(
            self.SubUserActivated,
            at,
            cause,
            sub_user_id=sub_user.sub_user_id,
            credentials=sub_user.credentials + int(edit.new_password or not first),
            notice=Notice.ACTIVATION if first else Notice.REACTIVATION,
        )
        self._unlock(sub_user, at, cause)

    def _unlock(self, sub_user: SubUser, at: datetime, cause: Cause) -> None:
        if sub_user.locked:
            self._record(self.SubUserUnlocked, at, cause, sub_user_id=sub_user.sub_user_id)

    # How it evolves

    @event(events.MainAccountDetailsChanged)
    def _details_changed(
        self, email: Sealed | None, email_hash: str | None, company_name: Sealed | None, language: str | None
    ) -> None:
        self.email = email or self.email
        self.email_hash = email_hash or self.email_hash
        self.company_name = company_name or self.company_name
        self.language = language or self.language

    @event(events.MainAccountClosed)
    def _closed(self, timestamp: datetime) -> None:
        self.closed_at = timestamp

    @event(events.SubUserLimitRaised)
    def _limit_raised(self, sub_user_limit: int) -> None:
        self.sub_user_limit = sub_user_limit

    @event(events.MainAccountPlanSet)
    def _plan_set(self, included_minutes: int, included_tokens: int, period_start: date) -> None:
        self.plan = Plan(included_minutes, included_tokens, period_start)

    @event(events.UsageThresholdReached)
    def _usage_threshold_reached(self, resource: Resource, threshold: int, period_start: date, included: int) -> None:
        told = Threshold(resource, threshold, period_start, included)
        remembered = {one for one in self.thresholds_told if one.period_start >= period_start - REMEMBERED}
        self.thresholds_told = frozenset({*remembered, told})

    @event(events.SubUserCreated)
    def _sub_user_created(
        self,
        sub_user_id: UUID,
        email: Sealed,
        email_hash: str,
        name: Sealed,
        surname: Sealed,
        visible: bool,
        access_expires_at: datetime | None,
        timestamp: datetime,
    ) -> None:
        self.sub_users[sub_user_id] = SubUser(
            sub_user_id=sub_user_id,
            email_hash=email_hash,
            email=email,
            name=name,
            surname=surname,
            created_at=timestamp,
            visible=visible,
            access_expires_at=access_expires_at,
        )

    @event(events.SubUserDetailsChanged)
    def _sub_user_details_changed(self, sub_user_id: UUID, name: Sealed | None, surname: Sealed | None) -> None:
        one = self.sub_users[sub_user_id]
        self._revise(one, name=name or one.name, surname=surname or one.surname)

    @event(events.SubUserVisibilityChanged)
    def _sub_user_visibility_changed(self, sub_user_id: UUID, visible: bool) -> None:
        self._revise(self.sub_users[sub_user_id], visible=visible)

    @event(events.SubUserAccessExpirySet)
    def _sub_user_access_expiry_set(self, sub_user_id: UUID, access_expires_at: datetime | None) -> None:
        self._revise(self.sub_users[sub_user_id], access_expires_at=access_expires_at)

    @event(events.SubUserActivated)
    def _sub_user_activated(self, sub_user_id: UUID, credentials: int, originator_version: int) -> None:
        self._revise(
            self.sub_users[sub_user_id],
            active=True,
            was_activated=True,
            must_change_password=True,
            credentials=credentials,
            credentials_mail=CredentialsMailState.PENDING,
            mail_version=originator_version,
        )

    @event(events.SubUserDeactivated)
    def _sub_user_deactivated(self, sub_user_id: UUID) -> None:
        one = self.sub_users[sub_user_id]
        self._revise(one, active=False, credentials_mail=_without_waiting(one.credentials_mail))

    @event(events.SubUserPasswordReset)
    def _sub_user_password_reset(
        self, sub_user_id: UUID, credentials: int, notice: Notice, originator_version: int
    ) -> None:
        self._revise(self.sub_users[sub_user_id], must_change_password=True, credentials=credentials)
        if notice != Notice.NONE:
            self._update(
                self.sub_users[sub_user_id],
                credentials_mail=CredentialsMailState.PENDING,
                mail_version=originator_version,
            )

    @event(events.SubUserPasswordChanged)
    def _sub_user_password_changed(self, sub_user_id: UUID, credentials: int) -> None:
        one = self.sub_users[sub_user_id]
        mail = _without_waiting(one.credentials_mail)
        self._revise(one, must_change_password=False, credentials=credentials, credentials_mail=mail)

    @event(events.SubUserLoggedIn)
    def _sub_user_logged_in(self, sub_user_id: UUID, timestamp: datetime) -> None:
        self._update(self.sub_users[sub_user_id], last_login_at=timestamp)

    @event(events.SubUserLockedOut)
    def _sub_user_locked_out(self, sub_user_id: UUID) -> None:
        self._update(self.sub_users[sub_user_id], locked=True)

    @event(events.SubUserUnlocked)
    def _sub_user_unlocked(self, sub_user_id: UUID) -> None:
        self._update(self.sub_users[sub_user_id], locked=False)

    @event(events.SubUserDeleted)
    def _sub_user_deleted(self, sub_user_id: UUID) -> None:
        del self.sub_users[sub_user_id]

    @event(events.CredentialsMailed)
    def _credentials_mailed(self, sub_user_id: UUID, caused_by: int) -> None:
        self._mail_settled(sub_user_id, caused_by, CredentialsMailState.SENT)

    @event(events.CredentialsMailFailed)
    def _credentials_mail_failed(self, sub_user_id: UUID, caused_by: int) -> None:
        self._mail_settled(sub_user_id, caused_by, CredentialsMailState.FAILED)

    def _mail_settled(self, sub_user_id: UUID, caused_by: int, state: CredentialsMailState) -> None:
        if self.sub_users[sub_user_id].mail_version == caused_by:  # else it was about an earlier mail, or another kind
            self._update(self.sub_users[sub_user_id], credentials_mail=state)

    def _revise(self, sub_user: SubUser, **changes: Any) -> None:
        self._update(sub_user, revision=sub_user.revision + 1, **changes)

    def _update(self, sub_user: SubUser, **changes: Any) -> None:
        self.sub_users[sub_user.sub_user_id] = replace(sub_user, **changes)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy to decide on. Its parts are immutable, so copying the containers is enough, and quick."""
        copy = object.__new__(type(self))
        copy.__dict__ = {
            **self.__dict__,
            "sub_users": dict(self.sub_users),
            "_pending_events": list(self.pending_events),
        }
        return copy


def _says_something_new(failures: int) -> bool:
    """Say whether a failed login is recorded, that is the last of so many in a row."""
    return failures <= RECORDED_FAILURES or failures.bit_count() == 1


def _without_waiting(mail: CredentialsMailState) -> CredentialsMailState:
    """Return what is so of a mail with access data now: one that has not gone out does not any more."""
    return CredentialsMailState.NONE if mail == CredentialsMailState.PENDING else mail
