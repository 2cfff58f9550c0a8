"""Keyed hashes find things again, and tell nothing."""

from __future__ import annotations

import secrets
from uuid import uuid4

import pytest

from adapters.fingerprints import KeyedFingerprints

KEY = bytes(range(32))


@pytest.fixture
def fingerprints() -> KeyedFingerprints:
    """Give fingerprints under a fixed key."""
    return KeyedFingerprints(KEY)


@pytest.mark.parametrize(
    "other",
    [
        "GRACE@Company.Example",
        "  grace@company.example ",
        "grace@company.EXAMPLE",
    ],
)
def test_an_address_is_found_whatever_its_case(fingerprints: KeyedFingerprints, other: str) -> None:
    """Upper and lower case, and spaces around, make no other address."""
    assert fingerprints.email(other) == fingerprints.email("grace@company.example")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("stra\u00dfe@company.example", "STRASSE@company.example"),
        ("rene\u0301@company.example", "REN\u00c9@company.example"),
    ],
)
def test_case_is_folded_as_unicode_has_it(fingerprints: KeyedFingerprints, one: str, other: str) -> None:
    """Composed or not, with letters whose upper case is two letters: one address."""
    assert fingerprints.email(one) == fingerprints.email(other)


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
def test_another_address_is_another(fingerprints: KeyedFingerprints, other: str) -> None:
    """Look-alikes from other scripts, tags and typing errors are addresses of their own."""
    assert fingerprints.email(other) != fingerprints.email("grace@company.example")


def test_the_same_under_another_key_is_another() -> None:
    """Without the key a hash cannot be tried out."""
    other = KeyedFingerprints(secrets.token_bytes(32))

    assert other.email("grace@company.example") != KeyedFingerprints(KEY).email("grace@company.example")


def test_a_stored_fingerprint_stays_good() -> None:
    """What is in databases already is found by tomorrow's service too."""
    assert KeyedFingerprints(KEY).email("Grace@company.example") == "a316975d41a5d456ac41e24ba5f41b42"


def test_a_sub_user_is_found_in_one_account_only(fingerprints: KeyedFingerprints) -> None:
    """That the same person is let in by two accounts cannot be seen from what is stored."""
    here, there = uuid4(), uuid4()

    assert fingerprints.sub_user_email(here, "Grace@a.example") == fingerprints.sub_user_email(here, "grace@A.example")
    assert fingerprints.sub_user_email(here, "grace@a.example") != fingerprints.sub_user_email(there, "grace@a.example")
    assert fingerprints.sub_user_email(here, "grace@a.example") != fingerprints.email("grace@a.example")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("login", "a", "bc"), ("login", "ab", "c")),
        (("login", "a"), ("login", "a", "")),
        (("login", "a"), ("ip", "a")),
        (("login", "a", "b"), ("login", "b", "a")),
        (("logi", "na"), ("login", "a")),
    ],
)
def test_parts_do_not_run_into_each_other(
    fingerprints: KeyedFingerprints, one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    """The purpose, and where one part ends and the next begins, count."""
    assert fingerprints.of(*one) != fingerprints.of(*other)


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "x" * 100_000])
def test_every_text_has_a_fingerprint(fingerprints: KeyedFingerprints, text: str) -> None:
    """Whatever somebody sends as an address can be looked for."""
    assert len(fingerprints.of("login", text)) == 32
    assert len(fingerprints.email(text)) == 32
