"""Signed notes and checkpoints are those of C2SP, and nothing else passes for one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.ed25519 import Ed25519Signer, verify
from application.checkpoints import Checkpoint, Handover, MalformedCheckpoint, trusted_keys
from application.signed_notes import BadSignature, MalformedKey, MalformedNote, SignedNote, VerifierKey, sign

NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANNS_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
"""The example of golang.org/x/mod/sumdb/note, which the specification was written after."""

ORIGIN = "subusers/9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90"
FIRST, SECOND, THIRD = (Ed25519Signer(bytes([number]) * 32) for number in (1, 2, 3))
MADE = Checkpoint(ORIGIN, 1042, bytes(range(32)), 1057, datetime(2026, 5, 1, 12, tzinfo=UTC))


def key_of(signer: Ed25519Signer) -> VerifierKey:
    return VerifierKey(ORIGIN, signer.public_key)


def handover(*signers: Ed25519Signer) -> tuple[SignedNote, Checkpoint]:
    """Return a checkpoint by which the first key hands over to the second, signed by these."""
    made = Checkpoint(ORIGIN, 7, bytes(32), 7, MADE.signed_at, Handover(key_of(FIRST), key_of(SECOND)))
    return sign(made.text, ORIGIN, signers), made


def test_the_example_of_the_reference_implementation() -> None:
    """Its key and its note are read, found genuine, and written as they were."""
    key, note = VerifierKey.parse(NEUMANN), SignedNote.parse(NEUMANNS_NOTE)
    assert note.signed_by([key], verify) == [key]
    assert (str(key), str(note)) == (NEUMANN, NEUMANNS_NOTE)


def test_a_note_of_ours() -> None:
    """What was signed is read again, and known to be of each key that signed it, and of no other."""
    note = SignedNote.parse(str(sign(MADE.text, ORIGIN, [FIRST, SECOND])))
    assert Checkpoint.parse(note.text) == MADE
    assert note.signed_by([key_of(THIRD), key_of(SECOND), key_of(FIRST)], verify) == [key_of(FIRST), key_of(SECOND)]
    assert not note.signed_by([key_of(THIRD), VerifierKey("another/name", FIRST.public_key)], verify)


def test_another_text_is_refused() -> None:
    """Where a key that is known did not sign this text, the note is worth nothing."""
    note = str(sign(MADE.text, ORIGIN, [FIRST])).replace("1042", "1043", 1)
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
def test_what_is_no_note(note: str) -> None:
    with pytest.raises(MalformedNote):
        SignedNote.parse(note)


@pytest.mark.parametrize(
    "key", ["", "name", NEUMANN[:-4], NEUMANN.replace("c74f20a3", "c74f20a4"), f"two words {NEUMANN}"]
)
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(MalformedKey):
        VerifierKey.parse(key)


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("1042", "01042"),
        ("1042", "-1"),
        ("1042", "\u0661"),
        ("AAECAw", "AAEC"),
        ("position 1057\n", ""),
        ("time 2026", "time of 2026"),
        (f"{ORIGIN}\n", "\n"),
        ("Z\n", "Z\nsuccessor nobody\npredecessor nobody\n"),
        ("Z\n", f"Z\nsuccessor {key_of(FIRST)}\n"),
    ],
)
def test_what_is_no_checkpoint(part: str, instead: str) -> None:
    """A number that is none, a root that is too short, a line that is missing: all of it is refused."""
    assert part in MADE.text
    with pytest.raises(MalformedCheckpoint):
        Checkpoint.parse(MADE.text.replace(part, instead, 1))


def test_trust_goes_over_a_handover_in_both_directions() -> None:
    """Whoever knows one of the keys knows the other, and none that has no part in it."""
    note, made = handover(FIRST, SECOND)
    assert Checkpoint.parse(note.text) == made
    for known in (FIRST, SECOND):
        assert trusted_keys({key_of(known)}, [(note, made)], verify) == {key_of(FIRST), key_of(SECOND)}
    assert trusted_keys({key_of(THIRD)}, [(note, made)], verify) == {key_of(THIRD)}


def test_trust_does_not_go_over_a_handover_that_one_of_the_keys_has_not_signed() -> None:
    """Otherwise anybody could name their own key the successor of another, or its predecessor."""
    for signer in (FIRST, SECOND):
        note, made = handover(signer)
        assert trusted_keys({key_of(FIRST)}, [(note, made)], verify) == {key_of(FIRST)}
