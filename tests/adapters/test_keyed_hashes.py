"""Keyed hashes: normalization of e-mail addresses, separation by key, account and purpose."""

from __future__ import annotations

import secrets
from uuid import uuid4

import pytest

from adapters.keyed_hashes import HmacHasher

KEY = bytes(range(32))


@pytest.fixture
def keyed_hasher() -> HmacHasher:
    """Return a hasher with a fixed key."""
    return HmacHasher(KEY)


@pytest.mark.parametrize(
    "other",
    [
        "GRACE@Company.Example",
        "  grace@company.example ",
        "grace@company.EXAMPLE",
    ],
)
def test_email_hash_ignores_case_and_surrounding_spaces(keyed_hasher: HmacHasher, other: str) -> None:
    assert keyed_hasher.email(other) == keyed_hasher.email("grace@company.example")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("stra\u00dfe@company.example", "STRASSE@company.example"),
        ("rene\u0301@company.example", "REN\u00c9@company.example"),
    ],
)
def test_email_hash_uses_unicode_case_folding(keyed_hasher: HmacHasher, left: str, right: str) -> None:
    """Composed and decomposed forms match, as do letters whose upper case has two letters."""
    assert keyed_hasher.email(left) == keyed_hasher.email(right)


@pytest.mark.parametrize(
    "other",
    [
        "grace@company.exampl",
        "grace+1@company.example",
        "gr\u0430ce@company.example",
        "grace@c\u043empany.example",
        "gra ce@company.example",
    ],
)
def test_different_addresses_have_different_hashes(keyed_hasher: HmacHasher, other: str) -> None:
    """Look-alikes from other scripts, tags and typing errors have hashes of their own."""
    assert keyed_hasher.email(other) != keyed_hasher.email("grace@company.example")


def test_hash_depends_on_the_key() -> None:
    """Without the key, guesses cannot be checked against a hash."""
    other = HmacHasher(secrets.token_bytes(32))

    assert other.email("grace@company.example") != HmacHasher(KEY).email("grace@company.example")


def test_email_hash_is_stable_across_releases() -> None:
    """Existing databases hold such hashes, so they must not change between releases."""
    assert HmacHasher(KEY).email("Grace@company.example") == "a316975d41a5d456ac41e24ba5f41b42"


def test_sub_user_email_hash_depends_on_the_account(keyed_hasher: HmacHasher) -> None:
    """Stored hashes do not reveal that two accounts have a sub-user with the same address."""
    account, other_account = uuid4(), uuid4()

    assert keyed_hasher.sub_user_email(account, "Grace@a.example") == keyed_hasher.sub_user_email(
        account, "grace@A.example"
    )
    assert keyed_hasher.sub_user_email(account, "grace@a.example") != keyed_hasher.sub_user_email(
        other_account, "grace@a.example"
    )
    assert keyed_hasher.sub_user_email(account, "grace@a.example") != keyed_hasher.email("grace@a.example")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("login", "a", "bc"), ("login", "ab", "c")),
        (("login", "a"), ("login", "a", "")),
        (("login", "a"), ("ip", "a")),
        (("login", "a", "b"), ("login", "b", "a")),
        (("logi", "na"), ("login", "a")),
    ],
)
def test_hash_separates_purpose_and_parts(
    keyed_hasher: HmacHasher, left: tuple[str, ...], right: tuple[str, ...]
) -> None:
    """The hash covers the purpose and the boundaries between the parts."""
    assert keyed_hasher.hash(*left) != keyed_hasher.hash(*right)


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "x" * 100_000])
def test_any_text_can_be_hashed(keyed_hasher: HmacHasher, text: str) -> None:
    """Any text that a client sends as an address can be looked up."""
    assert len(keyed_hasher.hash("login", text)) == 32
    assert len(keyed_hasher.email(text)) == 32
