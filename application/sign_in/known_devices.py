"""Sign-ins from new devices, of which people are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.transactional_writes import RememberDevice, TransactionalWrite

if TYPE_CHECKING:
    from application.command_context import CommandContext
    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.sign_in.devices import Devices
    from application.sign_in.new_session import NewSession
    from domain.event_metadata import EventMetadata
    from domain.main_account import MainAccount


@dataclass(frozen=True)
class KnownDevices:
    """Devices from which people have signed in."""

    devices: Devices
    keyed_hasher: KeyedHasher

    def record_sign_in(
        self,
        account: MainAccount,
        session: NewSession,
        context: CommandContext,
        metadata: EventMetadata,
        *,
        is_password_change: bool = False,
    ) -> list[TransactionalWrite]:
        """Record a new device, and return the write that remembers the device of a sign-in, if it is known.

        Call this in the decision that records the login, after it: of two concurrent sign-ins from a new device, the
        second is decided again and finds the device. A session of a temporary password does not count. The password
        change that follows it tells nothing of the person's first device.
        """
        if context.device_id_of is None or session.assurance.is_restricted:
            return []
        person_id = session.person_id
        device_hash = self.keyed_hasher.hash("device", str(person_id), context.device_id_of(person_id))
        is_new = not self.devices.is_known(person_id, device_hash)
        if is_new and (not is_password_change or self.devices.has_any(person_id)):
            account.record_new_device(session.sub_user_id, session.session_id, at=session.opened_at, metadata=metadata)
        return [RememberDevice(person_id, device_hash, session.opened_at)]
