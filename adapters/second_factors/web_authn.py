"""Passkeys (WebAuthn Level 3), with py_webauthn."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import webauthn
from webauthn.helpers import base64url_to_bytes, parse_registration_credential_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from application.sign_in.second_factors.ports import InvalidPasskey, PublicKeyCredential

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID


class WebAuthnPasskeys:
    """Passkeys of one relying party: a host, and the origins at it or below it that may use them."""

    def __init__(self, host: str, origins: Sequence[str]) -> None:
        self._host = host
        self._origins = list(origins)

    def new_challenge(self) -> bytes:
        """Return random bytes."""
        return webauthn.helpers.generate_challenge()

    def creation_options(
        self, challenge: bytes, person_id: UUID, label: str, existing: Sequence[PublicKeyCredential]
    ) -> dict[str, Any]:
        """Return the options to create a passkey, if possible one that can sign in alone."""
        options = webauthn.generate_registration_options(
            rp_id=self._host,
            rp_name=self._host,
            user_id=person_id.bytes,
            user_name=label,
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
            ),
            exclude_credentials=list(map(_descriptor, existing)),
        )
        return _as_json(options)

    def request_options(self, challenge: bytes, credentials: Sequence[PublicKeyCredential]) -> dict[str, Any]:
        """Return the options to use one of these passkeys, or any that can sign in alone."""
        verification = UserVerificationRequirement.PREFERRED if credentials else UserVerificationRequirement.REQUIRED
        options = webauthn.generate_authentication_options(
            rp_id=self._host,
            challenge=challenge,
            allow_credentials=list(map(_descriptor, credentials)),
            user_verification=verification,
        )
        return _as_json(options)

    def register(self, response: dict[str, Any], challenge: bytes) -> PublicKeyCredential:
        """Return the created credential. Raises `InvalidPasskey`."""
        with _invalid_passkeys():
            verified = webauthn.verify_registration_response(
                credential=response,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origins,
            )
            transports = parse_registration_credential_json(response).response.transports or []
        return PublicKeyCredential(
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            transports=[transport.value for transport in transports],
            is_verifying=verified.user_verified,
        )

    def credential_id(self, response: dict[str, Any]) -> bytes:
        """Return the credential id of a response. Raises `InvalidPasskey`."""
        with _invalid_passkeys():
            return base64url_to_bytes(response["id"])

    def verify(
        self, response: dict[str, Any], challenge: bytes, credential: PublicKeyCredential, *, requires_user: bool
    ) -> int:
        """Return the new sign count. Raises `InvalidPasskey`, also if the count has not increased."""
        with _invalid_passkeys():
            verified = webauthn.verify_authentication_response(
                credential=response,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origins,
                credential_public_key=credential.public_key,
                credential_current_sign_count=credential.sign_count,
                require_user_verification=requires_user,
            )
        return verified.new_sign_count


@contextmanager
def _invalid_passkeys() -> Iterator[None]:
    """Raise `InvalidPasskey` for every exception: malformed input makes the library raise all kinds of them."""
    try:
        yield
    except Exception as error:
        raise InvalidPasskey(type(error).__name__) from error


def _descriptor(credential: PublicKeyCredential) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(transport) for transport in credential.transports]
    return PublicKeyCredentialDescriptor(id=credential.credential_id, transports=transports or None)


def _as_json(options: Any) -> dict[str, Any]:
    as_json: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return as_json
