"""Signatures by the Standard Webhooks specification, verified as a receiver does."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.webhooks.signatures import StandardSignatures
from application.webhooks import Signature

SIGNATURES = StandardSignatures()
ID = "3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10:7"
BODY = '{"type":"subusers.sub_user.created.v1","data":{"name":"è"}}'


def headers(at: datetime, signature: str) -> dict[str, str]:
    return {"webhook-id": ID, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def test_the_specification_s_own_example() -> None:
    """The signature that every implementation of the specification comes to."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    signed = SIGNATURES.sign(Signature.HMAC, [secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_verifies_with_the_secret_that_it_was_shown() -> None:
    """With any of those that it was signed with, and no other."""
    first, second, other = (SIGNATURES.new_key(Signature.HMAC) for _ in range(3))
    at = datetime.now(UTC)
    told = headers(at, SIGNATURES.sign(Signature.HMAC, [second.secret, first.secret], ID, at, BODY))
    for key in (first, second):
        assert key.shown.startswith("whsec_")
        Webhook(key.shown).verify(BODY, told)
        with pytest.raises(WebhookVerificationError):
            Webhook(key.shown).verify(BODY + " ", told)
    with pytest.raises(WebhookVerificationError):
        Webhook(other.shown).verify(BODY, told)


def test_a_public_key_verifies_and_does_not_sign() -> None:
    """What is shown is the public half alone."""
    key = SIGNATURES.new_key(Signature.ED25519)
    at = datetime.now(UTC)
    version, _, signed = SIGNATURES.sign(Signature.ED25519, [key.secret], ID, at, BODY).partition(",")
    shown = base64.b64decode(key.shown.removeprefix("whpk_"), validate=True)
    public = Ed25519PublicKey.from_public_bytes(shown)
    public.verify(base64.b64decode(signed), f"{ID}.{int(at.timestamp())}.{BODY}".encode())
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signed), f"{ID}.{int(at.timestamp()) + 1}.{BODY}".encode())
    assert version == "v1a"
    assert shown != key.secret


def test_every_key_is_another() -> None:
    """And long enough: the specification asks for 24 bytes or more."""
    for signature in Signature:
        keys = [SIGNATURES.new_key(signature) for _ in range(10)]
        assert len({key.secret for key in keys}) == 10
        assert all(len(key.secret) == 32 and "secret=" not in repr(key) for key in keys)
