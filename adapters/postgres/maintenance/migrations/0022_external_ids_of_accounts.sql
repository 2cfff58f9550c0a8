-- The portal's own id of an account: as a keyed hash in the directory, where it is unique among open accounts, and in
-- plain text in the view, which lists accounts by it.
ALTER TABLE account_directory ADD COLUMN external_id_hash text CONSTRAINT account_directory_external_id_key UNIQUE;
ALTER TABLE account_view ADD COLUMN external_id text;
CREATE INDEX account_view_created_idx ON account_view (created_at, account_id);
CREATE INDEX account_view_email_idx ON account_view (lower(email));
CREATE INDEX account_view_external_id_idx ON account_view (external_id) WHERE external_id IS NOT NULL;

-- The list is that of the statements in projections/history/sql/queries.sql.
DROP INDEX stored_events_account_state_idx;
CREATE INDEX stored_events_account_state_idx ON stored_events (originator_id, notification_id)
WHERE topic IN (
    'MainAccountRegistered', 'MainAccountDetailsChanged', 'MainAccountExternalIdSet', 'MainAccountClosed',
    'SubUserLimitRaised', 'MainAccountPlanSet', 'SubUserCreated', 'SubUserDetailsChanged', 'SubUserVisibilityChanged',
    'SubUserAccessExpirySet', 'SubUserActivated', 'SubUserDeactivated', 'SubUserPasswordReset',
    'SubUserPasswordChanged', 'SubUserLockedOut', 'SubUserUnlocked', 'SubUserDeleted');
