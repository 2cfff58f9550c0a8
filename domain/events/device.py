"""Events about devices from which people sign in."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from domain.events import ocsf
from domain.events.base import Event
from domain.events.descriptor import EventDescriptor


class NewDeviceSignedIn(Event):
    """A person, the owner if `sub_user_id` is None, opened a session from a device that was not known."""

    TOPIC: ClassVar[str] = "NewDeviceSignedIn"
    DESCRIPTOR = EventDescriptor(
        "person.new_device_signed_in",
        "A sub-user, or without a subject the account's owner, logged in from a device that was not known.",
        facts=("session_id",),
        ocsf=ocsf.NEW_DEVICE,
    )
    sub_user_id: UUID | None
    session_id: UUID
