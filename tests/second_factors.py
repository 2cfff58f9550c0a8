"""Second factors of people, added and verified with the commands of a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyotp

from application.sign_in.second_factors.own_second_factors import Confirmation
from application.sign_in.second_factors.verification import PasskeyProof, Proof, TotpProof
from tests.authenticator import Authenticator
from tests.builders import PORTAL

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from application.command_context import CommandContext
    from application.sign_in.new_session import NewSession
    from application.sign_in.second_factors.own_second_factors import OwnSecondFactors
    from application.sign_in.second_factors.verification import SecondFactorVerification


@dataclass
class Person:
    """A person with a session: a sub-user, or the owner of an account."""

    service: Service
    token: str
    is_owner: bool = False

    def add_totp(self) -> AddedTotp:
        """Add an authenticator app with the code of the previous time step, so that the current one is unused."""
        own = self._own
        offer = own.offer_totp(self.token)
        code = pyotp.TOTP(offer.secret).at(self.service.clock(), counter_offset=-1)
        added = own.add(self.token, Confirmation(offer.challenge_id, "My phone", code), PORTAL).value
        self.token = added.session.token
        return AddedTotp(offer.secret, added.recovery_codes or [])

    def add_passkey(self) -> Authenticator:
        """Add a passkey that signs in alone."""
        authenticator = Authenticator(self.service.settings.public_url)
        offer = self._own.offer_passkey(self.token)
        passkey = authenticator.create(offer.options)
        added = self._own.add(self.token, Confirmation(offer.challenge_id, "My key", passkey=passkey), PORTAL).value
        self.token = added.session.token
        return authenticator

    def code(self, added: AddedTotp) -> TotpProof:
        """Return the current code of an authenticator app."""
        return TotpProof(pyotp.TOTP(added.secret).at(self.service.clock()))

    def answer(self, authenticator: Authenticator) -> PasskeyProof:
        """Return an answer to a challenge of the session."""
        challenge = self._verification.offer_challenge(self.token)
        return PasskeyProof(challenge.challenge_id, authenticator.get(challenge.options))

    def sign_in_answer(self, authenticator: Authenticator) -> PasskeyProof:
        """Return an answer to a challenge to sign in."""
        challenge = self._verification.offer_sign_in_challenge()
        return PasskeyProof(challenge.challenge_id, authenticator.get(challenge.options))

    def verify(self, proof: Proof, context: CommandContext = PORTAL) -> NewSession:
        """Verify a second factor, and continue with the new session."""
        session = self._verification.verify(self.token, proof, context).value
        self.token = session.token
        return session

    def sign_in(self, proof: PasskeyProof, context: CommandContext = PORTAL) -> NewSession:
        """Sign in with a passkey alone."""
        return self._verification.sign_in(proof, context).value

    @property
    def _own(self) -> OwnSecondFactors:
        commands = self.service.commands
        return commands.owner_second_factors if self.is_owner else commands.sub_user_second_factors

    @property
    def _verification(self) -> SecondFactorVerification:
        commands = self.service.commands
        return commands.owner_verification if self.is_owner else commands.sub_user_verification


@dataclass(frozen=True)
class AddedTotp:
    """An authenticator app, and the recovery codes that came with it."""

    secret: str
    recovery_codes: list[str]
