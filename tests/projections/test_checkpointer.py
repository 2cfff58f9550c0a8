"""Checkpointer: signs due checkpoints, and none that is inconsistent with an earlier one."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.ed25519 import verify
from api.bootstrap.signing_keys import SigningKeys
from application.transparency.checkpoint import Checkpoint
from application.transparency.merkle import EMPTY_ROOT
from application.transparency.signed_note import SignedNote
from projections.transparency.checkpointer import HistoryRewritten
from tests.builders import catch_up
from tests.postgres import fetch
from tests.projections.test_publisher import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock


def grow(service: Service, count: int) -> None:
    record(service, count)
    catch_up(service, "merkle-tree")


def sizes(service: Service) -> list[int]:
    return [checkpoint.tree_size for checkpoint in reversed(service.queries.checkpoints.page(100, None)[0])]


def test_checkpoints_are_signed_when_due(service: Service, clock: TravelingClock) -> None:
    """Due after the first event, after each thousand, and a minute later for the rest; never without new events."""
    assert service.workers.checkpointer.sign_due() == 0
    grow(service, 1)
    assert service.workers.checkpointer.sign_due() == 1
    grow(service, 2500)
    assert service.workers.checkpointer.sign_due() == 2
    assert service.workers.checkpointer.sign_due() == 0
    clock.advance(seconds=61)
    assert service.workers.checkpointer.sign_due() == 1
    clock.advance(hours=1)
    assert service.workers.checkpointer.sign_due() == 0
    assert sizes(service) == [1, 1001, 2001, 2501]


def test_signing_key_changes_in_an_empty_store(build: Callable[..., Service], settings: Settings) -> None:
    """The checkpoint of the empty tree is valid, and later ones are consistent with it."""
    build(settings).workers.checkpointer.require_key()
    new_key = secrets.token_bytes(32)
    keys = SigningKeys((new_key, *settings.signing_keys.private))
    service = build(replace(settings, signing_keys=keys))
    former, current = service.workers.checkpointer.rotate_key()
    assert former != current
    grow(service, 3)
    service.workers.checkpointer.sign_now()
    notes = [SignedNote.parse(checkpoint.note) for checkpoint in service.queries.checkpoints.page(100, None)[0]]
    assert [Checkpoint.parse(note.text).tree_size for note in notes] == [3, 0]
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
def test_tampered_store_is_not_signed(service: Service, database_url: str, statement: str) -> None:
    """Neither the last signing process nor a new one signs. A new one cannot detect that all checkpoints are gone."""
    grow(service, 33)
    service.workers.checkpointer.sign_now()
    grow(service, 1)
    fetch(database_url, statement)
    with pytest.raises(HistoryRewritten):
        service.workers.checkpointer.sign_now()
    if statement != TAMPERINGS["all checkpoints"]:
        service.workers.checkpointer._last_signed = None  # noqa: SLF001  # as in a new process
        with pytest.raises(HistoryRewritten):
            service.workers.checkpointer.sign_now()
        assert sizes(service) == [33]
