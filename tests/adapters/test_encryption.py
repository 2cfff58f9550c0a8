"""Sealed text can be opened by its person's key, in its own place, and in no other way."""

from __future__ import annotations

import base64
import secrets
from uuid import uuid4

import pytest

from adapters.encryption import FORMAT, DataKey, MasterKeys, UnknownMasterKey, key_id, new_key
from domain.cause import Sealed

GRACE, ALAN = uuid4(), uuid4()


@pytest.mark.parametrize("text", ["Grace", "", "Ünïcödé 🦊", "a\x00b", "x" * 100_000])
def test_what_was_sealed_can_be_opened(text: str) -> None:
    """Any text comes back as it was."""
    key = DataKey(GRACE, new_key())

    assert key.open("name", key.seal("name", text)) == text


def test_the_same_text_is_sealed_differently_every_time() -> None:
    """Equal values cannot be told from different ones, and nothing of the text shows."""
    key = DataKey(GRACE, new_key())
    sealed = {key.seal("name", "Grace") for _ in range(100)}

    assert len(sealed) == 100
    assert all(one.startswith(FORMAT) and "Grace" not in one for one in sealed)


def test_sealed_text_is_bound_to_its_person() -> None:
    """Even under the same key it cannot be passed off as somebody else's."""
    secret = new_key()
    sealed = DataKey(GRACE, secret).seal("name", "Grace")

    with pytest.raises(ValueError, match=f"name cannot be opened with the key of {ALAN}"):
        DataKey(ALAN, secret).open("name", sealed)


def test_sealed_text_is_bound_to_its_field() -> None:
    """A name cannot be moved into the place of an e-mail."""
    key = DataKey(GRACE, new_key())

    with pytest.raises(ValueError, match="email cannot be opened"):
        key.open("email", key.seal("name", "Grace"))


def test_another_key_opens_nothing() -> None:
    """Each person's text needs that person's key."""
    sealed = DataKey(GRACE, new_key()).seal("name", "Grace")

    with pytest.raises(ValueError, match="cannot be opened"):
        DataKey(GRACE, new_key()).open("name", sealed)


@pytest.mark.parametrize("position", [0, 5, 11, 12, 20, -1])
def test_altered_text_is_not_opened(position: int) -> None:
    """One flipped bit anywhere, in the nonce, the text or the tag, is noticed."""
    key = DataKey(GRACE, new_key())
    sealed = key.seal("name", "Grace Brewster Hopper").removeprefix(FORMAT)
    box = bytearray(base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)))
    box[position] ^= 1

    with pytest.raises(ValueError, match="cannot be opened"):
        key.open("name", Sealed(FORMAT + base64.urlsafe_b64encode(box).decode().rstrip("=")))


@pytest.mark.parametrize("text", ["", "1.", "1.AAAA", "no box at all", "1." + "A" * 38])
def test_what_is_no_sealed_text_is_refused(text: str) -> None:
    """Damaged text is a ValueError, as altered text is."""
    with pytest.raises(ValueError):  # noqa: PT011  # whatever the message
        DataKey(GRACE, new_key()).open("name", Sealed(text))


def test_a_new_master_key_is_put_before_the_old() -> None:
    """While both are given, what the old one wrapped is unwrapped, and the new one wraps."""
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    key = new_key()
    before, both = MasterKeys([old]), MasterKeys([new, old])

    assert both.unwrap("owner", before.current_id, before.wrap("owner", key)) == key
    assert both.current_id == key_id(new)
    assert MasterKeys([new]).unwrap("owner", both.current_id, both.wrap("owner", key)) == key


def test_a_wrapped_key_is_bound_to_its_owner() -> None:
    """One person's wrapped key put in another's place is not unwrapped."""
    master = MasterKeys([secrets.token_bytes(32)])
    wrapped = master.wrap("grace", new_key())

    with pytest.raises(UnknownMasterKey):
        master.unwrap("alan", master.current_id, wrapped)


def test_an_unknown_master_key_is_named_and_not_shown() -> None:
    """What is missing is told by the id of the key, which tells nothing about it."""
    missing, given = MasterKeys([secrets.token_bytes(32)]), MasterKeys([secrets.token_bytes(32)])

    with pytest.raises(UnknownMasterKey, match=f"^{missing.current_id}$"):
        given.unwrap("owner", missing.current_id, missing.wrap("owner", new_key()))


def test_keys_do_not_show() -> None:
    """Neither a data key nor a master key is in the repr of what holds it."""
    secret = bytes(range(1, 33))
    shown = repr(DataKey(GRACE, secret)) + repr(MasterKeys([secret])) + repr(vars(DataKey(GRACE, secret)))

    assert repr(secret) not in shown
    assert secret.hex() not in shown
    assert base64.b64encode(secret).decode() not in shown


def test_keys_are_long_and_never_the_same() -> None:
    """256 random bits each."""
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert {len(key) for key in keys} == {32}
