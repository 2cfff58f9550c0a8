"""What a command on a sub-user begins with, read before it is run, in one question to the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from eventsourcing.persistence import StoredEvent

    from application.ports import VaultEntry


@dataclass(frozen=True)
class Ahead:
    """What the vault holds of the people concerned, and what an account has recorded after a version.

    It is as of a moment after the command had been asked for: were it out of date by the time it is decided on, the
    store would refuse what was decided.
    """

    entries: Mapping[UUID, VaultEntry] = field(repr=False)
    newer: Sequence[StoredEvent] = field(repr=False)
