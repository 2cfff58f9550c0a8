"""Signed notes and checkpoints (C2SP)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.ed25519 import Ed25519Signer, verify
from application.transparency.checkpoint import Checkpoint, MalformedCheckpoint
from application.transparency.signed_note import (
    BadSignature,
    MalformedKey,
    MalformedNote,
    SignedNote,
    VerifierKey,
    sign,
)

NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANNS_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
"""Example from golang.org/x/mod/sumdb/note, on which the specification is based."""

ORIGIN = "subusers/9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90"
FIRST, SECOND, THIRD = (Ed25519Signer(bytes([number]) * 32) for number in (1, 2, 3))
CHECKPOINT = Checkpoint(ORIGIN, 1042, bytes(range(32)), 1057, datetime(2026, 5, 1, 12, tzinfo=UTC))


def key_of(signer: Ed25519Signer) -> VerifierKey:
    return VerifierKey(ORIGIN, signer.public_key)


def test_example_of_the_reference_implementation() -> None:
    """Its key and note parse, verify and serialize unchanged."""
    key, note = VerifierKey.parse(NEUMANN), SignedNote.parse(NEUMANNS_NOTE)
    assert note.signed_by([key], verify) == [key]
    assert (str(key), str(note)) == (NEUMANN, NEUMANNS_NOTE)


def test_signed_note_is_parsed_and_verified() -> None:
    """It verifies for exactly the keys that signed it."""
    note = SignedNote.parse(str(sign(CHECKPOINT.text, ORIGIN, [FIRST, SECOND])))
    assert Checkpoint.parse(note.text) == CHECKPOINT
    assert note.signed_by([key_of(THIRD), key_of(SECOND), key_of(FIRST)], verify) == [key_of(FIRST), key_of(SECOND)]
    assert not note.signed_by([key_of(THIRD), VerifierKey("another/name", FIRST.public_key)], verify)


def test_note_with_another_text_is_rejected() -> None:
    """If the signature of a known key does not match, the note is invalid."""
    note = str(sign(CHECKPOINT.text, ORIGIN, [FIRST])).replace("1042", "1043", 1)
    with pytest.raises(BadSignature):
        SignedNote.parse(note).signed_by([key_of(FIRST)], verify)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        "\n\n\u2014 name AAAAAAAA\n",
        "text\n\n\u2014 name AAAAAAAA",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n\u2014 name AAAA\n",
        "text\n\n\u2014 name A?AAAAAA\n",
        "te\rxt\n\n\u2014 name AAAAAAAA\n",
        "text\n\n" + "\u2014 name AAAAAAAA\n" * 101,
        "x" * 100_000 + "\n\n\u2014 name AAAAAAAA\n",
    ],
)
def test_malformed_note_is_rejected(note: str) -> None:
    with pytest.raises(MalformedNote):
        SignedNote.parse(note)


@pytest.mark.parametrize(
    "key", ["", "name", NEUMANN[:-4], NEUMANN.replace("c74f20a3", "c74f20a4"), f"two words {NEUMANN}"]
)
def test_malformed_key_is_rejected(key: str) -> None:
    with pytest.raises(MalformedKey):
        VerifierKey.parse(key)


@pytest.mark.parametrize(
    ("part", "replacement"),
    [
        ("1042", "01042"),
        ("1042", "-1"),
        ("1042", "\u0661"),
        ("AAECAw", "AAEC"),
        ("position 1057\n", ""),
        ("position 1057", "position 1_057"),
        ("time 2026", "time of 2026"),
        ("time 2026", "time \u0662\u0660\u0662\u0666"),
        (f"{ORIGIN}\n", "\n"),
        ("Z\n", "Z\nsuccessor nobody\npredecessor nobody\n"),
        ("Z\n", f"Z\nsuccessor {key_of(FIRST)}\n"),
    ],
)
def test_malformed_checkpoint_is_rejected(part: str, replacement: str) -> None:
    """Covers malformed numbers, short roots, and missing and excess lines."""
    assert part in CHECKPOINT.text
    with pytest.raises(MalformedCheckpoint):
        Checkpoint.parse(CHECKPOINT.text.replace(part, replacement, 1))
