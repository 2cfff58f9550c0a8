-- Second factors of sub-users and owners. A TOTP has an encrypted secret and the last time step that was used, a passkey
-- has the columns from credential_id on. The events have only the names, which are encrypted here, too.
CREATE TABLE second_factors (
    factor_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    person_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('totp', 'passkey')),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    encrypted_name text NOT NULL,
    encrypted_secret text,
    last_step bigint,
    credential_id bytea,
    public_key bytea,
    sign_count bigint,
    transports text[] NOT NULL DEFAULT '{}',
    is_verifying boolean NOT NULL DEFAULT false,
    CHECK (CASE kind WHEN 'totp' THEN encrypted_secret IS NOT NULL AND last_step IS NOT NULL
           ELSE credential_id IS NOT NULL AND public_key IS NOT NULL AND sign_count IS NOT NULL END)
);
CREATE INDEX second_factors_person_idx ON second_factors (person_id);
CREATE UNIQUE INDEX second_factors_credential_key ON second_factors (credential_id);

-- Keyed hashes of unused recovery codes.
CREATE TABLE recovery_codes (
    person_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    PRIMARY KEY (person_id, code_hash)
);

-- Challenges to add or use a second factor, each good once: random bytes that a passkey signs, or the encrypted secret of
-- a TOTP that is being added. Those to sign in with a passkey are nobody's.
CREATE TABLE sign_in_challenges (
    challenge_id uuid PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('add_totp', 'add_passkey', 'verify_passkey', 'sign_in')),
    person_id uuid,
    expires_at timestamptz NOT NULL,
    encrypted_secret text,
    challenge bytea NOT NULL
);
CREATE INDEX sign_in_challenges_person_idx ON sign_in_challenges (person_id);
CREATE INDEX sign_in_challenges_expiry_idx ON sign_in_challenges (expires_at);

-- Accounts whose policy requires a second factor of everybody.
CREATE TABLE accounts_requiring_second_factor (account_id uuid PRIMARY KEY);

-- The level of the session that a console link opens: what the portal has checked.
ALTER TABLE console_links
    ADD COLUMN assurance text NOT NULL DEFAULT 'password' CHECK (assurance IN ('password', 'second_factor'));

ALTER TABLE account_view ADD COLUMN second_factor_policy text NOT NULL DEFAULT 'optional';
ALTER TABLE sub_user_view ADD COLUMN has_second_factor boolean NOT NULL DEFAULT false;

-- The list is that of the statements in projections/history/sql/queries.sql.
DROP INDEX stored_events_account_state_idx;
CREATE INDEX stored_events_account_state_idx ON stored_events (originator_id, notification_id)
WHERE topic IN (
    'MainAccountRegistered', 'MainAccountDetailsChanged', 'MainAccountExternalIdSet', 'MainAccountClosed',
    'SubUserLimitRaised', 'MainAccountPlanSet', 'SubUserCreated', 'SubUserDetailsChanged', 'SubUserEmailChanged',
    'SubUserVisibilityChanged', 'SubUserAccessExpirySet', 'SubUserActivated', 'SubUserDeactivated',
    'SubUserPasswordReset', 'SubUserPasswordChanged', 'SubUserLockedOut', 'SubUserUnlocked', 'SubUserDeleted',
    'RoleCreated', 'RoleChanged', 'RoleDeleted', 'RoleGranted', 'RoleRevoked',
    'SecondFactorAdded', 'SecondFactorRemoved', 'SecondFactorsReset', 'SecondFactorPolicySet');
