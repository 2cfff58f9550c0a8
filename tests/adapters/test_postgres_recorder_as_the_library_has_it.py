"""The recorder passes the library's own tests for recorders of its kind, as far as they apply.

The library tests subscriptions too, in a test that it calls optional: followers take their place here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from adapters.postgres.recorder import Recorder
from application.errors import VersionConflict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.tests import persistence

    from api.bootstrap import Service
else:
    persistence = pytest.importorskip(
        "eventsourcing.tests.persistence", reason="the library's tests need pycryptodome", exc_type=ImportError
    )


class SpeakingAsTheLibraryDoes(Recorder):
    """Calls a conflict what the library calls it."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Write the events."""
        try:
            return super().insert_events(stored_events, **kwargs)
        except VersionConflict as conflict:
            raise IntegrityError from conflict


class WithOurRecorder:
    """Makes the recorder on a database that nothing was written to."""

    @pytest.fixture(autouse=True)
    def _remember(self, service: Service) -> None:
        self.database = service.database

    def create_recorder(self) -> Any:
        """Return the recorder."""
        return SpeakingAsTheLibraryDoes(self.database, lambda: None)


class TestRecorder(WithOurRecorder, persistence.ApplicationRecorderTestCase[Any]):
    """Inserting, selecting, conflicts, limits, topics; ten writers and two readers at once."""


class TestPositionsDoNotInterleave(WithOurRecorder, persistence.NonInterleavingNotificationIDsBaseCase):
    """Two large inserts at the same time stand one after the other."""
