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
    EMAIL_CONFIRMATION = "email_confirmation"
    """To the new e-mail of an account: a link that confirms it."""
    OWNER_EMAIL_CHANGED = "owner_email_changed"
    """To the former e-mail of an account: a link that undoes the change."""
    OWNER_EMAIL_RESTORED = "owner_email_restored"
    """To the owner: the change of their e-mail was undone."""
    SIGN_IN_EMAIL = "sign_in_email"
    """To a sub-user: the account's e-mail with which they log in from now on."""
    NEW_DEVICE = "new_device"
    """A person logged in from a device that was not known."""
    SECOND_FACTOR_ADDED = "second_factor_added"
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    SECOND_FACTORS_RESET = "second_factors_reset"
    """The owner removed all second factors of a sub-user, or support those of the owner."""
    RECOVERY_CODE_USED = "recovery_code_used"
