"""Signatures of webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from subusers_client import InvalidWebhook, verify_webhook

NOW = 1795477293
ID = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"
MESSAGE_ID = f"{ID}:42"
BODY = json.dumps(
    {
        "specversion": "1.0",
        "id": MESSAGE_ID,
        "type": "subusers.sub_user.activated.v1",
        "source": "https://subusers.example",
        "time": "2026-11-23T21:09:34.434614Z",
        "position": 42,
        "accountid": ID,
        "data": {"ümlaut": True},
    }
).encode()
SECRET = b"s" * 32
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
WHSEC = f"whsec_{base64.b64encode(SECRET).decode()}"
WHPK = f"whpk_{base64.b64encode(PRIVATE.public_key().public_bytes_raw()).decode()}"
OTHER = f"whsec_{base64.b64encode(b'other secret').decode()}"


def hmac_signature(content: bytes, secret: bytes = SECRET) -> str:
    return "v1," + base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()


def ed25519_signature(content: bytes) -> str:
    return "v1a," + base64.b64encode(PRIVATE.sign(content)).decode()


def headers(signature: str | None = None, *, timestamp: int | str = NOW, body: bytes = BODY) -> dict[str, str]:
    content = f"{MESSAGE_ID}.{timestamp}.".encode() + body
    return {
        "Webhook-Id": MESSAGE_ID,
        "webhook-timestamp": str(timestamp),
        "WEBHOOK-SIGNATURE": signature or hmac_signature(content),
    }


CONTENT = f"{MESSAGE_ID}.{NOW}.".encode() + BODY


@pytest.mark.parametrize(
    ("signature", "keys"),
    [
        (hmac_signature(CONTENT), WHSEC),
        (ed25519_signature(CONTENT), WHPK),
        (f"{hmac_signature(CONTENT, b'new')} {hmac_signature(CONTENT)}", WHSEC),
        (hmac_signature(CONTENT), [OTHER, WHSEC]),
        (f"v9,abc v1,not-base64! {ed25519_signature(CONTENT)}", [WHSEC, WHPK]),
    ],
)
def test_valid_signatures(signature: str, keys: Any) -> None:
    event = verify_webhook(body=BODY, headers=headers(signature), keys=keys, now=NOW + 299)
    assert (event.id, event.position, event.data) == (MESSAGE_ID, 42, {"ümlaut": True})


@pytest.mark.parametrize(
    ("signature", "keys"),
    [
        (hmac_signature(CONTENT), OTHER),
        (hmac_signature(CONTENT), WHPK),
        (hmac_signature(CONTENT), []),
        (ed25519_signature(CONTENT), WHSEC),
        (ed25519_signature(CONTENT).replace("v1a,", "v1,"), WHPK),
        (hmac_signature(CONTENT).replace("v1,", "v1a,"), WHSEC),
        (hmac_signature(CONTENT + b" "), WHSEC),
        (ed25519_signature(CONTENT + b" "), WHPK),
        ("v1,", WHSEC),
        ("v1", WHSEC),
        (" ", WHSEC),
        ("v1a,AAAA", WHPK),
    ],
)
def test_invalid_signatures(signature: str, keys: Any) -> None:
    with pytest.raises(InvalidWebhook):
        verify_webhook(body=BODY, headers=headers(signature), keys=keys, now=NOW)


@pytest.mark.parametrize("timestamp", [NOW - 301, NOW + 301, "", "-1", "1e9", "٣", "9" * 400])
def test_old_and_wrong_times(timestamp: int | str) -> None:
    with pytest.raises(InvalidWebhook):
        verify_webhook(body=BODY, headers=headers(timestamp=timestamp), keys=WHSEC, now=NOW)


@pytest.mark.parametrize("name", ["Webhook-Id", "webhook-timestamp", "WEBHOOK-SIGNATURE"])
def test_missing_headers(name: str) -> None:
    incomplete = headers()
    del incomplete[name]
    with pytest.raises(InvalidWebhook):
        verify_webhook(body=BODY, headers=incomplete, keys=WHSEC, now=NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", BODY.replace(b":42", b":43")])
def test_signed_bodies_that_are_not_this_event(body: bytes) -> None:
    with pytest.raises(InvalidWebhook):
        verify_webhook(body=body, headers=headers(body=body), keys=WHSEC, now=NOW)


@pytest.mark.parametrize("key", ["", "secret", "whsec_", "whsec_!", "whpk_AAAA", WHPK.replace("whpk", "whsk")])
def test_wrong_keys_are_errors_of_the_configuration(key: str) -> None:
    with pytest.raises(ValueError, match="whsec_ or whpk_"):
        verify_webhook(body=BODY, headers=headers(), keys=[WHSEC, key], now=NOW)
