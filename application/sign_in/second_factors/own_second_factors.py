"""Commands of people on their own second factors: list, add and remove them, and get recovery codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from application.errors import InvalidValue
from application.sign_in.new_session import NewSession
from application.sign_in.second_factors.challenges import Challenges, OfferedChallenge, offer
from application.sign_in.second_factors.codes import new_recovery_codes, recovery_code_hash
from application.sign_in.second_factors.ports import ChallengePurpose, InvalidPasskey
from application.transactional_writes import AddSecondFactor, DeleteChallenge, ReplaceRecoveryCodes
from domain.assurance_level import AssuranceLevel
from domain.refusals import ChallengeNotFound, OwnPasswordNeeded, SecondFactorLimitReached, SecondFactorNeeded
from domain.second_factor import MAX_SECOND_FACTORS, SecondFactorKind, VerificationMethod

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from application.command_context import CommandContext
    from application.ports.sessions import Session
    from application.repository import Outcome
    from application.sign_in.password_sign_in import Identity, PasswordSignIn
    from application.sign_in.second_factors.ports import Passkeys, SecondFactors, StoredFactor, TotpCodes
    from application.transactional_writes import TransactionalWrite
    from domain.main_account import MainAccount


@dataclass(frozen=True)
class OfferedTotp:
    """The secret of a new authenticator app, which counts once it is confirmed by a code."""

    challenge_id: UUID
    secret: str = field(repr=False)
    uri: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class Confirmation:
    """What confirms a new second factor: a code of the authenticator app, or the response of the new passkey."""

    challenge_id: UUID
    name: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    passkey: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class FactorDetails:
    """Details of a second factor, without its secret."""

    factor_id: UUID
    kind: SecondFactorKind
    name: str = field(repr=False)
    signs_in_alone: bool
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True)
class AddedFactor:
    """A new second factor, the session that replaces the former one, and recovery codes with the first factor."""

    factor: FactorDetails
    session: NewSession
    recovery_codes: list[str] | None = field(repr=False)


@dataclass(frozen=True)
class FactorList:
    """The second factors of a person, and the number of their unused recovery codes."""

    items: Sequence[FactorDetails]
    recovery_codes: int


@dataclass(eq=False, repr=False)
class OwnSecondFactors:
    """Commands of one kind of person on their own second factors.

    A session may add the first factor. Once there is one, only a session that has proved one may change anything.
    """

    people: PasswordSignIn
    store: SecondFactors
    totp_codes: TotpCodes
    passkeys: Passkeys
    challenges: Challenges

    def list_all(self, token: str) -> FactorList:
        """Return the second factors of a session's person. Raises `SessionEnded`."""
        session = self.people.current(token)
        identity, _ = self.people.identity_and_owner_key(session)
        factors = [_details(factor, identity) for factor in self.store.of_person(session.person_id)]
        return FactorList(factors, len(self.store.recovery_code_hashes(session.person_id)))

    def kinds_of(self, person_id: UUID) -> list[SecondFactorKind]:
        """Return the kinds of second factor that a person has."""
        return sorted({factor.kind for factor in self.store.of_person(person_id)})

    def offer_totp(self, token: str) -> OfferedTotp:
        """Return a new secret for an authenticator app.

        Raises `SessionEnded`, `OwnPasswordNeeded`, `SecondFactorNeeded` or `SecondFactorLimitReached`.
        """
        session, _ = self._session_that_may_add(token)
        identity, _ = self.people.identity_and_owner_key(session)
        email = identity.email(self.people.accounts.load(session.account_id))
        secret = self.totp_codes.new_secret()
        encrypted_secret = identity.entry.key.encrypt("totp_secret", secret)
        challenge = self.challenges.add(ChallengePurpose.ADD_TOTP, session.person_id, encrypted_secret)
        return OfferedTotp(challenge.challenge_id, secret, self.totp_codes.uri(secret, email), challenge.expires_at)

    def find_offer(self, token: str, challenge_id: UUID) -> OfferedTotp:
        """Return a secret that was offered. Raises the same as `offer_totp`, or `ChallengeNotFound`."""
        session, _ = self._session_that_may_add(token)
        identity, _ = self.people.identity_and_owner_key(session)
        challenge = self.challenges.find(
            challenge_id, ChallengePurpose.ADD_TOTP, session.person_id, self.people.clock()
        )
        if challenge is None or challenge.secret is None:
            raise ChallengeNotFound
        secret = identity.entry.key.decrypt("totp_secret", challenge.secret)
        email = identity.email(self.people.accounts.load(session.account_id))
        return OfferedTotp(challenge_id, secret, self.totp_codes.uri(secret, email), challenge.expires_at)

    def offer_passkey(self, token: str) -> OfferedChallenge:
        """Return the options to create a passkey. Raises the same as `offer_totp`."""
        session, factors = self._session_that_may_add(token)
        identity, _ = self.people.identity_and_owner_key(session)
        email = identity.email(self.people.accounts.load(session.account_id))
        credentials = [factor.credential for factor in factors if factor.credential is not None]
        challenge = self.challenges.add(ChallengePurpose.ADD_PASSKEY, session.person_id)
        options = self.passkeys.creation_options(challenge.challenge, session.person_id, email, credentials)
        return offer(challenge, options)

    def add(self, token: str, confirmation: Confirmation, context: CommandContext) -> Outcome[AddedFactor]:
        """Add a second factor that has been offered, and replace the session by one that has proved it.

        Raises the same as `offer_totp`, `ChallengeNotFound`, or `InvalidValue` for the code or the passkey.
        """
        session = self.people.current(token)
        identity, _ = self.people.identity_and_owner_key(session)
        metadata = identity.metadata(context)
        factor_id, codes = uuid4(), new_recovery_codes(self.people.passwords)

        def decide(account: MainAccount) -> tuple[AddedFactor, Sequence[TransactionalWrite]]:
            at = self.people.clock()
            current = self.people.current(token)
            is_first = not account.factors_of(identity.sub_user_id)
            _ensure_may_change(current, has_factor=not is_first)
            added = self._confirmed(factor_id, confirmation, identity, at)
            account.add_second_factor(
                identity.sub_user_id,
                factor_id,
                kind=added.kind,
                name=added.encrypted_name,
                signs_in_alone=added.is_verifying,
                at=at,
                metadata=metadata,
            )
            if is_first:
                account.issue_recovery_codes(identity.sub_user_id, at=at, metadata=metadata)
            new_session = NewSession.stepped_up(current, identity.end_of_access(account), at)
            account.verify_second_factor(
                identity.sub_user_id,
                new_session.session_id,
                VerificationMethod(added.kind),
                factor_id=factor_id,
                former_session_id=current.session_id,
                at=at,
                metadata=metadata,
            )
            details = FactorDetails(factor_id, added.kind, confirmation.name, added.is_verifying, at, None)
            writes = [added, DeleteChallenge(confirmation.challenge_id), new_session.as_write(metadata)]
            if is_first:
                writes.append(self._replace_codes(identity, codes))
            return AddedFactor(details, new_session, codes if is_first else None), writes

        return self.people.accounts.change(session.account_id, decide)

    def remove(self, token: str, factor_id: UUID, context: CommandContext) -> Outcome[None]:
        """Remove a second factor.

        Raises `SessionEnded`, `SecondFactorNeeded`, `SecondFactorNotFound` or `LastSecondFactor`.
        """
        session = self.people.current(token)
        identity, _ = self.people.identity_and_owner_key(session)
        metadata = identity.metadata(context)

        def decide(account: MainAccount) -> tuple[None, Sequence[TransactionalWrite]]:
            _ensure_may_change(self.people.current(token), has_factor=True)
            account.remove_second_factor(identity.sub_user_id, factor_id, at=self.people.clock(), metadata=metadata)
            return None, []

        return self.people.accounts.change(session.account_id, decide)

    def issue_recovery_codes(self, token: str, context: CommandContext) -> Outcome[Sequence[str]]:
        """Replace the recovery codes. Raises `SessionEnded`, `SecondFactorNeeded` or `NoSecondFactor`."""
        session = self.people.current(token)
        identity, _ = self.people.identity_and_owner_key(session)
        metadata = identity.metadata(context)
        codes = new_recovery_codes(self.people.passwords)

        def decide(account: MainAccount) -> tuple[Sequence[str], Sequence[TransactionalWrite]]:
            _ensure_may_change(self.people.current(token), has_factor=bool(account.factors_of(identity.sub_user_id)))
            account.issue_recovery_codes(identity.sub_user_id, at=self.people.clock(), metadata=metadata)
            return codes, [self._replace_codes(identity, codes)]

        return self.people.accounts.change(session.account_id, decide)

    def _session_that_may_add(self, token: str) -> tuple[Session, Sequence[StoredFactor]]:
        session = self.people.current(token)
        factors = self.store.of_person(session.person_id)
        _ensure_may_change(session, has_factor=bool(factors))
        if len(factors) >= MAX_SECOND_FACTORS:
            raise SecondFactorLimitReached
        return session, factors

    def _confirmed(
        self, factor_id: UUID, confirmation: Confirmation, identity: Identity, at: datetime
    ) -> AddSecondFactor:
        """Return the confirmed factor. Raises `ChallengeNotFound` or `InvalidValue`."""
        person_id, key = identity.entry.person_id, identity.entry.key
        purpose = ChallengePurpose.ADD_TOTP if confirmation.code is not None else ChallengePurpose.ADD_PASSKEY
        challenge = self.challenges.find(confirmation.challenge_id, purpose, person_id, at)
        if challenge is None:
            raise ChallengeNotFound
        encrypted_name = key.encrypt("name", confirmation.name)
        if confirmation.code is not None and challenge.secret is not None:
            step = self.totp_codes.find_step(key.decrypt("totp_secret", challenge.secret), confirmation.code, at)
            if step is None:
                raise InvalidValue("code", "is wrong")
            return AddSecondFactor(
                factor_id,
                identity.entry.account_id,
                person_id,
                SecondFactorKind.TOTP,
                at,
                encrypted_name,
                encrypted_secret=challenge.secret,
                last_step=step,
            )
        try:
            credential = self.passkeys.register(confirmation.passkey or {}, challenge.challenge)
        except InvalidPasskey:
            raise InvalidValue("passkey", "does not answer the challenge") from None
        if self.store.find_passkey(credential.credential_id) is not None:
            raise InvalidValue("passkey", "has already been added")
        return AddSecondFactor(
            factor_id,
            identity.entry.account_id,
            person_id,
            SecondFactorKind.PASSKEY,
            at,
            encrypted_name,
            **vars(credential),
        )

    def _replace_codes(self, identity: Identity, codes: Sequence[str]) -> ReplaceRecoveryCodes:
        person_id = identity.entry.person_id
        hashes = [recovery_code_hash(self.people.keyed_hasher, person_id, code) for code in codes]
        return ReplaceRecoveryCodes(person_id, hashes)


def _ensure_may_change(session: Session, *, has_factor: bool) -> None:
    """Raise `OwnPasswordNeeded` or `SecondFactorNeeded` unless a session may change its person's second factors."""
    if session.assurance.is_restricted:
        raise OwnPasswordNeeded
    if has_factor and not session.assurance.meets(AssuranceLevel.SECOND_FACTOR):
        raise SecondFactorNeeded


def _details(factor: StoredFactor, identity: Identity) -> FactorDetails:
    return FactorDetails(
        factor_id=factor.factor_id,
        kind=factor.kind,
        name=identity.entry.key.decrypt("name", factor.name),
        signs_in_alone=factor.credential is not None and factor.credential.is_verifying,
        created_at=factor.created_at,
        last_used_at=factor.last_used_at,
    )
