"""Port: devices from which people have signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uuid import UUID


class Devices(Protocol):
    """Known devices of people. `RememberDevice` writes them."""

    def is_known(self, person_id: UUID, device_hash: bytes) -> bool:
        """Return whether a person has signed in from this device."""

    def has_any(self, person_id: UUID) -> bool:
        """Return whether a person has signed in from any known device."""
