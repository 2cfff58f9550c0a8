"""Encryption: data keys bound to person and field, and master keys that wrap them."""

from __future__ import annotations

import base64
import secrets
from uuid import uuid4

import pytest

from adapters.encryption import FORMAT, DataKey, MasterKeys, UnknownMasterKey, key_id, new_key
from domain.event_metadata import Ciphertext

GRACE, ALAN = uuid4(), uuid4()


@pytest.mark.parametrize("text", ["Grace", "", "Ünïcödé 🦊", "a\x00b", "x" * 100_000])
def test_encrypted_text_can_be_decrypted(text: str) -> None:
    key = DataKey(GRACE, new_key())

    assert key.decrypt("name", key.encrypt("name", text)) == text


def test_equal_texts_have_different_ciphertexts() -> None:
    """Random nonces make the ciphertexts of equal values differ."""
    key = DataKey(GRACE, new_key())
    ciphertexts = {key.encrypt("name", "Grace") for _ in range(100)}

    assert len(ciphertexts) == 100
    assert all(ciphertext.startswith(FORMAT) and "Grace" not in ciphertext for ciphertext in ciphertexts)


def test_ciphertext_is_bound_to_its_person() -> None:
    """Decryption fails for another person even with the same key."""
    secret = new_key()
    ciphertext = DataKey(GRACE, secret).encrypt("name", "Grace")

    with pytest.raises(ValueError, match=f"name cannot be decrypted with the key of {ALAN}"):
        DataKey(ALAN, secret).decrypt("name", ciphertext)


def test_ciphertext_is_bound_to_its_field() -> None:
    """The ciphertext of a name cannot be decrypted as an e-mail."""
    key = DataKey(GRACE, new_key())

    with pytest.raises(ValueError, match="email cannot be decrypted"):
        key.decrypt("email", key.encrypt("name", "Grace"))


def test_another_data_key_decrypts_nothing() -> None:
    ciphertext = DataKey(GRACE, new_key()).encrypt("name", "Grace")

    with pytest.raises(ValueError, match="cannot be decrypted"):
        DataKey(GRACE, new_key()).decrypt("name", ciphertext)


@pytest.mark.parametrize("position", [0, 5, 11, 12, 20, -1])
def test_altered_ciphertext_is_refused(position: int) -> None:
    """A flipped bit in nonce, ciphertext or tag is detected."""
    key = DataKey(GRACE, new_key())
    ciphertext = key.encrypt("name", "Grace Brewster Hopper").removeprefix(FORMAT)
    data = bytearray(base64.urlsafe_b64decode(ciphertext + "=" * (-len(ciphertext) % 4)))
    data[position] ^= 1

    with pytest.raises(ValueError, match="cannot be decrypted"):
        key.decrypt("name", Ciphertext(FORMAT + base64.urlsafe_b64encode(data).decode().rstrip("=")))


@pytest.mark.parametrize("text", ["", "1.", "1.AAAA", "no ciphertext", "1." + "A" * 38])
def test_malformed_ciphertext_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # with any message
        DataKey(GRACE, new_key()).decrypt("name", Ciphertext(text))


def test_first_master_key_wraps_and_all_unwrap() -> None:
    """With both keys, the old one still unwraps and the new one wraps."""
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    key = new_key()
    before, both = MasterKeys([old]), MasterKeys([new, old])

    assert both.unwrap("owner", before.current_id, before.wrap("owner", key)) == key
    assert both.current_id == key_id(new)
    assert MasterKeys([new]).unwrap("owner", both.current_id, both.wrap("owner", key)) == key


def test_wrapped_key_is_bound_to_its_owner() -> None:
    master = MasterKeys([secrets.token_bytes(32)])
    wrapped = master.wrap("grace", new_key())

    with pytest.raises(UnknownMasterKey):
        master.unwrap("alan", master.current_id, wrapped)


def test_unknown_master_key_is_reported_by_id() -> None:
    """The error holds the id of the missing key, which reveals nothing about the key."""
    missing, available = MasterKeys([secrets.token_bytes(32)]), MasterKeys([secrets.token_bytes(32)])

    with pytest.raises(UnknownMasterKey, match=f"^{missing.current_id}$"):
        available.unwrap("owner", missing.current_id, missing.wrap("owner", new_key()))


def test_keys_are_not_in_repr() -> None:
    secret = bytes(range(1, 33))
    text = repr(DataKey(GRACE, secret)) + repr(MasterKeys([secret])) + repr(vars(DataKey(GRACE, secret)))

    assert repr(secret) not in text
    assert secret.hex() not in text
    assert base64.b64encode(secret).decode() not in text


def test_data_keys_are_random_and_256_bits_long() -> None:
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert {len(key) for key in keys} == {32}
