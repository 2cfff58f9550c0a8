"""Mails that tell a person about the security of their sign-in, or that have a link for them."""

from __future__ import annotations

from enum import StrEnum


class SecurityNotice(StrEnum):
    """Kind of security notice. Credentials mails are kinds of `domain.sub_user.Notice`."""

    PASSWORD_RESET = "password_reset"
    """A link to choose a new password."""
    PASSWORD_RESET_FORWARDED = "password_reset_forwarded"
    """To the owner: a sub-user who may not reset their password asked for it."""
    OWNER_PASSWORD_CHANGED = "owner_password_changed"
    """To the owner: their password changed."""
    NEW_DEVICE = "new_device"
    """A person logged in from a device that was not known."""
    SECOND_FACTOR_ADDED = "second_factor_added"
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    SECOND_FACTORS_RESET = "second_factors_reset"
    """The owner removed all second factors of a sub-user, or support those of the owner."""
    RECOVERY_CODE_USED = "recovery_code_used"
