"""Port: password rules and hashing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Passwords(Protocol):
    """Checks, hashes and generates passwords. Raises `TooBusy` if too many calls wait to hash a password."""

    def ensure_allowed(self, field: str, password: str, forbidden_texts: Sequence[str]) -> None:
        """Raise `InvalidValue` if a password is too short, too long, or contains words of the forbidden texts."""

    def ensure_strong(self, field: str, password: str, forbidden_texts: Sequence[str]) -> None:
        """Raise `InvalidValue` if a password is not allowed or is easy to guess."""

    def are_same(self, first: str, second: str) -> bool:
        """Return whether two passwords are equal after Unicode normalization."""

    def hash(self, password: str) -> str:
        """Return the hash of a password."""

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether a password is right. Without a hash, return False after the same time."""

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether a hash was made with parameters other than the current ones."""

    def generate(self) -> str:
        """Return a random temporary password that is easy to type."""
