"""Webhook signatures (Standard Webhooks), verified with the reference library."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.webhooks.signatures import StandardSignatures
from application.commands.webhooks import SignatureAlgorithm

SIGNATURES = StandardSignatures()
ID = "3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10:7"
BODY = '{"type":"subusers.sub_user.created.v1","data":{"name":"è"}}'


def headers(at: datetime, signature: str) -> dict[str, str]:
    return {"webhook-id": ID, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def test_example_of_the_specification() -> None:
    """Every implementation of the specification must produce this signature."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    signed = SIGNATURES.signature_header(
        SignatureAlgorithm.HMAC, [secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}'
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_signing_secret_verifies_the_signature() -> None:
    """Another secret or a changed body does not verify it."""
    first, second, other = (SIGNATURES.new_key(SignatureAlgorithm.HMAC) for _ in range(3))
    at = datetime.now(UTC)
    signed_headers = headers(
        at, SIGNATURES.signature_header(SignatureAlgorithm.HMAC, [second.secret, first.secret], ID, at, BODY)
    )
    for key in (first, second):
        assert key.receiver_key.startswith("whsec_")
        Webhook(key.receiver_key).verify(BODY, signed_headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(key.receiver_key).verify(BODY + " ", signed_headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(other.receiver_key).verify(BODY, signed_headers)


def test_only_the_public_ed25519_key_is_shown() -> None:
    key = SIGNATURES.new_key(SignatureAlgorithm.ED25519)
    at = datetime.now(UTC)
    version, _, signed = SIGNATURES.signature_header(SignatureAlgorithm.ED25519, [key.secret], ID, at, BODY).partition(
        ","
    )
    public_bytes = base64.b64decode(key.receiver_key.removeprefix("whpk_"), validate=True)
    public = Ed25519PublicKey.from_public_bytes(public_bytes)
    public.verify(base64.b64decode(signed), f"{ID}.{int(at.timestamp())}.{BODY}".encode())
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signed), f"{ID}.{int(at.timestamp()) + 1}.{BODY}".encode())
    assert version == "v1a"
    assert public_bytes != key.secret


def test_signing_keys_are_unique_and_long_enough() -> None:
    """Keys have 32 bytes; the specification requires at least 24."""
    for signature in SignatureAlgorithm:
        keys = [SIGNATURES.new_key(signature) for _ in range(10)]
        assert len({key.secret for key in keys}) == 10
        assert all(len(key.secret) == 32 and "secret=" not in repr(key) for key in keys)
