"""Challenges to add or use second factors, each good once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from application.sign_in.second_factors.ports import Challenge, ChallengePurpose

if TYPE_CHECKING:
    from datetime import datetime

    from application.ports.clock import Clock
    from application.sign_in.second_factors.ports import Passkeys, SecondFactors
    from domain.event_metadata import Ciphertext

CHALLENGE_LIFETIME = timedelta(minutes=10)
"""Time to install an authenticator app, or to find a security key."""


@dataclass(frozen=True)
class OfferedChallenge:
    """A challenge for a passkey, with the options for the browser."""

    challenge_id: UUID
    options: dict[str, Any] = field(repr=False)
    expires_at: datetime


def offer(challenge: Challenge, options: dict[str, Any]) -> OfferedChallenge:
    """Return a challenge as it is sent to a browser."""
    return OfferedChallenge(challenge.challenge_id, options, challenge.expires_at)


@dataclass(frozen=True)
class Challenges:
    """Adds and finds challenges."""

    store: SecondFactors
    passkeys: Passkeys
    clock: Clock

    def add(self, purpose: ChallengePurpose, person_id: UUID | None, secret: Ciphertext | None = None) -> Challenge:
        """Store a new challenge, and return it."""
        challenge = Challenge(
            challenge_id=uuid4(),
            purpose=purpose,
            person_id=person_id,
            expires_at=self.clock() + CHALLENGE_LIFETIME,
            challenge=self.passkeys.new_challenge(),
            secret=secret,
        )
        self.store.add_challenge(challenge)
        return challenge

    def find(
        self, challenge_id: UUID, purpose: ChallengePurpose, person_id: UUID | None, at: datetime
    ) -> Challenge | None:
        """Return a person's challenge, unless it has been used, has expired, or is for another purpose."""
        challenge = self.store.find_challenge(challenge_id, at)
        if challenge is None or (challenge.purpose, challenge.person_id) != (purpose, person_id):
            return None
        return challenge
