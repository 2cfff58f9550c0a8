"""Main account of a company: the aggregate that decides every rule about the company's sub-users.

A company registers one main account. Its owner manages sub-users, who are people with a login of their own. One event
stream holds the whole history of the account and its sub-users, so every decision sees all of it.

The life of a sub-user: created (inactive) -> activated <-> deactivated -> deleted -> erased.

The rules, with the numbers by which the tests refer to them:

 1. Accounts are independent. An e-mail is unique among the sub-users of one account, not across accounts.
 2. A command applies all of its changes or none.
 3. Activation mails credentials. The first activation mails the current temporary password. Each later one, and
    "send again", issues and mails a new one. Instead of a password, each can mail an invitation: a link with which the
    sub-user chooses their password.
 4. A refused login does not reveal the reason. Only the history has it.
 5. A password that the sub-user did not choose is temporary: it expires after 7 days, and a session opened with it
    can only replace it.
 6. Access can have an expiry, and ends at exactly that time.
 7. Deletion is final. It ends all sessions and erases the personal data, at once or after a legal hold.
 8. An account has at most 10 sub-users until support raises the limit. Inactive and hidden ones count.
 9. A hidden sub-user is left out of lists and reports, and keeps their access.
10. What a sub-user may do, their roles say (`domain.access_decision`). A new one may do all that is not reserved for
    the owner. Only the owner and support grant roles.
11. A new e-mail inherits no password. An active sub-user is mailed new credentials there, an inactive one with the next
    activation.

In addition, the number of credentials mails per hour is limited, and each usage threshold of the account's plan is
reported once. A closed account refuses logins and changes, except deletions and erasures.

Failed logins: the first 5 in a row are recorded, then those whose number is a power of two. 100 in a row lock the
sub-user. A lock refuses nothing here. It means that the throttle of logins (docs/security.md) admits only one attempt
an hour from networks that the sub-user has not used lately. A login or new credentials end the lock.

Second factors: a person has at most 10. If they have any, or the account has the policy `required`, a session has full
rights only after it proved one. Only such a session adds or removes further ones.

Legal hold: if the service has an erasure delay (`SUBUSERS_ERASURE_DELAY`), every deletion of a sub-user places a legal
hold on their personal data. It is erased when the delay is over, instead of at once.

E-mails are encrypted, so the account compares hashes, which depend on a person's key. `email_hash` is the hash of an
e-mail under the key of its own person, `email_hashes` are those of one e-mail under the keys of several people.

A command method checks the rules, then raises a `Refusal` or records events. An `@event` method only applies an event
to the state and checks nothing, so that history stays readable after a rule becomes stricter. The aggregate is pure: it
receives the time, ids, hashes and encrypted text as arguments.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from eventsourcing.domain import Aggregate, event

from domain import events, refusals
from domain.mails import LinkPurpose, RecentMails
from domain.owner_email import CONFIRMATION_LIFETIME, FORMER_EMAIL_LIFETIME, FormerEmail, OwnerEmail, PendingEmail
from domain.plan import NOTIFICATION_RETENTION, Plan, Threshold, thresholds
from domain.roles import BUILT_IN_ROLES, MAX_GRANTS, MAX_ROLES, OPERATOR, Grant, Role
from domain.second_factor import MAX_SECOND_FACTORS, RECOVERY_CODES, SecondFactorKind, SecondFactorPolicy
from domain.snapshot import MainAccountSnapshot
from domain.sub_user import CredentialsKind, CredentialsMailState, Notice, SubUser, SubUserEdit, has_passed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import date, datetime
    from uuid import UUID

    from domain.event_metadata import Ciphertext, EventMetadata, Via
    from domain.mails import SecurityNotice
    from domain.plan import Period, Resource, Usage
    from domain.second_factor import VerificationMethod

INITIAL_SUB_USER_LIMIT = 10
"""Maximum number of sub-users until support raises it (rule 8)."""

LOCKING_FAILURES = 100
"""Consecutive failed logins that lock a sub-user, or an owner's password (NIST SP 800-63B-4, 3.2.2)."""

RECORDED_FAILURES = 5
"""Consecutive failed logins that are all recorded. Of the later ones, each power of two is recorded."""


class MainAccount(Aggregate):
    """Main account with its sub-users: the consistency boundary of all their rules."""

    TOPIC = "MainAccount"
    Snapshot = MainAccountSnapshot  # type: ignore[assignment]  # the library accepts any class, but types it as its own

    Event = events.Event
    Created = events.MainAccountRegistered  # type: ignore[assignment]  # the library requires this name
    MainAccountDetailsChanged = events.MainAccountDetailsChanged
    MainAccountExternalIdSet = events.MainAccountExternalIdSet
    MainAccountClosed = events.MainAccountClosed
    MainAccountLoggedIn = events.MainAccountLoggedIn
    MainAccountLoginRefused = events.MainAccountLoginRefused
    MainAccountLoggedOut = events.MainAccountLoggedOut
    SubUserLimitRaised = events.SubUserLimitRaised
    MainAccountPlanSet = events.MainAccountPlanSet
    UsageThresholdReached = events.UsageThresholdReached
    PasswordResetPolicySet = events.PasswordResetPolicySet
    SubUserCreated = events.SubUserCreated
    SubUserDetailsChanged = events.SubUserDetailsChanged
    SubUserEmailChanged = events.SubUserEmailChanged
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
    RoleCreated = events.RoleCreated
    RoleChanged = events.RoleChanged
    RoleDeleted = events.RoleDeleted
    RoleGranted = events.RoleGranted
    RoleRevoked = events.RoleRevoked
    PasswordResetRequested = events.PasswordResetRequested
    PasswordResetForwarded = events.PasswordResetForwarded
    LinkUsed = events.LinkUsed
    NoticeMailed = events.NoticeMailed
    NoticeMailFailed = events.NoticeMailFailed
    SecondFactorAdded = events.SecondFactorAdded
    SecondFactorRemoved = events.SecondFactorRemoved
    SecondFactorsReset = events.SecondFactorsReset
    RecoveryCodesIssued = events.RecoveryCodesIssued
    SecondFactorVerified = events.SecondFactorVerified
    SecondFactorRefused = events.SecondFactorRefused
    SecondFactorPolicySet = events.SecondFactorPolicySet
    NewDeviceSignedIn = events.NewDeviceSignedIn
    MainAccountEmailChangeRequested = events.MainAccountEmailChangeRequested
    MainAccountFormerEmailKept = events.MainAccountFormerEmailKept
    MainAccountEmailChangeUndone = events.MainAccountEmailChangeUndone
    SignInEmailAnnounced = events.SignInEmailAnnounced

    def __init__(
        self,
        *,
        email: Ciphertext,
        email_hash: str,
        company_name: Ciphertext,
        language: str,
        sub_user_limit: int,
        external_id: Ciphertext | None,
    ) -> None:
        self.owner_email = OwnerEmail(email, email_hash)
        self.company_name = company_name
        self.language = language
        self.sub_user_limit = sub_user_limit
        self.external_id = external_id
        self.closed_at: datetime | None = None
        self.plan: Plan | None = None
        self.notified_thresholds: frozenset[Threshold] = frozenset()
        self.recent_mails = RecentMails()
        self.sub_users: dict[UUID, SubUser] = {}
        self.roles: dict[UUID, Role] = {}
        self.grant_counts: dict[UUID, Counter[UUID]] = {}
        self.sub_user_password_reset = True
        self.second_factor_policy = SecondFactorPolicy.OPTIONAL
        self.second_factors: dict[UUID, Mapping[UUID, SecondFactorKind]] = {}

    # Commands: check the rules, then raise a refusal or record events

    @classmethod
    def register(
        cls,
        account_id: UUID,
        *,
        email: Ciphertext,
        email_hash: str,
        company_name: Ciphertext,
        language: str,
        external_id: Ciphertext | None = None,
        at: datetime,
        metadata: EventMetadata,
    ) -> Self:
        """Return a new account with the initial sub-user limit. `external_id` is the portal's own id of it."""
        return cls._create(
            cls.Created,
            id=account_id,
            timestamp=at,
            email=email,
            email_hash=email_hash,
            company_name=company_name,
            language=language,
            sub_user_limit=INITIAL_SUB_USER_LIMIT,
            external_id=external_id,
            **asdict(metadata),
        )

    def change_details(
        self,
        *,
        email: Ciphertext | None = None,
        email_hash: str | None = None,
        company_name: Ciphertext | None = None,
        language: str | None = None,
        password_changed: bool = False,
        at: datetime,
        metadata: EventMetadata,
    ) -> None:
        """Change the account's own details. None leaves a value unchanged."""
        self._ensure_open()
        new_language = language if language != self.language else None
        if email is None and company_name is None and new_language is None and not password_changed:
            return
        self._record(
            self.MainAccountDetailsChanged,
            at,
            metadata,
            email=email,
            email_hash=email_hash,
            company_name=company_name,
            language=new_language,
            password_changed=password_changed,
        )

    def request_email(self, email: Ciphertext, email_hash: str, *, at: datetime, metadata: EventMetadata) -> None:
        """Request another e-mail for the account. It replaces the one that was requested before.

        Raises `TooManyEmailChanges`, or `TooManyMails` if the link that confirms it cannot be mailed.
        """
        self._ensure_open()
        self.owner_email.ensure_can_change(at)
        self.recent_mails.ensure_may_mail(self.id, at)
        expires_at = at + CONFIRMATION_LIFETIME
        self._record(
            self.MainAccountEmailChangeRequested,
            at,
            metadata,
            email=email,
            email_hash=email_hash,
            expires_at=expires_at,
        )

    def confirm_email(self, requested_by: int, *, at: datetime, metadata: EventMetadata) -> None:
        """Change the e-mail to the one that the event of this version requested.

        Raises `LinkInvalid` unless it still waits for confirmation, or `TooManyEmailChanges`.
        """
        pending = self.owner_email.requested_by(requested_by, at)
        self.owner_email.ensure_can_change(at)
        purpose = LinkPurpose.EMAIL_CONFIRMATION
        self._record(self.LinkUsed, at, metadata, sub_user_id=None, purpose=purpose)
        self.change_email(pending.email, pending.email_hash, at=at, metadata=metadata)

    def change_email(self, email: Ciphertext, email_hash: str, *, at: datetime, metadata: EventMetadata) -> None:
        """Change the e-mail, keep the former one for `FORMER_EMAIL_LIFETIME`, and announce it to active sub-users.

        Raises `TooManyEmailChanges`.
        """
        self._ensure_open()
        self.owner_email.ensure_can_change(at)
        former = self.owner_email
        self.change_details(email=email, email_hash=email_hash, at=at, metadata=metadata)
        self._record(
            self.MainAccountFormerEmailKept,
            at,
            metadata,
            email=former.current,
            email_hash=former.email_hash,
            kept_until=at + FORMER_EMAIL_LIFETIME,
        )
        self._announce_email(at, metadata)

    def undo_email_change(self, kept_by: int, *, at: datetime, metadata: EventMetadata) -> None:
        """Restore the former e-mail that the event of this version kept. Later e-mails do not work any more.

        Raises `LinkInvalid` unless the e-mail still works.
        """
        former = self.owner_email.kept_by(kept_by, at)
        self._record(self.LinkUsed, at, metadata, sub_user_id=None, purpose=LinkPurpose.EMAIL_UNDO)
        self.change_details(email=former.email, email_hash=former.email_hash, at=at, metadata=metadata)
        self._record(self.MainAccountEmailChangeUndone, at, metadata, kept_by=kept_by)
        self._announce_email(at, metadata)

    def set_external_id(self, external_id: Ciphertext | None, *, at: datetime, metadata: EventMetadata) -> None:
        """Set or remove the portal's own id of the account. Removing it from an account without one records nothing."""
        self._ensure_open()
        if external_id is not None or self.external_id is not None:
            self._record(self.MainAccountExternalIdSet, at, metadata, external_id=external_id)

    def close(self, *, at: datetime, metadata: EventMetadata) -> None:
        """Close the account, which ends all access to it. Closing it again records nothing."""
        if self.closed_at is None:
            self._record(self.MainAccountClosed, at, metadata)

    def log_in_owner(self, session_id: UUID, via: Via, *, at: datetime, metadata: EventMetadata) -> None:
        """Open a session for the authenticated owner. Raises `LoginRefused` if the account is closed."""
        if self.closed_at is not None:
            raise refusals.LoginRefused("account_closed")
        self._record(self.MainAccountLoggedIn, at, metadata, session_id=session_id, via=via)

    def record_refused_owner_login(self, why: str, failures: int, *, at: datetime, metadata: EventMetadata) -> None:
        """Record a refused login as the owner. After `RECORDED_FAILURES` in a row, only some are recorded."""
        if _should_record_failure(failures):
            self._record(self.MainAccountLoginRefused, at, metadata, why=why, failures=failures)

    def log_out_owner(self, session_id: UUID | None, *, at: datetime, metadata: EventMetadata) -> None:
        """End one session of the owner, or all of them (None)."""
        self._record(self.MainAccountLoggedOut, at, metadata, session_id=session_id)

    def raise_sub_user_limit(self, limit: int, *, at: datetime, metadata: EventMetadata) -> None:
        """Raise the sub-user limit; the same limit records nothing. Raises `LimitNotRaised` for a lower one."""
        self._ensure_open()
        if limit < self.sub_user_limit:
            raise refusals.LimitNotRaised
        if limit > self.sub_user_limit:
            self._record(self.SubUserLimitRaised, at, metadata, sub_user_limit=limit)

    def set_plan(self, plan: Plan, *, at: datetime, metadata: EventMetadata) -> None:
        """Set the included amounts of the plan and the start of its periods. The same plan records nothing."""
        self._ensure_open()
        if plan != self.plan:
            self._record(self.MainAccountPlanSet, at, metadata, **vars(plan))

    def set_password_reset_policy(self, *, allowed: bool, at: datetime, metadata: EventMetadata) -> None:
        """Allow or forbid sub-users to reset a forgotten password by mail. The same policy records nothing."""
        self._ensure_open()
        if allowed != self.sub_user_password_reset:
            self._record(self.PasswordResetPolicySet, at, metadata, allowed=allowed)

    def record_reached_thresholds(self, period: Period, used: Usage, *, at: datetime, metadata: EventMetadata) -> None:
        """Record each threshold that the usage in a period of the plan has reached and that is not recorded yet.

        Each is recorded once per included amount, so it can be reached again after the plan is raised. This also
        applies to a closed account, which still has to pay for its usage.
        """
        for threshold in thresholds(self.plan, period) if self.plan is not None else ():
            if threshold.is_reached(used) and threshold not in self.notified_thresholds:
                self._record(
                    self.UsageThresholdReached,
                    at,
                    metadata,
                    resource=threshold.resource,
                    threshold=threshold.percent,
                    period_start=threshold.period_start,
                    used=used.of(threshold.resource),
                    included=threshold.included,
                )

    def create_sub_user(
        self,
        sub_user_id: UUID,
        *,
        email: Ciphertext,
        email_hash: str,
        name: Ciphertext,
        surname: Ciphertext,
        visible: bool = True,
        access_expires_at: datetime | None = None,
        at: datetime,
        metadata: EventMetadata,
        hashes_under_existing_keys: AbstractSet[str] = frozenset(),
    ) -> None:
        """Create an inactive sub-user. Raises `SubUserEmailTaken` or `SubUserLimitReached`.

        `email_hash` is the hash of the e-mail under the new sub-user's key, `hashes_under_existing_keys` are its hashes
        under the keys of the existing sub-users.
        """
        self.ensure_can_add({email_hash, *hashes_under_existing_keys})
        self._record(
            self.SubUserCreated,
            at,
            metadata,
            sub_user_id=sub_user_id,
            email=email,
            email_hash=email_hash,
            name=name,
            surname=surname,
            visible=visible,
            access_expires_at=access_expires_at,
        )

    def edit_sub_user(self, sub_user_id: UUID, edit: SubUserEdit, *, at: datetime, metadata: EventMetadata) -> None:
        """Apply all changes of an edit, or none (rule 2). Unchanged values record no event.

        Raises `SubUserEmailTaken` if another sub-user has the new e-mail, `AccessExpired` if the edit activates the
        sub-user or mails them a password although their access has expired, and `TooManyMails` if it would exceed the
        limit of credentials mails.
        """
        self.ensure_can_edit(sub_user_id, edit, at=at)
        sub_user = self.sub_user(sub_user_id)
        if edit.email is not None:  # first: the mail to the former e-mail has the names from before this event
            self._record(
                self.SubUserEmailChanged,
                at,
                metadata,
                sub_user_id=sub_user_id,
                email=edit.email.encrypted,
                email_hash=edit.email.email_hash,
            )
        if edit.name is not None or edit.surname is not None:
            self._record(
                self.SubUserDetailsChanged, at, metadata, sub_user_id=sub_user_id, name=edit.name, surname=edit.surname
            )
        if edit.visible not in {None, sub_user.visible}:
            self._record(self.SubUserVisibilityChanged, at, metadata, sub_user_id=sub_user_id, visible=edit.visible)
        if edit.changes_expiry and edit.access_expires_at != sub_user.access_expires_at:
            self._record(
                self.SubUserAccessExpirySet,
                at,
                metadata,
                sub_user_id=sub_user_id,
                access_expires_at=edit.access_expires_at,
            )
        if edit.deactivates(sub_user):
            self._record(self.SubUserDeactivated, at, metadata, sub_user_id=sub_user_id)
        if edit.activates(sub_user):
            self._activate(sub_user, edit, at, metadata)
        elif edit.mails_new_password(sub_user):
            notice = Notice.RESET if edit.new_password else Notice.SEND_AGAIN
            self._issue_password(sub_user, _notice_of(edit.credentials_to_mail(sub_user), notice), at, metadata)
        elif edit.new_password:
            self._issue_password(sub_user, Notice.NONE, at, metadata)

    def send_credentials_again(
        self,
        sub_user_id: UUID,
        credentials_kind: CredentialsKind | None = None,
        *,
        at: datetime,
        metadata: EventMetadata,
    ) -> None:
        """Issue new credentials and mail them: of the same kind as the last ones, unless another is requested.

        Raises `SubUserIsInactive` or `AccessExpired` if the sub-user could not use it, or `TooManyMails`.
        """
        self._ensure_open()
        self.ensure_can_be_sent_credentials(sub_user_id, at)
        sub_user = self.sub_user(sub_user_id)
        self._issue_password(
            sub_user, _notice_of(credentials_kind or sub_user.credentials_kind, Notice.SEND_AGAIN), at, metadata
        )

    def delete_sub_user(
        self, sub_user_id: UUID, *, under_legal_hold: bool = False, at: datetime, metadata: EventMetadata
    ) -> None:
        """Delete a sub-user, also in a closed account.

        Erase their personal data at once, unless it is `under_legal_hold`: then `erase_sub_user` erases it later.
        """
        self._ensure_exists(sub_user_id)
        self._record(self.SubUserDeleted, at, metadata, sub_user_id=sub_user_id)
        if not under_legal_hold:
            self._record(self.PersonalDataErased, at, metadata, sub_user_id=sub_user_id)

    def erase_sub_user(self, sub_user_id: UUID, *, at: datetime, metadata: EventMetadata) -> None:
        """Erase a sub-user's personal data, deleting the sub-user first if necessary."""
        if sub_user_id in self.sub_users:
            self._record(self.SubUserDeleted, at, metadata, sub_user_id=sub_user_id)
        self._record(self.PersonalDataErased, at, metadata, sub_user_id=sub_user_id)

    def erase_all_people(self, sub_user_ids: Iterable[UUID], *, at: datetime, metadata: EventMetadata) -> None:
        """Close the account, and erase the owner, all existing sub-users, and the deleted ones in `sub_user_ids`."""
        self.close(at=at, metadata=metadata)
        for sub_user_id in dict.fromkeys([*sub_user_ids, *self.sub_users]):
            self.erase_sub_user(sub_user_id, at=at, metadata=metadata)
        self._record(self.PersonalDataErased, at, metadata, sub_user_id=None)

    def log_in(self, sub_user_id: UUID, session_id: UUID, *, at: datetime, metadata: EventMetadata) -> None:
        """Open a session for a sub-user who gave the right password. Raises `LoginRefused` unless they have access.

        The sign-in has already refused a temporary password that has expired.
        """
        sub_user = self.sub_user(sub_user_id)
        why = self.access_refusal(sub_user, at)
        if why is not None:
            raise refusals.LoginRefused(why)
        self._unlock(sub_user, at, metadata)
        self._record(
            self.SubUserLoggedIn,
            at,
            metadata,
            sub_user_id=sub_user_id,
            session_id=session_id,
            with_temporary_password=sub_user.must_change_password,
        )

    def log_in_with_passkey(
        self, sub_user_id: UUID, session_id: UUID, *, at: datetime, metadata: EventMetadata
    ) -> None:
        """Open a session for a sub-user who proved a passkey. Raises `LoginRefused` unless they have access.

        A lock continues: it is about the password.
        """
        why = self.access_refusal(self.sub_user(sub_user_id), at)
        if why is not None:
            raise refusals.LoginRefused(why)
        self._record(
            self.SubUserLoggedIn,
            at,
            metadata,
            sub_user_id=sub_user_id,
            session_id=session_id,
            with_temporary_password=False,
        )

    def record_refused_login(
        self, sub_user_id: UUID | None, why: str, failures: int, *, at: datetime, metadata: EventMetadata
    ) -> None:
        """Record a refused login, and the lock of the sub-user after `LOCKING_FAILURES` in a row.

        `failures` is the number of consecutive failures. After `RECORDED_FAILURES` only some are recorded.
        `sub_user_id` is None if no sub-user has the e-mail.
        """
        if _should_record_failure(failures):
            self._record(self.SubUserLoginRefused, at, metadata, sub_user_id=sub_user_id, why=why, failures=failures)
        sub_user = self.sub_users.get(sub_user_id) if sub_user_id is not None else None
        if sub_user is not None and failures >= LOCKING_FAILURES and not sub_user.locked:
            self._record(self.SubUserLockedOut, at, metadata, sub_user_id=sub_user.sub_user_id, failures=failures)

    def change_own_password(
        self, sub_user_id: UUID, session_id: UUID, *, at: datetime, metadata: EventMetadata
    ) -> None:
        """Replace a sub-user's password with one that they chose, and open a new session for them."""
        sub_user = self.sub_user(sub_user_id)
        why = self.access_refusal(sub_user, at)
        if why is not None:
            raise refusals.LoginRefused(why)
        self._record_chosen_password(sub_user, at, metadata)
        self._record(
            self.SubUserLoggedIn,
            at,
            metadata,
            sub_user_id=sub_user_id,
            session_id=session_id,
            with_temporary_password=False,
        )

    def log_out(self, sub_user_id: UUID, session_id: UUID | None, *, at: datetime, metadata: EventMetadata) -> None:
        """End one session of a sub-user, or all of them (None)."""
        self._ensure_exists(sub_user_id)
        self._record(self.SubUserLoggedOut, at, metadata, sub_user_id=sub_user_id, session_id=session_id)

    def record_new_device(
        self, sub_user_id: UUID | None, session_id: UUID, *, at: datetime, metadata: EventMetadata
    ) -> None:
        """Record that a sub-user, or the owner (None), opened a session from a device that was not known."""
        if sub_user_id is not None:
            self._ensure_exists(sub_user_id)
        self._record(self.NewDeviceSignedIn, at, metadata, sub_user_id=sub_user_id, session_id=session_id)

    def record_mail_outcome(
        self,
        sub_user_id: UUID,
        notice: Notice,
        caused_by: int,
        reply: Ciphertext,
        *,
        accepted: bool,
        at: datetime,
        metadata: EventMetadata,
    ) -> None:
        """Record the outcome of a mail to a sub-user. Record nothing if they have been deleted since.

        `caused_by` is the version of the event that requested the mail, `reply` the encrypted reply of the mail server.
        """
        if sub_user_id in self.sub_users:
            self._record(
                self.CredentialsMailed if accepted else self.CredentialsMailFailed,
                at,
                metadata,
                sub_user_id=sub_user_id,
                notice=notice,
                caused_by=caused_by,
                reply=reply,
            )

    # Forgotten passwords, mailed links and security notices. A `sub_user_id` of None is the owner.

    def request_password_reset(self, sub_user_id: UUID | None, *, at: datetime, metadata: EventMetadata) -> bool:
        """Record that someone asked for a link to reset a person's password. Return whether it is mailed to the person.

        Record nothing for a person without access.
        """
        if self.refusal_of_person(sub_user_id, at) is not None:
            return False
        if sub_user_id is not None and not self.sub_user_password_reset:
            self._record(self.PasswordResetForwarded, at, metadata, sub_user_id=sub_user_id)
            return False
        self._record(self.PasswordResetRequested, at, metadata, sub_user_id=sub_user_id)
        return True

    def choose_password_by_link(
        self, sub_user_id: UUID | None, purpose: LinkPurpose, *, at: datetime, metadata: EventMetadata
    ) -> None:
        """Replace a person's password with one that they chose after following a link.

        Raises `LoginRefused` if they have no access.
        """
        why = self.refusal_of_person(sub_user_id, at)
        if why is not None:
            raise refusals.LoginRefused(why)
        self._record(self.LinkUsed, at, metadata, sub_user_id=sub_user_id, purpose=purpose)
        if sub_user_id is None:
            self.change_details(password_changed=True, at=at, metadata=metadata)
        else:
            self._record_chosen_password(self.sub_user(sub_user_id), at, metadata)

    def record_notice_outcome(
        self,
        sub_user_id: UUID | None,
        notice: SecurityNotice,
        caused_by: int,
        reply: Ciphertext,
        *,
        accepted: bool,
        at: datetime,
        metadata: EventMetadata,
    ) -> None:
        """Record the outcome of a security notice. Record nothing if its recipient has been deleted since.

        `caused_by` is the version of the event that requested the mail, `reply` the encrypted reply of the mail server.
        """
        if sub_user_id is None or sub_user_id in self.sub_users:
            self._record(
                self.NoticeMailed if accepted else self.NoticeMailFailed,
                at,
                metadata,
                sub_user_id=sub_user_id,
                notice=notice,
                caused_by=caused_by,
                reply=reply,
            )

    # Roles. The account knows how often a sub-user has each role. The grants themselves, up to 1000 for each
    # sub-user, are rows that side effects write, because reading all of them with each command would take too long.

    def create_role(self, role: Role, *, has_unique_name: bool, at: datetime, metadata: EventMetadata) -> None:
        """Create a role. Raises `RoleLimitReached` or `RoleNameTaken`."""
        self._ensure_open()
        if len(self.roles) >= MAX_ROLES:
            raise refusals.RoleLimitReached
        if not has_unique_name:
            raise refusals.RoleNameTaken
        self._record(
            self.RoleCreated,
            at,
            metadata,
            role_id=role.role_id,
            name=role.name,
            description=role.description,
            permissions=_permission_names(role.permissions),
        )

    def change_role(
        self,
        role_id: UUID,
        *,
        name: Ciphertext | None = None,
        description: Ciphertext | None = None,
        permissions: frozenset[str] | None = None,
        has_unique_name: bool = True,
        at: datetime,
        metadata: EventMetadata,
    ) -> None:
        """Change a role. None leaves a value unchanged. Raises `RoleNotFound`, `RoleIsBuiltIn` or `RoleNameTaken`."""
        self._ensure_open()
        role = self.own_role(role_id)
        if not has_unique_name:
            raise refusals.RoleNameTaken
        new_permissions = permissions if permissions != role.permissions else None
        if name is not None or description is not None or new_permissions is not None:
            self._record(
                self.RoleChanged,
                at,
                metadata,
                role_id=role_id,
                name=name,
                description=description,
                permissions=None if new_permissions is None else _permission_names(new_permissions),
            )

    def withdraw_permissions(self, names: AbstractSet[str], *, at: datetime, metadata: EventMetadata) -> None:
        """Remove permissions from all roles that have them, because the catalogue no longer lets roles have them."""
        for role in list(self.roles.values()):
            if not role.permissions.isdisjoint(names):
                self._record(
                    self.RoleChanged,
                    at,
                    metadata,
                    role_id=role.role_id,
                    name=None,
                    description=None,
                    permissions=_permission_names(role.permissions - names),
                )

    def delete_role(self, role_id: UUID, *, at: datetime, metadata: EventMetadata) -> None:
        """Delete an unused role. Raises `RoleNotFound`, `RoleIsBuiltIn` or `RoleInUse`."""
        self._ensure_open()
        self.own_role(role_id)
        if self.holders_of(role_id):
            raise refusals.RoleInUse
        self._record(self.RoleDeleted, at, metadata, role_id=role_id)

    def grant_role(
        self, grant: Grant, resource_label: Ciphertext | None, *, at: datetime, metadata: EventMetadata
    ) -> None:
        """Give a sub-user a role. Raises `SubUserNotFound`, `RoleNotFound` or `GrantLimitReached`."""
        self._ensure_open()
        self._ensure_exists(grant.sub_user_id)
        if grant.role_id not in BUILT_IN_ROLES:
            self.own_role(grant.role_id)
        if self.grant_counts[grant.sub_user_id].total() >= MAX_GRANTS:
            raise refusals.GrantLimitReached
        self._record(
            self.RoleGranted,
            at,
            metadata,
            **_grant_fields(grant),
            resource_label=resource_label,
            expires_at=grant.expires_at,
        )

    def revoke_role(self, grant: Grant, *, at: datetime, metadata: EventMetadata) -> None:
        """Take a role from a sub-user. `grant` is one of their grants. Raises `SubUserNotFound`."""
        self._ensure_open()
        self._ensure_exists(grant.sub_user_id)
        self._record(
            self.RoleRevoked,
            at,
            metadata,
            **_grant_fields(grant),
        )

    # Second factors. `sub_user_id` is None for the account's owner.

    def set_second_factor_policy(self, policy: SecondFactorPolicy, *, at: datetime, metadata: EventMetadata) -> None:
        """Set who needs a second factor. The same policy records nothing."""
        self._ensure_open()
        if policy != self.second_factor_policy:
            self._record(self.SecondFactorPolicySet, at, metadata, policy=policy)

    def add_second_factor(
        self,
        sub_user_id: UUID | None,
        factor_id: UUID,
        *,
        kind: SecondFactorKind,
        name: Ciphertext,
        signs_in_alone: bool,
        at: datetime,
        metadata: EventMetadata,
    ) -> None:
        """Add a second factor of a person. Raises `SecondFactorLimitReached`."""
        self._ensure_open()
        if len(self.factors_of(sub_user_id)) >= MAX_SECOND_FACTORS:
            raise refusals.SecondFactorLimitReached
        self._record(
            self.SecondFactorAdded,
            at,
            metadata,
            sub_user_id=sub_user_id,
            factor_id=factor_id,
            kind=kind,
            name=name,
            signs_in_alone=signs_in_alone,
        )

    def remove_second_factor(
        self, sub_user_id: UUID | None, factor_id: UUID, *, at: datetime, metadata: EventMetadata
    ) -> None:
        """Remove a second factor of a person.

        Raises `SecondFactorNotFound`, or `LastSecondFactor` if the policy requires one.
        """
        self._ensure_open()
        factors = self.factors_of(sub_user_id)
        if factor_id not in factors:
            raise refusals.SecondFactorNotFound
        remaining = len(factors) - 1
        if remaining == 0 and self.second_factor_policy is SecondFactorPolicy.REQUIRED:
            raise refusals.LastSecondFactor
        self._record(
            self.SecondFactorRemoved, at, metadata, sub_user_id=sub_user_id, factor_id=factor_id, remaining=remaining
        )

    def reset_second_factors(self, sub_user_id: UUID | None, *, at: datetime, metadata: EventMetadata) -> None:
        """Remove all second factors of a person, and end their sessions. Without any, record nothing."""
        self._ensure_open()
        if self.factors_of(sub_user_id):
            self._record(self.SecondFactorsReset, at, metadata, sub_user_id=sub_user_id)

    def issue_recovery_codes(self, sub_user_id: UUID | None, *, at: datetime, metadata: EventMetadata) -> None:
        """Replace the recovery codes of a person. Raises `NoSecondFactor`."""
        self._ensure_open()
        if not self.factors_of(sub_user_id):
            raise refusals.NoSecondFactor
        self._record(self.RecoveryCodesIssued, at, metadata, sub_user_id=sub_user_id, count=RECOVERY_CODES)

    def verify_second_factor(  # the fields of the event
        self,
        sub_user_id: UUID | None,
        session_id: UUID,
        method: VerificationMethod,
        *,
        factor_id: UUID | None = None,
        former_session_id: UUID | None = None,
        remaining_codes: int | None = None,
        at: datetime,
        metadata: EventMetadata,
    ) -> None:
        """Open a session for a person who proved a second factor. Raises `LoginRefused` unless they have access."""
        why = self.refusal_of_person(sub_user_id, at)
        if why is not None:
            raise refusals.LoginRefused(why)
        self._record(
            self.SecondFactorVerified,
            at,
            metadata,
            sub_user_id=sub_user_id,
            method=method,
            factor_id=factor_id,
            former_session_id=former_session_id,
            session_id=session_id,
            remaining_codes=remaining_codes,
        )

    def record_refused_second_factor(
        self,
        sub_user_id: UUID | None,
        method: VerificationMethod,
        why: str,
        failures: int,
        *,
        at: datetime,
        metadata: EventMetadata,
    ) -> None:
        """Record a refused second factor, unless the person has been deleted. Of many in a row, only some."""
        exists = sub_user_id is None or sub_user_id in self.sub_users
        if exists and _should_record_failure(failures):
            self._record(
                self.SecondFactorRefused,
                at,
                metadata,
                sub_user_id=sub_user_id,
                method=method,
                why=why,
                failures=failures,
            )

    # Queries, and checks that record nothing

    def factors_of(self, sub_user_id: UUID | None) -> Mapping[UUID, SecondFactorKind]:
        """Return the kinds of a person's second factors by id, oldest first. Raises `SubUserNotFound`."""
        if sub_user_id is not None:
            self._ensure_exists(sub_user_id)
        return self.second_factors.get(sub_user_id or self.id, {})

    def refusal_of_person(self, sub_user_id: UUID | None, as_of: datetime) -> str | None:
        """Return the reason why a person has no access at a time, or None. Raises `SubUserNotFound`."""
        if sub_user_id is not None:
            return self.access_refusal(self.sub_user(sub_user_id), as_of)
        return "account_closed" if self.closed_at is not None else None

    def own_role(self, role_id: UUID) -> Role:
        """Return one of the account's own roles. Raises `RoleIsBuiltIn` or `RoleNotFound`."""
        if role_id in BUILT_IN_ROLES:
            raise refusals.RoleIsBuiltIn
        try:
            return self.roles[role_id]
        except KeyError:
            raise refusals.RoleNotFound from None

    def holders_of(self, role_id: UUID) -> int:
        """Return the number of sub-users who have a role, also on one resource or until a time that has passed."""
        return sum(counts[role_id] > 0 for counts in self.grant_counts.values())

    def sub_user(self, sub_user_id: UUID) -> SubUser:
        """Return an existing sub-user. Raises `SubUserNotFound`, also for a deleted one."""
        try:
            return self.sub_users[sub_user_id]
        except KeyError:
            raise refusals.SubUserNotFound from None

    def access_refusal(self, sub_user: SubUser, as_of: datetime) -> str | None:
        """Return the reason why a sub-user has no access at a time, or None if they have access.

        A lock is no reason: the throttle of logins enforces it, and a session continues.
        """
        if self.closed_at is not None:
            return "account_closed"
        if not sub_user.active:
            return "inactive"
        return "expired" if sub_user.has_expired(as_of) else None

    def login_refusal(self, sub_user: SubUser, as_of: datetime) -> str | None:
        """Return the reason why a sub-user cannot log in at a time even with the right password, or None.

        For questions about the past. `log_in` only checks the access: before it, the sign-in checks the expiry of a
        temporary password, which the vault stores with the password.
        """
        why = self.access_refusal(sub_user, as_of)
        if why is None and has_passed(sub_user.temporary_password_expires_at, as_of):
            return "temporary_password_expired"
        return why

    def ensure_can_add(self, email_hashes: AbstractSet[str]) -> None:
        """Raise the refusal that `create_sub_user` would raise for this e-mail, if any.

        `email_hashes` are the hashes of the e-mail under the keys of all existing sub-users.
        """
        self._ensure_open()
        if self.sub_user_with_email(email_hashes) is not None:
            raise refusals.SubUserEmailTaken
        if len(self.sub_users) >= self.sub_user_limit:
            raise refusals.SubUserLimitReached

    def issues_credentials(self, sub_user_id: UUID, edit: SubUserEdit) -> bool:
        """Return whether the edit issues new credentials: those it sets, or others that rule 3 or 11 requires."""
        sub_user = self.sub_user(sub_user_id)
        return (
            edit.new_password
            or self._activation_issues_credentials(sub_user, edit)
            or edit.mails_new_password(sub_user)
        )

    def ensure_can_edit(self, sub_user_id: UUID, edit: SubUserEdit, *, at: datetime) -> None:
        """Raise the refusal that `edit_sub_user` would raise, if any."""
        self._ensure_open()
        sub_user = self.sub_user(sub_user_id)
        if edit.email is not None:
            holder = self.sub_user_with_email(edit.email.all_hashes)
            if holder is not None and holder.sub_user_id != sub_user_id:
                raise refusals.SubUserEmailTaken
        mails_password = edit.mails_new_password(sub_user)
        if (edit.active is True or mails_password) and has_passed(edit.access_expiry_after(sub_user), at):
            raise refusals.AccessExpired
        if edit.activates(sub_user) or mails_password:
            self.recent_mails.ensure_may_mail(sub_user_id, at)

    def ensure_can_be_sent_credentials(self, sub_user_id: UUID, at: datetime) -> None:
        """Raise `SubUserIsInactive` or `AccessExpired` if new credentials could not be used, or `TooManyMails`."""
        sub_user = self.sub_user(sub_user_id)
        if not sub_user.active:
            raise refusals.SubUserIsInactive
        if sub_user.has_expired(at):
            raise refusals.AccessExpired
        self.recent_mails.ensure_may_mail(sub_user_id, at)

    def sub_user_with_email(self, email_hashes: AbstractSet[str]) -> SubUser | None:
        """Return the sub-user whose e-mail has one of these hashes, if any."""
        return next((sub_user for sub_user in self.sub_users.values() if sub_user.email_hash in email_hashes), None)

    def _ensure_open(self) -> None:
        if self.closed_at is not None:
            raise refusals.AccountIsClosed

    def _ensure_exists(self, sub_user_id: UUID) -> None:
        self.sub_user(sub_user_id)

    # Recording events

    def _record(self, event_class: type[events.Event], at: datetime, metadata: EventMetadata, **fields: Any) -> None:
        # Hosts' clocks differ, but queries as of a time need timestamps that never decrease within a stream.
        self.trigger_event(event_class, timestamp=max(at, self.modified_on), **fields, **vars(metadata))

    def _announce_email(self, at: datetime, metadata: EventMetadata) -> None:
        for sub_user in list(self.sub_users.values()):
            if self.access_refusal(sub_user, at) is None:
                self._record(self.SignInEmailAnnounced, at, metadata, sub_user_id=sub_user.sub_user_id)

    def _issue_password(self, sub_user: SubUser, notice: Notice, at: datetime, metadata: EventMetadata) -> None:
        self._record(
            self.SubUserPasswordReset,
            at,
            metadata,
            sub_user_id=sub_user.sub_user_id,
            credentials=sub_user.credentials_version + 1,
            notice=notice,
        )
        self._unlock(sub_user, at, metadata)

    def _record_chosen_password(self, sub_user: SubUser, at: datetime, metadata: EventMetadata) -> None:
        credentials_version = sub_user.credentials_version + 1
        self._record(
            self.SubUserPasswordChanged,
            at,
            metadata,
            sub_user_id=sub_user.sub_user_id,
            credentials=credentials_version,
        )
        self._unlock(sub_user, at, metadata)

    def _activate(self, sub_user: SubUser, edit: SubUserEdit, at: datetime, metadata: EventMetadata) -> None:
        notice = Notice.REACTIVATION if sub_user.was_activated else Notice.ACTIVATION
        has_new_password = edit.new_password or self._activation_issues_credentials(sub_user, edit)
        self._record(
            self.SubUserActivated,
            at,
            metadata,
            sub_user_id=sub_user.sub_user_id,
            credentials=sub_user.credentials_version + 1 if has_new_password else sub_user.credentials_version,
            notice=_notice_of(edit.credentials_to_mail(sub_user), notice),
        )
        self._unlock(sub_user, at, metadata)

    @staticmethod
    def _activation_issues_credentials(sub_user: SubUser, edit: SubUserEdit) -> bool:
        """Return whether the edit activates a sub-user with other credentials than the unused temporary password."""
        is_invitation = edit.credentials_to_mail(sub_user) == CredentialsKind.LINK
        return edit.activates(sub_user) and (sub_user.was_activated or is_invitation)

    def _unlock(self, sub_user: SubUser, at: datetime, metadata: EventMetadata) -> None:
        if sub_user.locked:
            self._record(self.SubUserUnlocked, at, metadata, sub_user_id=sub_user.sub_user_id)

    # Applying events to the state

    @event(events.MainAccountDetailsChanged)
    def _details_changed(
        self, email: Ciphertext | None, email_hash: str | None, company_name: Ciphertext | None, language: str | None
    ) -> None:
        if email is not None and email_hash is not None:
            self.owner_email = self.owner_email.changed(email, email_hash)
        self.company_name = company_name or self.company_name
        self.language = language or self.language

    @event(events.MainAccountEmailChangeRequested)
    def _email_change_requested(
        self, email: Ciphertext, email_hash: str, expires_at: datetime, originator_version: int, timestamp: datetime
    ) -> None:
        self.recent_mails = self.recent_mails.mailed(self.id, timestamp)
        pending = PendingEmail(email, email_hash, originator_version, expires_at)
        self.owner_email = self.owner_email.change_requested(pending)

    @event(events.MainAccountFormerEmailKept)
    def _former_email_kept(
        self, email: Ciphertext, email_hash: str, kept_until: datetime, originator_version: int, timestamp: datetime
    ) -> None:
        former = FormerEmail(email, email_hash, originator_version, kept_until)
        self.owner_email = self.owner_email.former_kept(former, timestamp)

    @event(events.MainAccountEmailChangeUndone)
    def _email_change_undone(self, kept_by: int) -> None:
        self.owner_email = self.owner_email.change_undone(kept_by)

    @event(events.MainAccountExternalIdSet)
    def _external_id_set(self, external_id: Ciphertext | None) -> None:
        self.external_id = external_id

    @event(events.MainAccountClosed)
    def _closed(self, timestamp: datetime) -> None:
        self.closed_at = timestamp
        self.owner_email = self.owner_email.account_closed()

    @event(events.SubUserLimitRaised)
    def _limit_raised(self, sub_user_limit: int) -> None:
        self.sub_user_limit = sub_user_limit

    @event(events.MainAccountPlanSet)
    def _plan_set(self, included_minutes: int, included_tokens: int, period_start: date) -> None:
        self.plan = Plan(included_minutes, included_tokens, period_start)

    @event(events.PasswordResetPolicySet)
    def _password_reset_policy_set(self, allowed: bool) -> None:
        self.sub_user_password_reset = allowed

    @event(events.UsageThresholdReached)
    def _usage_threshold_reached(self, resource: Resource, threshold: int, period_start: date, included: int) -> None:
        new_threshold = Threshold(resource, threshold, period_start, included)
        retained_thresholds = {
            earlier_threshold
            for earlier_threshold in self.notified_thresholds
            if earlier_threshold.period_start >= period_start - NOTIFICATION_RETENTION
        }
        self.notified_thresholds = frozenset({*retained_thresholds, new_threshold})

    @event(events.SubUserCreated)
    def _sub_user_created(
        self,
        sub_user_id: UUID,
        email: Ciphertext,
        email_hash: str,
        name: Ciphertext,
        surname: Ciphertext,
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
            password_issued_at=timestamp,
        )
        self.grant_counts[sub_user_id] = Counter({OPERATOR: 1})

    @event(events.SubUserDetailsChanged)
    def _sub_user_details_changed(self, sub_user_id: UUID, name: Ciphertext | None, surname: Ciphertext | None) -> None:
        self.sub_users[sub_user_id] = self.sub_users[sub_user_id].details_changed(name, surname)

    @event(events.SubUserEmailChanged)
    def _sub_user_email_changed(self, sub_user_id: UUID, email: Ciphertext, email_hash: str) -> None:
        self.sub_users[sub_user_id] = self.sub_users[sub_user_id].email_changed(email, email_hash)

    @event(events.SubUserVisibilityChanged)
    def _sub_user_visibility_changed(self, sub_user_id: UUID, visible: bool) -> None:
        self.sub_users[sub_user_id] = self.sub_users[sub_user_id].visibility_changed(visible=visible)

    @event(events.SubUserAccessExpirySet)
    def _sub_user_access_expiry_set(self, sub_user_id: UUID, access_expires_at: datetime | None) -> None:
        self.sub_users[sub_user_id] = self.sub_users[sub_user_id].access_expiry_set(access_expires_at)

    @event(events.SubUserActivated)
    def _sub_user_activated(
        self, sub_user_id: UUID, credentials: int, notice: Notice, originator_version: int, timestamp: datetime
    ) -> None:
        self.recent_mails = self.recent_mails.mailed(sub_user_id, timestamp)
        sub_user = self.sub_users[sub_user_id]
        self.sub_users[sub_user_id] = sub_user.activated(credentials, notice, originator_version, timestamp)

    @event(events.SubUserDeactivated)
    def _sub_user_deactivated(self, sub_user_id: UUID) -> None:
        self.sub_users[sub_user_id] = self.sub_users[sub_user_id].deactivated()

    @event(events.SubUserPasswordReset)
    def _sub_user_password_reset(
        self, sub_user_id: UUID, credentials: int, notice: Notice, originator_version: int, timestamp: datetime
    ) -> None:
        if notice != Notice.NONE:
            self.recent_mails = self.recent_mails.mailed(sub_user_id, timestamp)
        sub_user = self.sub_users[sub_user_id]
        self.sub_users[sub_user_id] = sub_user.password_reset(credentials, notice, originator_version, timestamp)

    @event(events.SubUserPasswordChanged)
    def _sub_user_password_changed(self, sub_user_id: UUID, credentials: int) -> None:
        self.sub_users[sub_user_id] = self.sub_users[sub_user_id].password_changed(credentials)

    @event(events.SubUserLoggedIn)
    def _sub_user_logged_in(self, sub_user_id: UUID, timestamp: datetime) -> None:
        self.sub_users[sub_user_id] = self.sub_users[sub_user_id].logged_in(timestamp)

    @event(events.SubUserLockedOut)
    def _sub_user_locked_out(self, sub_user_id: UUID) -> None:
        self.sub_users[sub_user_id] = self.sub_users[sub_user_id].locked_out()

    @event(events.SubUserUnlocked)
    def _sub_user_unlocked(self, sub_user_id: UUID) -> None:
        self.sub_users[sub_user_id] = self.sub_users[sub_user_id].unlocked()

    @event(events.SubUserDeleted)
    def _sub_user_deleted(self, sub_user_id: UUID) -> None:
        del self.sub_users[sub_user_id]
        del self.grant_counts[sub_user_id]
        self.second_factors.pop(sub_user_id, None)

    @event(events.RoleCreated)
    def _role_created(self, role_id: UUID, name: Ciphertext, description: Ciphertext, permissions: str) -> None:
        self.roles[role_id] = Role(role_id, name, description, frozenset(permissions.split()))

    @event(events.RoleChanged)
    def _role_changed(
        self, role_id: UUID, name: Ciphertext | None, description: Ciphertext | None, permissions: str | None
    ) -> None:
        role = self.roles[role_id]
        self.roles[role_id] = Role(
            role_id,
            name or role.name,
            description or role.description,
            role.permissions if permissions is None else frozenset(permissions.split()),
        )

    @event(events.RoleDeleted)
    def _role_deleted(self, role_id: UUID) -> None:
        del self.roles[role_id]

    @event(events.RoleGranted)
    def _role_granted(self, sub_user_id: UUID, role_id: UUID) -> None:
        self.grant_counts[sub_user_id] = self.grant_counts[sub_user_id] + Counter({role_id: 1})

    @event(events.RoleRevoked)
    def _role_revoked(self, sub_user_id: UUID, role_id: UUID) -> None:
        self.grant_counts[sub_user_id] = self.grant_counts[sub_user_id] - Counter({role_id: 1})

    @event(events.SecondFactorPolicySet)
    def _second_factor_policy_set(self, policy: SecondFactorPolicy) -> None:
        self.second_factor_policy = policy

    @event(events.SecondFactorAdded)
    def _second_factor_added(self, sub_user_id: UUID | None, factor_id: UUID, kind: SecondFactorKind) -> None:
        person_id = sub_user_id or self.id
        self.second_factors[person_id] = {**self.second_factors.get(person_id, {}), factor_id: kind}
        if sub_user_id is not None:
            self.sub_users[sub_user_id] = self.sub_users[sub_user_id].second_factor_added()

    @event(events.SecondFactorRemoved)
    def _second_factor_removed(self, sub_user_id: UUID | None, factor_id: UUID, remaining: int) -> None:
        person_id = sub_user_id or self.id
        factors = self.second_factors.pop(person_id)
        if remaining:
            self.second_factors[person_id] = {id_: kind for id_, kind in factors.items() if id_ != factor_id}
        if sub_user_id is not None:
            self.sub_users[sub_user_id] = self.sub_users[sub_user_id].second_factor_removed(remaining)

    @event(events.SecondFactorsReset)
    def _second_factors_reset(self, sub_user_id: UUID | None) -> None:
        del self.second_factors[sub_user_id or self.id]
        if sub_user_id is not None:
            self.sub_users[sub_user_id] = self.sub_users[sub_user_id].second_factors_reset()

    @event(events.CredentialsMailed)
    def _credentials_mailed(self, sub_user_id: UUID, caused_by: int) -> None:
        self._finish_mail(sub_user_id, caused_by, CredentialsMailState.SENT)

    @event(events.CredentialsMailFailed)
    def _credentials_mail_failed(self, sub_user_id: UUID, caused_by: int) -> None:
        self._finish_mail(sub_user_id, caused_by, CredentialsMailState.FAILED)

    def _finish_mail(self, sub_user_id: UUID, caused_by: int, outcome: CredentialsMailState) -> None:
        self.sub_users[sub_user_id] = self.sub_users[sub_user_id].credentials_mail_finished(caused_by, outcome)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy to decide on. The values are immutable, so it is enough to copy the containers."""
        copy = object.__new__(type(self))
        copy.__dict__ = {
            **self.__dict__,
            "sub_users": dict(self.sub_users),
            "roles": dict(self.roles),
            "grant_counts": dict(self.grant_counts),
            "second_factors": dict(self.second_factors),
            "_pending_events": list(self.pending_events),
        }
        return copy


def _grant_fields(grant: Grant) -> dict[str, Any]:
    """Return the fields of events that say what a grant gives, and to whom."""
    return {
        "sub_user_id": grant.sub_user_id,
        "grant_id": grant.grant_id,
        "role_id": grant.role_id,
        "resource_type": grant.resource.type if grant.resource is not None else None,
        "resource_id": grant.resource.id if grant.resource is not None else None,
    }


def _permission_names(permissions: AbstractSet[str]) -> str:
    """Return the names of permissions as events have them."""
    return " ".join(sorted(permissions))


def _should_record_failure(failures: int) -> bool:
    """Return whether to record a failed login, given the number of consecutive failures so far."""
    return failures <= RECORDED_FAILURES or failures.bit_count() == 1


def _notice_of(credentials_kind: CredentialsKind, notice_of_password: Notice) -> Notice:
    """Return the mail that announces new credentials, given the one that announces a temporary password."""
    return Notice.INVITATION if credentials_kind == CredentialsKind.LINK else notice_of_password
