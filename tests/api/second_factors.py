"""A sub-user's session with second factors over HTTP, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyotp

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import ApiClient
    from tests.authenticator import Authenticator

FACTORS = "/v1/sessions/current/second-factors"
VERIFICATION = "/v1/sessions/current/second-factor"


def totp_code(secret: str, at: datetime | None = None, *, offset: int = 0) -> str:
    """Return the code that an authenticator app shows, `offset` time steps later."""
    return pyotp.TOTP(secret).at(at or datetime.now(UTC), counter_offset=offset)


@dataclass
class OwnSession:
    """A session, whose token changes when a second factor is added or verified."""

    portal: ApiClient
    token: str

    @property
    def client(self) -> ApiClient:
        """A client that sends the token."""
        return self.portal.with_headers(Session_Token=self.token)

    def introspect(self, **asked: Any) -> Any:
        """Return the introspection of the session."""
        return self.portal.post("/v1/sessions/introspect", json={"token": self.token, **asked}).json

    def offer_totp(self) -> Any:
        """Return a secret for an authenticator app."""
        response = self.client.post(f"{FACTORS}/totp")
        assert response.status_code == 201, response.text
        return response.json

    def add_totp(self, at: datetime | None = None) -> AddedTotp:
        """Add an authenticator app with the code of the previous time step, so that the current one is unused."""
        offer = self.offer_totp()
        code = totp_code(offer["secret"], at, offset=-1)
        response = self.client.post(
            FACTORS, json={"challenge_id": offer["challenge_id"], "name": "My phone", "code": code}
        )
        assert response.status_code == 201, response.text
        self._use(response, "session")
        return AddedTotp(offer["secret"], response.json)

    def add_passkey(self, authenticator: Authenticator) -> Any:
        """Add a passkey."""
        offer: Any = self.client.post(f"{FACTORS}/passkey").json
        passkey = authenticator.create(offer["options"])
        response = self.client.post(
            FACTORS, json={"challenge_id": offer["challenge_id"], "name": "My key", "passkey": passkey}
        )
        assert response.status_code == 201, response.text
        self._use(response, "session")
        return response.json

    def verify(self, **proof: Any) -> TestResponse:
        """Verify a second factor, and continue with the new session if it is right."""
        response = self.client.post(VERIFICATION, json=proof)
        if response.status_code == 200:
            self._use(response)
        return response

    def verify_passkey(self, authenticator: Authenticator) -> TestResponse:
        """Verify a passkey."""
        challenge: Any = self.client.post(f"{VERIFICATION}/challenges").json
        return self.verify(challenge_id=challenge["challenge_id"], passkey=authenticator.get(challenge["options"]))

    def _use(self, response: TestResponse, *path: str) -> None:
        body: Any = response.json
        for name in path:
            body = body[name]
        self.token = body["token"]


@dataclass(frozen=True)
class AddedTotp:
    """An authenticator app that was added, and the response."""

    secret: str
    response: Any

    @property
    def recovery_codes(self) -> list[str]:
        """The recovery codes that came with it."""
        codes: list[str] = self.response["recovery_codes"]
        return codes
