"""Keys and signatures of webhooks (Standard Webhooks specification)."""

from __future__ import annotations

import base64
from secrets import token_bytes
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

from application.commands.webhooks import NewKey, SignatureAlgorithm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

SECRET_BYTES = 32
"""The specification requires 24 to 64."""


class StandardSignatures:
    """Signs with HMAC-SHA256 (`v1`) by the specification's library, or Ed25519 (`v1a`), which the library lacks."""

    def new_key(self, algorithm: SignatureAlgorithm) -> NewKey:
        """Generate a key, with the text that a receiver verifies with: a secret `whsec_…` or a public key `whpk_…`."""
        secret = token_bytes(SECRET_BYTES)
        if algorithm is SignatureAlgorithm.HMAC:
            return NewKey(secret, f"whsec_{base64.b64encode(secret).decode()}")
        public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        return NewKey(secret, f"whpk_{base64.b64encode(public).decode()}")

    def signature_header(
        self, algorithm: SignatureAlgorithm, secrets: Sequence[bytes], message_id: str, sent_at: datetime, body: str
    ) -> str:
        """Return the header `webhook-signature`, with one signature for each secret. `sent_at` is in UTC."""
        sign = _hmac if algorithm is SignatureAlgorithm.HMAC else _ed25519
        return " ".join(sign(secret, message_id, sent_at, body) for secret in secrets)


def _hmac(secret: bytes, message_id: str, sent_at: datetime, body: str) -> str:
    return Webhook(secret).sign(message_id, sent_at, body)


def _ed25519(secret: bytes, message_id: str, sent_at: datetime, body: str) -> str:
    content = f"{message_id}.{int(sent_at.timestamp())}.{body}".encode()
    return f"v1a,{base64.b64encode(Ed25519PrivateKey.from_private_bytes(secret).sign(content)).decode()}"
