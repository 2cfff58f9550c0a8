"""What the audit log calls each event: part of the public interface, as stable as the topics themselves."""

from __future__ import annotations

ACTIONS = {
    "MainAccountRegistered": "main_account.registered",
    "MainAccountDetailsChanged": "main_account.details_changed",
    "MainAccountClosed": "main_account.closed",
    "MainAccountLoggedIn": "main_account.logged_in",
    "MainAccountLoginRefused": "main_account.login_refused",
    "MainAccountLoggedOut": "main_account.logged_out",
    "SubUserLimitRaised": "main_account.sub_user_limit_raised",
    "MainAccountPlanSet": "main_account.plan_set",
    "UsageThresholdReached": "main_account.usage_threshold_reached",
    "SubUserCreated": "sub_user.created",
    "SubUserDetailsChanged": "sub_user.details_changed",
    "SubUserVisibilityChanged": "sub_user.visibility_changed",
    "SubUserAccessExpirySet": "sub_user.access_expiry_set",
    "SubUserActivated": "sub_user.activated",
    "SubUserDeactivated": "sub_user.deactivated",
    "SubUserPasswordReset": "sub_user.password_reset",
    "SubUserPasswordChanged": "sub_user.password_changed",
    "SubUserLoggedIn": "sub_user.logged_in",
    "SubUserLoginRefused": "sub_user.login_refused",
    "SubUserLockedOut": "sub_user.locked_out",
    "SubUserUnlocked": "sub_user.unlocked",
    "SubUserLoggedOut": "sub_user.logged_out",
    "SubUserDeleted": "sub_user.deleted",
    "CredentialsMailed": "sub_user.credentials_mailed",
    "CredentialsMailFailed": "sub_user.credentials_mail_failed",
    "PersonalDataErased": "sub_user.personal_data_erased",
    "UsageRecorded": "sub_user.usage_recorded",
    "WebhookCreated": "webhook.created",
    "WebhookDisabled": "webhook.disabled",
    "WebhookEnabled": "webhook.enabled",
    "WebhookDeleted": "webhook.deleted",
    "AuditLogRead": "audit_log.read",
    "AuditLogExported": "audit_log.exported",
}
"""Topic to action. An activity goes by the portal's own word, which is why those may not begin like one of these."""

RESERVED = ("sub_user.", "main_account.", "webhook.", "audit_log.")
"""Beginnings that an activity's word may not have, or it could pass for something that this service saw itself."""
