"""Verification of second factors: in a session, and as a login with a passkey alone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from application.errors import TooBusy, TooManyAttempts
from application.keyed_locks import KeyedLocks
from application.sign_in.new_session import NewSession
from application.sign_in.second_factors.challenges import Challenges, OfferedChallenge, offer
from application.sign_in.second_factors.codes import recovery_code_hash
from application.sign_in.second_factors.ports import ChallengePurpose, InvalidPasskey
from application.throttle_keys import passkey_keys, second_factor_keys
from application.transactional_writes import DeleteChallenge, DeleteRecoveryCode, RecordSecondFactorUse
from domain.refusals import (
    AccountNotFound,
    LoginRefused,
    NoSecondFactor,
    OwnPasswordNeeded,
    SecondFactorWrong,
    SubUserNotFound,
)
from domain.second_factor import VerificationMethod

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from application.command_context import CommandContext
    from application.ports.throttle import Admission, AttemptKeys
    from application.repository import Outcome
    from application.sign_in.password_sign_in import Identity, PasswordSignIn
    from application.sign_in.second_factors.ports import Passkeys, SecondFactors, StoredFactor, TotpCodes
    from application.transactional_writes import TransactionalWrite
    from domain.main_account import MainAccount


@dataclass(frozen=True)
class TotpProof:
    """A code of an authenticator app."""

    method: ClassVar = VerificationMethod.TOTP
    code: str = field(repr=False)


@dataclass(frozen=True)
class RecoveryCodeProof:
    """A recovery code."""

    method: ClassVar = VerificationMethod.RECOVERY_CODE
    code: str = field(repr=False)


@dataclass(frozen=True)
class PasskeyProof:
    """The response of a passkey to a challenge."""

    method: ClassVar = VerificationMethod.PASSKEY
    challenge_id: UUID
    response: dict[str, Any] = field(repr=False)


Proof = TotpProof | RecoveryCodeProof | PasskeyProof


@dataclass(frozen=True)
class Attempt:
    """An attempt to prove a second factor. Without an identity, the passkey is unknown."""

    keys: AttemptKeys = field(repr=False)
    method: VerificationMethod
    context: CommandContext
    identity: Identity | None = None


@dataclass(frozen=True)
class Verified:
    """What a valid proof uses up: the writes that prevent its second use."""

    writes: Sequence[TransactionalWrite]
    factor_id: UUID | None = None
    remaining_codes: int | None = None


@dataclass(eq=False, repr=False)
class SecondFactorVerification:
    """Commands that verify second factors of one kind of person.

    A proof is good once: every use appends an event to the account's stream. Of two concurrent uses the second has a
    version conflict, decides again, and finds the time step, code or challenge used.
    """

    people: PasswordSignIn
    store: SecondFactors
    totp_codes: TotpCodes
    passkeys: Passkeys
    challenges: Challenges

    def __post_init__(self) -> None:
        self._locks = KeyedLocks()

    def offer_challenge(self, token: str) -> OfferedChallenge:
        """Return a challenge for the passkeys of a session's person. Raises `SessionEnded` or `NoSecondFactor`."""
        session = self.people.current(token)
        factors = self.store.of_person(session.person_id)
        credentials = [factor.credential for factor in factors if factor.credential is not None]
        if not credentials:
            raise NoSecondFactor
        challenge = self.challenges.add(ChallengePurpose.VERIFY_PASSKEY, session.person_id)
        return offer(challenge, self.passkeys.request_options(challenge.challenge, credentials))

    def offer_sign_in_challenge(self) -> OfferedChallenge:
        """Return a challenge for any passkey that signs in alone. It depends on nobody, so it reveals nothing."""
        challenge = self.challenges.add(ChallengePurpose.SIGN_IN, None)
        return offer(challenge, self.passkeys.request_options(challenge.challenge, []))

    def verify(
        self, token: str, proof: Proof, context: CommandContext, on_verified: Callable[[], None] = lambda: None
    ) -> Outcome[NewSession]:
        """Replace a session by one that has proved a second factor.

        Raises `SessionEnded`, `OwnPasswordNeeded`, `NoSecondFactor`, `SecondFactorWrong`, identical for all causes,
        `TooManyAttempts` or `TooBusy`. `on_verified` is called before a refusal is recorded.
        """
        session = self.people.current(token)
        if session.assurance.is_restricted:
            raise OwnPasswordNeeded
        if not self.store.of_person(session.person_id):
            raise NoSecondFactor
        identity, _ = self.people.identity_and_owner_key(session)
        metadata = identity.metadata(context)

        def decide(account: MainAccount) -> tuple[NewSession, Sequence[TransactionalWrite]]:
            at = self.people.clock()
            current = self.people.current(token)
            verified = self._check(identity, proof, at)
            new_session = NewSession.stepped_up(current, identity.end_of_access(account), at)
            account.verify_second_factor(
                identity.sub_user_id,
                new_session.session_id,
                proof.method,
                factor_id=verified.factor_id,
                former_session_id=current.session_id,
                remaining_codes=verified.remaining_codes,
                at=at,
                metadata=metadata,
            )
            return new_session, [*verified.writes, new_session.as_write(metadata)]

        keys = second_factor_keys(self.people.keyed_hasher, session.person_id, context.ip)
        attempt = Attempt(keys, proof.method, context, identity)
        return self._attempt(attempt, lambda: self.people.accounts.change(session.account_id, decide), on_verified)

    def sign_in(
        self, proof: PasskeyProof, context: CommandContext, on_verified: Callable[[], None] = lambda: None
    ) -> Outcome[NewSession]:
        """Open a session with a passkey that verified its user, without a password.

        Raises `LoginRefused`, identical for all causes, `TooManyAttempts` or `TooBusy`.
        """
        credential_id = b""
        with suppress(InvalidPasskey):
            credential_id = self.passkeys.credential_id(proof.response)
        keys = passkey_keys(self.people.keyed_hasher, credential_id, context.ip)
        factor = self.store.find_passkey(credential_id)
        entry = self.people.vault.entries([factor.person_id]).get(factor.person_id) if factor is not None else None
        is_of_kind = entry is not None and (entry.person_id == entry.account_id) is self.people.identity_type.is_owner
        identity = self.people.identity_type(entry) if entry is not None and is_of_kind else None
        if factor is None or identity is None:
            return self._attempt(Attempt(keys, proof.method, context), _refuse_unknown, on_verified)
        metadata = identity.metadata(context)

        def decide(account: MainAccount) -> tuple[NewSession, Sequence[TransactionalWrite]]:
            at = self.people.clock()
            verified = self._check_passkey(identity, proof, at, ChallengePurpose.SIGN_IN)
            new_session = identity.log_in_with_passkey(account, at, metadata)
            account.verify_second_factor(
                identity.sub_user_id,
                new_session.session_id,
                proof.method,
                factor_id=verified.factor_id,
                at=at,
                metadata=metadata,
            )
            device_writes = self.people.devices.record_sign_in(account, new_session, context, metadata)
            return new_session, [*verified.writes, new_session.as_write(metadata), *device_writes]

        attempt = Attempt(keys, proof.method, context, identity)
        try:
            return self._attempt(attempt, lambda: self.people.accounts.change(factor.account_id, decide), on_verified)
        except SecondFactorWrong as refused:
            raise LoginRefused(refused.why) from None

    def account_of_passkey(self, response: dict[str, Any]) -> UUID | None:
        """Return the account of the person with a passkey, if there is one."""
        with suppress(InvalidPasskey):
            factor = self.store.find_passkey(self.passkeys.credential_id(response))
            return factor.account_id if factor is not None else None
        return None

    def _attempt(
        self, attempt: Attempt, run: Callable[[], Outcome[NewSession]], on_verified: Callable[[], None]
    ) -> Outcome[NewSession]:
        """Run a command within the limits of the throttle, or count and record its refusal."""
        throttling = self.people.throttling
        with self._locks.hold(attempt.keys.identity):
            admission = throttling.reserve(attempt.keys)
            try:
                if admission.is_locked:
                    raise SecondFactorWrong("locked")
                outcome = run()
            except (SecondFactorWrong, LoginRefused) as refused:
                on_verified()
                self._handle_refusal(attempt, refused.why, admission)
                raise
            except (SubUserNotFound, AccountNotFound):  # deleted in the meantime
                throttling.fail(admission.reservation)
                raise LoginRefused("unknown") from None
            except BaseException:
                throttling.cancel(admission.reservation)
                raise
            throttling.succeed(admission.reservation)
            return outcome

    def _handle_refusal(self, attempt: Attempt, why: str, admission: Admission) -> None:
        """Count and record a refusal. Raises `TooManyAttempts` if the attempt was admitted only by an exemption."""
        failures = self.people.throttling.fail(admission.reservation)
        if attempt.identity is not None:
            with suppress(TooBusy, AccountNotFound):  # another response would reveal that the passkey is known
                self._record_refusal(attempt.identity, attempt, why, failures)
        if admission.seconds_to_wait_without_exemption > 0:
            raise TooManyAttempts(admission.seconds_to_wait_without_exemption)

    def _record_refusal(self, identity: Identity, attempt: Attempt, why: str, failures: int) -> None:
        metadata = attempt.context.by_anonymous().encrypted_with(identity.entry.key)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            account.record_refused_second_factor(
                identity.sub_user_id,
                attempt.method,
                why,
                failures,
                at=self.people.clock(),
                metadata=metadata,
            )
            return None, []

        self.people.accounts.change(identity.entry.account_id, decide)

    def _check(self, identity: Identity, proof: Proof, at: datetime) -> Verified:
        """Return what a proof uses up, by the current state of the tables. Raises `SecondFactorWrong`."""
        match proof:
            case TotpProof():
                return self._check_totp(identity, proof, at)
            case RecoveryCodeProof():
                return self._check_recovery_code(identity, proof)
            case PasskeyProof():
                return self._check_passkey(identity, proof, at, ChallengePurpose.VERIFY_PASSKEY)

    def _check_totp(self, identity: Identity, proof: TotpProof, at: datetime) -> Verified:
        is_used = False
        for factor in self.store.of_person(identity.entry.person_id):
            if factor.secret is None or factor.last_step is None:
                continue
            step = self.totp_codes.find_step(identity.entry.key.decrypt("totp_secret", factor.secret), proof.code, at)
            if step is not None and step > factor.last_step:
                return Verified([RecordSecondFactorUse(factor.factor_id, at, last_step=step)], factor.factor_id)
            is_used = is_used or step is not None
        if is_used:
            raise SecondFactorWrong("used_code")
        raise SecondFactorWrong("wrong_code")

    def _check_recovery_code(self, identity: Identity, proof: RecoveryCodeProof) -> Verified:
        person_id = identity.entry.person_id
        code_hash = recovery_code_hash(self.people.keyed_hasher, person_id, proof.code)
        hashes = self.store.recovery_code_hashes(person_id)
        if code_hash not in hashes:
            raise SecondFactorWrong("wrong_code")
        return Verified([DeleteRecoveryCode(person_id, code_hash)], remaining_codes=len(hashes) - 1)

    def _check_passkey(
        self, identity: Identity, proof: PasskeyProof, at: datetime, purpose: ChallengePurpose
    ) -> Verified:
        """Check the response of a passkey. To sign in, the passkey must have verified its user, now and when added."""
        is_sign_in = purpose is ChallengePurpose.SIGN_IN
        person_id = identity.entry.person_id
        challenge = self.challenges.find(proof.challenge_id, purpose, None if is_sign_in else person_id, at)
        if challenge is None:
            raise SecondFactorWrong("used_challenge")
        try:
            credential_id = self.passkeys.credential_id(proof.response)
            factor = _passkey_with(credential_id, self.store.of_person(person_id))
            if factor is None or factor.credential is None:
                raise SecondFactorWrong("unknown_passkey")
            if is_sign_in and not factor.credential.is_verifying:
                raise SecondFactorWrong("needs_password")
            sign_count = self.passkeys.verify(
                proof.response, challenge.challenge, factor.credential, requires_user=is_sign_in
            )
        except InvalidPasskey:
            raise SecondFactorWrong("wrong_passkey") from None
        writes = [
            RecordSecondFactorUse(factor.factor_id, at, sign_count=sign_count),
            DeleteChallenge(challenge.challenge_id),
        ]
        return Verified(writes, factor.factor_id)


def _passkey_with(credential_id: bytes, factors: Sequence[StoredFactor]) -> StoredFactor | None:
    return next(
        (
            factor
            for factor in factors
            if factor.credential is not None and factor.credential.credential_id == credential_id
        ),
        None,
    )


def _refuse_unknown() -> Outcome[NewSession]:
    raise LoginRefused("unknown")
