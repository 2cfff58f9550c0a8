"""Full names of sub-users."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from application.commands.resources import SubUserDetails


def full_name(sub_user: SubUserDetails) -> str:
    """Return a sub-user's name and surname, separated by a space."""
    return f"{sub_user.name} {sub_user.surname}"
