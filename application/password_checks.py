"""What is asked of a password wherever somebody proves with one who they are, sub-user or owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.attempts import AttemptKeys, attempt_keys
from application.errors import InvalidValue, TooManyAttempts
from application.records import PasswordRehashed
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from application.ports import Clock, Fingerprints, Passwords, Throttle, Vault, VaultEntry
    from application.records import Record


@dataclass(frozen=True)
class PasswordChecks:
    """Patience, that it is right, that it is still the one, and that a new one will do."""

    vault: Vault
    fingerprints: Fingerprints
    passwords: Passwords
    clock: Clock
    throttle: Throttle

    def require_patience(self, keys: AttemptKeys) -> None:
        """Raise `TooManyAttempts` where an attempt has to wait, before its password is looked at."""
        wait = self.throttle.seconds_to_wait(keys.waiting, self.clock())
        if wait > 0:
            raise TooManyAttempts(wait)

    def require_current(self, entry: VaultEntry, password: str) -> None:
        """Raise `InvalidValue` for a wrong current password, or `TooManyAttempts` after too many of them."""
        keys = self.own_password_keys(entry)
        self.require_patience(keys)
        if not self.passwords.verify(entry.password_hash, password):
            self.throttle.failed(keys, self.clock())
            raise InvalidValue("current_password", "is wrong")

    def hash_of_new(self, entry: VaultEntry, password: str, about: Sequence[str]) -> str:
        """Return the hash of a password of one's own. Raises `InvalidValue` unless it is good, and another one."""
        self.passwords.require_good("new_password", password, about)
        if self.passwords.verify(entry.password_hash, password):
            raise InvalidValue("new_password", "must differ from the current password")
        return self.passwords.hash(password)

    def require_same(self, entry: VaultEntry) -> None:
        """Raise `LoginRefused` where the password that was verified has been replaced since."""
        now = self.vault.entries([entry.person_id]).get(entry.person_id)
        if now is None or now.credentials != entry.credentials:
            raise LoginRefused("wrong_password")

    def rehashed(self, entry: VaultEntry, password: str) -> list[Record]:
        """Return what brings the hash of a right password up to today's parameters."""
        if entry.password_hash is None or not self.passwords.is_outdated(entry.password_hash):
            return []
        return [PasswordRehashed(entry.person_id, entry.password_hash, self.passwords.hash(password))]

    def own_password_keys(self, entry: VaultEntry) -> AttemptKeys:
        """Return the keys under which a person's wrong current passwords count."""
        return attempt_keys(self.fingerprints, "own password", str(entry.person_id), None)
