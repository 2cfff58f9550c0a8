"""Checks of passwords, the same for sub-users and account owners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.errors import InvalidValue
from application.throttle_keys import password_change_keys
from application.transactional_writes import ReplacePasswordHash
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.passwords import Passwords
    from application.ports.vault import Vault, VaultEntry
    from application.sign_in.login_throttling import LoginThrottling
    from application.transactional_writes import TransactionalWrite


@dataclass(frozen=True)
class PasswordChecks:
    """Checks of current and new passwords."""

    vault: Vault
    keyed_hasher: KeyedHasher
    passwords: Passwords
    throttling: LoginThrottling

    def check_and_hash_new(
        self,
        entry: VaultEntry,
        current_password: str,
        new_password: str,
        forbidden_texts: Sequence[str],
        on_verified: Callable[[], None] = lambda: None,
    ) -> str:
        """Verify the current password, check the new one, and return the hash of the new one.

        Cheap checks come first, the estimate of the strength last. Raises `InvalidValue`, or `TooManyAttempts` after
        too many attempts or wrong current passwords. `on_verified` is called after the verification, whether the
        current password is right or not.
        """
        self.passwords.ensure_allowed("new_password", new_password, forbidden_texts)
        if self.passwords.are_same(current_password, new_password):
            raise InvalidValue("new_password", "must differ from the current password")
        self._verify_current(entry, current_password, on_verified)
        self.passwords.ensure_strong("new_password", new_password, forbidden_texts)
        return self.passwords.hash(new_password)

    def ensure_unchanged(self, entry: VaultEntry) -> None:
        """Raise `LoginRefused` if the verified password has been replaced since `entry` was read."""
        current_entry = self.vault.entries([entry.person_id]).get(entry.person_id)
        if current_entry is None or current_entry.credentials_version != entry.credentials_version:
            raise LoginRefused("wrong_password")

    def rehash_writes(self, entry: VaultEntry, password: str) -> list[TransactionalWrite]:
        """Return the write that replaces an outdated hash of a right password, if any."""
        if entry.password_hash is None or not self.passwords.is_outdated(entry.password_hash):
            return []
        return [ReplacePasswordHash(entry.person_id, entry.password_hash, self.passwords.hash(password))]

    def _verify_current(self, entry: VaultEntry, password: str, on_verified: Callable[[], None]) -> None:
        admission = self.throttling.reserve_now(password_change_keys(self.keyed_hasher, entry.person_id))
        try:
            is_right = self.passwords.verify(entry.password_hash, password)
        except BaseException:
            self.throttling.cancel(admission.reservation)
            raise
        on_verified()
        if is_right:
            self.throttling.succeed(admission.reservation)
            return
        self.throttling.fail(admission.reservation)
        raise InvalidValue("current_password", "is wrong")
