"""Purposes of the links that are mailed to people."""

from __future__ import annotations

from enum import StrEnum


class LinkPurpose(StrEnum):
    """What a mailed link can be used for, once."""

    PASSWORD_RESET = "password_reset"
    """Choose a new password instead of a forgotten one."""
    INVITATION = "invitation"
    """Choose the first password."""
    EMAIL_CONFIRMATION = "email_confirmation"
    """Confirm a new e-mail of the account."""
    EMAIL_UNDO = "email_undo"
    """Restore a former e-mail of the account."""
