"""Checkpoints are signed when they are due, and none that does not continue those of before."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.ed25519 import verify
from api.signing_keys import SigningKeys
from application.checkpoints import Checkpoint
from application.merkle import EMPTY_ROOT
from application.signed_notes import SignedNote
from projections.checkpointer import HistoryRewritten
from tests.people import catch_up
from tests.postgres import ask
from tests.projections.test_publisher import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from api.config import Settings
    from tests.conftest import TravelingClock


def grow(service: Service, events: int) -> None:
    record(service, events)
    catch_up(service, "merkle-tree")


def sizes(service: Service) -> list[int]:
    return [one.tree_size for one in reversed(service.checkpoints.page(100, None)[0])]


def test_when_they_are_due(service: Service, clock: TravelingClock) -> None:
    """The first event, then each thousand events, and what is left after a minute; of nothing new, none."""
    assert service.checkpointer.make_due() == 0
    grow(service, 1)
    assert service.checkpointer.make_due() == 1
    grow(service, 2500)
    assert service.checkpointer.make_due() == 2
    assert service.checkpointer.make_due() == 0
    clock.advance(seconds=61)
    assert service.checkpointer.make_due() == 1
    clock.advance(hours=1)
    assert service.checkpointer.make_due() == 0
    assert sizes(service) == [1, 1001, 2001, 2501]


def test_a_key_takes_over_before_anything_happened(build: Callable[..., Service], settings: Settings) -> None:
    """A checkpoint of nothing is one, too, and what comes continues it."""
    build(settings).checkpointer.require_key()
    added = secrets.token_bytes(32)
    keys = SigningKeys((added, *settings.signing_keys.private))
    service = build(replace(settings, signing_keys=keys))
    former, current = service.checkpointer.hand_over()
    assert former != current
    grow(service, 3)
    service.checkpointer.make_now()
    notes = [SignedNote.parse(one.note) for one in service.checkpoints.page(100, None)[0]]
    assert [Checkpoint.parse(one.text).tree_size for one in notes] == [3, 0]
    assert Checkpoint.parse(notes[1].text).root_hash == EMPTY_ROOT
    assert notes[0].signed_by([former, current], verify) == [current]


TAMPERINGS = {
    "the tree": "UPDATE merkle_nodes SET hash = sha256('') WHERE level = 4 AND node_index = 1",
    "a part of the tree": "DELETE FROM merkle_nodes WHERE level = 4 AND node_index = 1",
    "the last leaf": "UPDATE merkle_leaves SET hash = sha256('') WHERE leaf_index = 32",
    "the newest checkpoint": "UPDATE checkpoints SET note = replace(note, 'position', 'Position')",
    "its signature": "UPDATE checkpoints SET note = replace(note, chr(8212) || ' subusers', chr(8212) || ' others')",
    "all checkpoints": "DELETE FROM checkpoints",
}


@pytest.mark.parametrize("statement", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_what_was_tampered_with_is_not_signed(service: Service, database_url: str, statement: str) -> None:
    """Neither by the process that signed before, nor, but for lost checkpoints, by one that was started since."""
    grow(service, 33)
    service.checkpointer.make_now()
    grow(service, 1)
    ask(database_url, statement)
    with pytest.raises(HistoryRewritten):
        service.checkpointer.make_now()
    if statement != TAMPERINGS["all checkpoints"]:
        service.checkpointer._last = None  # noqa: SLF001  # as a process that has just begun
        with pytest.raises(HistoryRewritten):
            service.checkpointer.make_now()
        assert sizes(service) == [33]
