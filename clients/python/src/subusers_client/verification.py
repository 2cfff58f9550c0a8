"""Verifies requests of webhooks by the Standard Webhooks specification."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from typing import TYPE_CHECKING

from subusers_client.decoding import decode
from subusers_client.errors import InvalidWebhook, UnexpectedResponse
from subusers_client.models import Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOLERANCE_SECONDS = 300
MOST_SIGNATURES = 20
"""The service sends at most five."""


def verify_webhook(
    *,
    body: bytes,
    headers: Mapping[str, str],
    keys: str | Sequence[str],
    tolerance: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> Event:
    """Return the event of a webhook request. Raises `InvalidWebhook` unless one of the keys verifies it.

    `body` is the unmodified body, byte for byte. `keys` are secrets (`whsec_…`) and public keys (`whpk_…`); the latter
    need the extra `ed25519`. Ignore events whose `id` you have processed: the same event may arrive more than once.
    """
    lower_case = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp, signatures = (lower_case[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise InvalidWebhook(f"the header {error} is missing") from None
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise InvalidWebhook("webhook-timestamp is not a number of seconds")
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance:
        raise InvalidWebhook("the request is too old, or this host's clock is wrong")
    content = f"{message_id}.{timestamp}.".encode() + body
    verifiers = [verifier_of(key) for key in ([keys] if isinstance(keys, str) else keys)]
    for signature in signatures.split()[:MOST_SIGNATURES]:
        version, _, text = signature.partition(",")
        try:
            signature_bytes = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        if any(verifier.verifies(version, signature_bytes, content) for verifier in verifiers):
            return _event_of(body, message_id)
    raise InvalidWebhook("no signature of the request is valid")


def _event_of(body: bytes, message_id: str) -> Event:
    try:
        event = decode(Event, body)
    except UnexpectedResponse as error:
        raise InvalidWebhook(f"the body is not an event: {error}") from None
    if event.id != message_id:
        raise InvalidWebhook("webhook-id is not the id of the event")
    return event


class HmacVerifier:
    """Verifies signatures of version `v1`: HMAC-SHA256."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def verifies(self, version: str, signature: bytes, content: bytes) -> bool:
        """Return whether the signature is that of the content."""
        expected = hmac.new(self._secret, content, hashlib.sha256).digest()
        return version == "v1" and hmac.compare_digest(expected, signature)


class Ed25519Verifier:
    """Verifies signatures of version `v1a`: Ed25519."""

    def __init__(self, public_key: bytes) -> None:
        try:
            from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # an optional dependency
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
        except ImportError:
            raise ImportError("keys that begin with whpk_ need: pip install 'subusers-client[ed25519]'") from None
        self._key = Ed25519PublicKey.from_public_bytes(public_key)
        self._invalid = InvalidSignature

    def verifies(self, version: str, signature: bytes, content: bytes) -> bool:
        """Return whether the signature is that of the content."""
        if version != "v1a":
            return False
        try:
            self._key.verify(signature, content)
        except self._invalid:
            return False
        return True


def verifier_of(key: str) -> HmacVerifier | Ed25519Verifier:
    """Return the verifier for a key. Raises ValueError if the key is neither a secret nor a public key."""
    prefix, _, text = key.partition("_")
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if prefix == "whsec" and decoded:
        return HmacVerifier(decoded)
    if prefix == "whpk" and len(decoded) == 32:
        return Ed25519Verifier(decoded)
    raise ValueError("a webhook key must be whsec_ or whpk_ with base64")
