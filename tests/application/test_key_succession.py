"""Trust in successive signing keys of checkpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from adapters.ed25519 import Ed25519Signer, verify
from application.transparency.checkpoint import (
    AmbiguousTrust,
    Checkpoint,
    Succession,
    ensure_one_current_key,
    is_trusted_for,
    key_limits,
)
from application.transparency.signed_note import SignedNote, VerifierKey, sign

if TYPE_CHECKING:
    from collections.abc import Sequence

ORIGIN = "subusers/9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90"
FIRST, SECOND, THIRD = (Ed25519Signer(bytes([number]) * 32) for number in (1, 2, 3))
SIGNED_AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def key_of(signer: Ed25519Signer) -> VerifierKey:
    return VerifierKey(ORIGIN, signer.public_key)


def succession(
    former: Ed25519Signer,
    successor: Ed25519Signer,
    size: int = 7,
    signed_by: Sequence[Ed25519Signer] | None = None,
) -> tuple[SignedNote, Checkpoint]:
    """Return a checkpoint in which one key succeeds another, signed by both unless `signed_by` is given."""
    checkpoint = Checkpoint(
        ORIGIN,
        tree_size=size,
        root_hash=bytes(32),
        position=size,
        signed_at=SIGNED_AT,
        succession=Succession(key_of(former), key_of(successor)),
    )
    return sign(checkpoint.text, ORIGIN, [former, successor] if signed_by is None else signed_by), checkpoint


def limits(
    trusted: set[Ed25519Signer], *successions: tuple[SignedNote, Checkpoint], trust_former_keys: bool = False
) -> dict[Ed25519Signer, int | None]:
    """Return the tree size up to which each key is trusted."""
    limit_by_key = key_limits(
        [key_of(signer) for signer in trusted], successions, verify, trust_former_keys=trust_former_keys
    )
    signer_by_key = {key_of(signer): signer for signer in (FIRST, SECOND, THIRD)}
    return {signer_by_key[key]: limit for key, limit in limit_by_key.items()}


def test_successor_is_trusted_with_its_predecessor() -> None:
    """The predecessor is trusted up to the tree size of the succession."""
    first_to_second = succession(FIRST, SECOND)
    assert Checkpoint.parse(first_to_second[0].text) == first_to_second[1]
    for trusted in ({FIRST}, {FIRST, SECOND}):
        assert limits(trusted, first_to_second) == {FIRST: 7, SECOND: None}


def test_predecessor_is_trusted_only_on_request() -> None:
    """This applies if only the successor is trusted. Unrelated keys are not affected."""
    first_to_second = succession(FIRST, SECOND)
    assert limits({SECOND}, first_to_second) == {SECOND: None}
    assert limits({SECOND}, first_to_second, trust_former_keys=True) == {FIRST: 7, SECOND: None}
    assert limits({THIRD}, first_to_second) == {THIRD: None}


def test_succession_signed_by_one_key_extends_no_trust() -> None:
    """Otherwise anyone could declare their key a successor. A trusted successor's signature limits its predecessor."""
    for signer in (FIRST, SECOND):
        signed_by_one = succession(FIRST, SECOND, signed_by=[signer])
        assert limits({FIRST}, signed_by_one) == {FIRST: None}
        assert limits({SECOND}, signed_by_one, trust_former_keys=True) == {SECOND: None}
    assert limits({FIRST, SECOND}, succession(FIRST, SECOND, signed_by=[SECOND])) == {FIRST: 7, SECOND: None}
    assert limits({FIRST, SECOND}, succession(FIRST, SECOND, signed_by=[FIRST])) == {FIRST: None, SECOND: None}


def test_former_key_cannot_name_another_successor() -> None:
    """If the true successor is trusted, a forged succession of any tree size has no effect.

    If only the former key is trusted, the two successions are ambiguous.
    """
    genuine = succession(FIRST, SECOND)
    for size in (3, 7, 9):
        forged = succession(FIRST, THIRD, size)
        assert limits({FIRST, SECOND}, genuine, forged) == {FIRST: 7, SECOND: None}
        with pytest.raises(AmbiguousTrust, match="two keys claim to succeed"):
            limits({FIRST}, genuine, forged)


def test_chain_of_successions() -> None:
    """Each key is trusted up to the size at which the next one took over. Their order does not matter."""
    successions = [succession(SECOND, THIRD, 9), succession(FIRST, SECOND, 7)]
    assert limits({FIRST}, *successions) == {FIRST: 7, SECOND: 9, THIRD: None}
    assert limits({THIRD}, *successions, trust_former_keys=True) == {FIRST: 7, SECOND: 9, THIRD: None}


def test_key_is_trusted_up_to_its_limit() -> None:
    assert is_trusted_for([key_of(FIRST)], {key_of(FIRST): 7}, 7)
    assert not is_trusted_for([key_of(FIRST)], {key_of(FIRST): 7}, 8)
    assert not is_trusted_for([key_of(SECOND)], {key_of(FIRST): None}, 1)


def test_several_current_keys_of_one_origin_are_ambiguous() -> None:
    """One of them may have been succeeded. Keys in the service's settings count as one."""
    unlimited = dict.fromkeys([key_of(FIRST), key_of(SECOND)])
    with pytest.raises(AmbiguousTrust, match="several keys of"):
        ensure_one_current_key(unlimited)
    ensure_one_current_key(unlimited, own_keys=list(unlimited))
    ensure_one_current_key({key_of(FIRST): 7, key_of(SECOND): None})
    ensure_one_current_key({key_of(FIRST): None, VerifierKey("another/origin", SECOND.public_key): None})
