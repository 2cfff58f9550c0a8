"""Postgres recorder: the eventsourcing library's own recorder tests.

The library's optional subscription tests are left out: projections use followers instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from adapters.postgres.event_store.recorder import Recorder
from application.errors import VersionConflict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.tests import persistence

    from api.bootstrap.service import Service
else:
    persistence = pytest.importorskip(
        "eventsourcing.tests.persistence", reason="the library's tests need pycryptodome", exc_type=ImportError
    )


class RecorderWithLibraryErrors(Recorder):
    """Raises the library's `IntegrityError` for a version conflict."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        try:
            return super().insert_events(stored_events, **kwargs)
        except VersionConflict as conflict:
            raise IntegrityError from conflict


class WithOurRecorder:
    """Creates the recorder on an empty database."""

    @pytest.fixture(autouse=True)
    def _set_database(self, service: Service) -> None:
        self.database = service.database

    def create_recorder(self) -> Any:
        return RecorderWithLibraryErrors(self.database, lambda: None)


class TestRecorder(WithOurRecorder, persistence.ApplicationRecorderTestCase[Any]):
    """Inserts, selects, conflicts, limits and topics; ten writers with two readers."""


class TestPositionsDoNotInterleave(WithOurRecorder, persistence.NonInterleavingNotificationIDsBaseCase):
    """Two large concurrent inserts get consecutive, non-interleaved positions."""
