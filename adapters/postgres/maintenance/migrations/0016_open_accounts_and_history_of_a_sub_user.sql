-- Raises unless an account is open, and keeps it open until the transaction ends: only an open account has a row in
-- account_directory, and closing the account deletes that row.
CREATE FUNCTION require_open_account(wanted uuid) RETURNS SETOF void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM account_directory WHERE account_id = wanted FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'account % is not open', wanted
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'open_account';
    END IF;
END
$$;

-- Left behind when a process was killed between creating a webhook and finding that its account had been closed.
DELETE FROM webhooks w
WHERE account_id IS NOT NULL AND NOT EXISTS (SELECT FROM account_directory d WHERE d.account_id = w.account_id);

-- The history of one sub-user is read by this, as by audit_view: where the events stand that have left the audit log.
ALTER TABLE audit_older ADD COLUMN sub_user_id uuid;
UPDATE audit_older o
SET sub_user_id = (convert_from(e.state, 'UTF8')::json ->> 'sub_user_id')::uuid
FROM stored_events e
WHERE e.notification_id = o.position;
CREATE INDEX audit_older_sub_user_idx ON audit_older (account_id, sub_user_id, position);

-- What the state of an account is made of, apart from logins and mails: few events of a long history. The list is that
-- of the statements in projections/history/sql/queries.sql.
CREATE INDEX stored_events_account_state_idx ON stored_events (originator_id, notification_id)
WHERE topic IN (
    'MainAccountRegistered', 'MainAccountDetailsChanged', 'MainAccountClosed', 'SubUserLimitRaised',
    'MainAccountPlanSet', 'SubUserCreated', 'SubUserDetailsChanged', 'SubUserVisibilityChanged',
    'SubUserAccessExpirySet', 'SubUserActivated', 'SubUserDeactivated', 'SubUserPasswordReset',
    'SubUserPasswordChanged', 'SubUserLockedOut', 'SubUserUnlocked', 'SubUserDeleted');
