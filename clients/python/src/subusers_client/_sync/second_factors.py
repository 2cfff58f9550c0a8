# Generated from ../_async/second_factors.py by tools/generate_sync.py. Do not edit.
"""Requests about second factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from subusers_client._sync.accounts import path_of
from subusers_client._sync.sub_users import path_of as path_of_sub_user
from subusers_client.decoding import decode, encode, id_text
from subusers_client.factor_models import (
    AddedSecondFactor,
    PasskeyChallenge,
    RecoveryCodes,
    SecondFactorList,
    TotpSecret,
)
from subusers_client.models import NewSession
from subusers_client.requests import Request, client_headers, not_none, token_header
from subusers_client.retries import Repeatable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from subusers_client._sync.transport import Transport

VERIFICATION = "/v1/sessions/current/second-factor"
FACTORS = "/v1/sessions/current/second-factors"
REMOVED = frozenset({"second-factor-not-found"})


class SecondFactors:
    """Second factors of sub-users and owners."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def verify(
        self,
        *,
        token: str,
        client_ip: str | None,
        code: str | None = None,
        recovery_code: str | None = None,
        passkey: Mapping[str, Any] | None = None,
        challenge_id: UUID | str | None = None,
        client_user_agent: str | None = None,
    ) -> NewSession:
        """Verify a code, a recovery code or a passkey, and return a new session: the former one ends.

        Raises `SecondFactorRefused`, or `TooManyRequests` while attempts are throttled.
        """
        body = not_none(code=code, recovery_code=recovery_code, passkey=passkey, challenge_id=challenge_id)
        request = Request(
            method="POST",
            path=VERIFICATION,
            body=encode(body),
            headers=token_header(token) | client_headers(client_ip, client_user_agent),
            repeatable=Repeatable.UNLESS_EXECUTED,  # each proof is good once
        )
        return decode(NewSession, (self._transport.send(request)).body)

    def create_challenge(self, *, token: str) -> PasskeyChallenge:
        """Create a challenge for one of the sub-user's passkeys."""
        request = Request(method="POST", path=f"{VERIFICATION}/challenges", headers=token_header(token))
        return decode(PasskeyChallenge, (self._transport.send(request)).body)

    def create_login_challenge(self) -> PasskeyChallenge:
        """Create a challenge for a login with a passkey alone."""
        request = Request(method="POST", path="/v1/sessions/passkey-challenges")
        return decode(PasskeyChallenge, (self._transport.send(request)).body)

    def log_in_with_passkey(
        self,
        *,
        challenge_id: UUID | str,
        passkey: Mapping[str, Any],
        client_ip: str | None,
        client_user_agent: str | None = None,
    ) -> NewSession:
        """Log a sub-user in with a passkey alone. Raises `LoginRefused`."""
        request = Request(
            method="POST",
            path="/v1/sessions/passkey",
            body=encode({"challenge_id": challenge_id, "passkey": passkey}),
            headers=client_headers(client_ip, client_user_agent),
            repeatable=Repeatable.UNLESS_EXECUTED,  # each answer is good once
        )
        return decode(NewSession, (self._transport.send(request)).body)

    def list(self, *, token: str) -> SecondFactorList:
        """Return the sub-user's second factors."""
        request = Request(method="GET", path=FACTORS, headers=token_header(token))
        return decode(SecondFactorList, (self._transport.send(request)).body)

    def create_totp_secret(self, *, token: str) -> TotpSecret:
        """Create a secret for an authenticator app. It counts once `add` confirms it with a code."""
        request = Request(method="POST", path=f"{FACTORS}/totp", headers=token_header(token))
        return decode(TotpSecret, (self._transport.send(request)).body)

    def create_passkey_options(self, *, token: str) -> PasskeyChallenge:
        """Create the options of a new passkey. It counts once `add` confirms it with the answer of the browser."""
        request = Request(method="POST", path=f"{FACTORS}/passkey", headers=token_header(token))
        return decode(PasskeyChallenge, (self._transport.send(request)).body)

    def add(
        self,
        *,
        token: str,
        challenge_id: UUID | str,
        name: str,
        code: str | None = None,
        passkey: Mapping[str, Any] | None = None,
    ) -> AddedSecondFactor:
        """Add a second factor, confirmed by a code or the answer of a passkey. The former session ends.

        Raises `InvalidRequest` with `errors["code"]` if the code is wrong.
        """
        body = not_none(challenge_id=challenge_id, name=name, code=code, passkey=passkey)
        request = Request(
            method="POST",
            path=FACTORS,
            body=encode(body),
            headers=token_header(token),
            repeatable=Repeatable.UNLESS_EXECUTED,  # a repetition would find the session ended
        )
        return decode(AddedSecondFactor, (self._transport.send(request)).body)

    def remove(self, *, token: str, factor_id: UUID | str) -> None:
        """Remove a second factor. The session must have verified one."""
        path = f"{FACTORS}/{id_text(factor_id)}"
        self._transport.send(Request(method="DELETE", path=path, headers=token_header(token), done_if_repeated=REMOVED))

    def create_recovery_codes(self, *, token: str) -> RecoveryCodes:
        """Create ten recovery codes, which replace the former ones. The session must have verified a second factor."""
        request = Request(method="POST", path=f"{FACTORS}/recovery-codes", headers=token_header(token))
        return decode(RecoveryCodes, (self._transport.send(request)).body)

    def reset(self, *, account_id: UUID | str, sub_user_id: UUID | str) -> None:
        """Remove all second factors and recovery codes of a sub-user. Their sessions end."""
        path = f"{path_of_sub_user(account_id, sub_user_id)}/second-factors"
        self._transport.send(Request(method="DELETE", path=path))

    def reset_owner(self, *, account_id: UUID | str, reason: str) -> None:
        """Remove all second factors and recovery codes of an account's owner. Needs a key of scope `support`."""
        path = f"{path_of(account_id)}/owner/second-factors"
        self._transport.send(Request(method="DELETE", path=path, headers=client_headers(reason=reason)))
