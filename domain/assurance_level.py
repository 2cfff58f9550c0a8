"""Assurance levels of sessions."""

from __future__ import annotations

from enum import StrEnum


class AssuranceLevel(StrEnum):
    """How a person authenticated for a session, lowest level first."""

    TEMPORARY_PASSWORD = "temporary_password"
    PASSWORD = "password"
    SECOND_FACTOR = "second_factor"

    def meets(self, required: AssuranceLevel) -> bool:
        """Return whether the level is `required` or higher. Operators such as `<` compare the names."""
        levels = list(AssuranceLevel)
        return levels.index(self) >= levels.index(required)

    def at_least(self, minimum: AssuranceLevel) -> AssuranceLevel:
        """Return the level, or `minimum` if that is higher."""
        return self if self.meets(minimum) else minimum

    @property
    def is_restricted(self) -> bool:
        """Whether a session of this level can only set a new password and log out."""
        return not self.meets(AssuranceLevel.PASSWORD)
