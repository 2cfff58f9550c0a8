"""Version gaps: every append statement refuses an event whose stream lacks the version before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.postgres.event_store.recorder import Recorder
from application.errors import VersionConflict
from application.transactional_writes import ClosePersonSessions, OpenSession
from domain.assurance_level import AssuranceLevel
from tests.postgres import fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.bootstrap.service import Service
    from application.transactional_writes import TransactionalWrite

STREAM = UUID(int=7)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def events(*versions: int, stream: UUID = STREAM) -> list[StoredEvent]:
    return [StoredEvent(stream, version, "Something", b"{}") for version in versions]


def new_session() -> OpenSession:
    return OpenSession(
        uuid4(), b"token", STREAM, STREAM, AssuranceLevel.PASSWORD, NOW, NOW + timedelta(1), None, None, None
    )


def writes_of_kind(kind: str) -> Sequence[TransactionalWrite]:
    writes_by_kind: dict[str, Sequence[TransactionalWrite]] = {
        "none": [],
        "some": [ClosePersonSessions(STREAM)],
        "session": [new_session()],
    }
    return writes_by_kind[kind]


@pytest.fixture
def recorder(service: Service) -> Recorder:
    """Return a recorder whose store has one stream with two events."""
    recorder = Recorder(service.database, lambda: None)
    recorder.insert_events(events(1, 2))
    return recorder


@pytest.mark.parametrize(
    ("versions", "kind"),
    [((4,), "none"), ((4,), "some"), ((4,), "session"), ((4, 5), "none"), ((3, 5), "none"), ((3, 5), "some")],
)
def test_version_gap_is_a_conflict_and_writes_nothing(
    recorder: Recorder, database_url: str, versions: Sequence[int], kind: str
) -> None:
    """Neither events nor transactional writes are stored. Events that continue the stream are accepted afterwards."""
    with pytest.raises(VersionConflict):
        recorder.insert_events(events(*versions), writes=writes_of_kind(kind))
    assert fetch(database_url, "SELECT count(*) FROM stored_events") == [(2,)]
    assert fetch(database_url, "SELECT count(*) FROM sessions") == [(0,)]
    for versions_in_order in ((3,), (4, 5, 6)):
        assert recorder.insert_events(events(*versions_in_order), writes=writes_of_kind(kind))
        kind = "none"
    assert fetch(database_url, "SELECT count(*) FROM stored_events") == [(6,)]


def test_version_gap_refuses_only_its_own_transaction(recorder: Recorder) -> None:
    """A gap refuses the whole transaction. Without it, the events of all streams are stored."""
    others = [*events(1, stream=UUID(int=8)), *events(1, 2, stream=UUID(int=9))]
    with pytest.raises(VersionConflict):
        recorder.insert_events([*others, *events(4)])
    assert recorder.insert_events([*others, *events(3)])
