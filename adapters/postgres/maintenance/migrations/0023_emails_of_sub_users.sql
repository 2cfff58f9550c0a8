-- A sub-user's e-mail can change. The list is that of the statements in projections/history/sql/queries.sql.
DROP INDEX stored_events_account_state_idx;
CREATE INDEX stored_events_account_state_idx ON stored_events (originator_id, notification_id)
WHERE topic IN (
    'MainAccountRegistered', 'MainAccountDetailsChanged', 'MainAccountExternalIdSet', 'MainAccountClosed',
    'SubUserLimitRaised', 'MainAccountPlanSet', 'SubUserCreated', 'SubUserDetailsChanged', 'SubUserEmailChanged',
    'SubUserVisibilityChanged', 'SubUserAccessExpirySet', 'SubUserActivated', 'SubUserDeactivated',
    'SubUserPasswordReset', 'SubUserPasswordChanged', 'SubUserLockedOut', 'SubUserUnlocked', 'SubUserDeleted');
