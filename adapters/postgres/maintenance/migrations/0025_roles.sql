-- Roles of accounts, and the grants that give them to sub-users, as they are now: checks of access read these rows, which
-- are written in the transaction of their event. The built-in roles have no row. Names of roles are only in the events.
CREATE TABLE account_roles (
    role_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    permissions text[] NOT NULL
);
CREATE INDEX account_roles_account_idx ON account_roles (account_id);
CREATE INDEX account_roles_permissions_idx ON account_roles USING gin (permissions);

-- `version` is that of the event in the account's stream. On everything, resource_type and resource_id are ''.
CREATE TABLE role_grants (
    grant_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    sub_user_id uuid NOT NULL,
    role_id uuid NOT NULL,
    resource_type text NOT NULL,
    resource_id text NOT NULL,
    expires_at timestamptz,
    granted_at timestamptz NOT NULL,
    version bigint NOT NULL,
    encrypted_label text,
    encrypted_reason text
);
CREATE INDEX role_grants_sub_user_idx ON role_grants (sub_user_id, resource_type, resource_id);
CREATE INDEX role_grants_resource_idx ON role_grants (account_id, resource_type, resource_id);

-- A sub-user has the built-in role Operator on everything, by a grant with their own id, until it is revoked.
WITH deleted AS (
    SELECT (convert_from(state, 'UTF8')::json ->> 'sub_user_id')::uuid AS sub_user_id
    FROM stored_events WHERE topic = 'SubUserDeleted'
), created AS (
    SELECT originator_id, originator_version, convert_from(state, 'UTF8')::json AS state
    FROM stored_events WHERE topic = 'SubUserCreated'
)
INSERT INTO role_grants (grant_id, account_id, sub_user_id, role_id, resource_type, resource_id, granted_at, version)
SELECT (state ->> 'sub_user_id')::uuid, originator_id, (state ->> 'sub_user_id')::uuid,
       '5b5e9ac4-3c3b-5d0e-9a55-7b6a4b0f0a01', '', '', (state ->> 'timestamp')::timestamptz, originator_version
FROM created
WHERE (state ->> 'sub_user_id')::uuid NOT IN (SELECT sub_user_id FROM deleted);

-- Serializes changes of the permission catalogue (exclusive) with those of the permissions of roles (shared), until the
-- transaction ends.
CREATE FUNCTION lock_permission_catalogue(exclusive boolean) RETURNS SETOF void LANGUAGE plpgsql AS $$
BEGIN
    IF exclusive THEN
        PERFORM pg_advisory_xact_lock(723986, 0);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(723986, 0);
    END IF;
END
$$;

-- Raises unless the catalogue has this revision: the version of its stream. Needs the lock.
CREATE FUNCTION require_catalogue_revision(catalogue_id uuid, wanted bigint) RETURNS SETOF void LANGUAGE plpgsql AS $$
BEGIN
    IF wanted <> coalesce(
        (SELECT max(originator_version) FROM stored_events WHERE originator_id = catalogue_id), 0) THEN
        RAISE EXCEPTION 'the permission catalogue has changed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'catalogue_revision';
    END IF;
END
$$;

-- Raises if a role has one of these permissions. Needs the lock.
CREATE FUNCTION require_unused_permissions(names text[]) RETURNS SETOF void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM account_roles WHERE permissions && names) THEN
        RAISE EXCEPTION 'a role has one of the permissions'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'unused_permissions';
    END IF;
END
$$;

-- The list is that of the statements in projections/history/sql/queries.sql.
DROP INDEX stored_events_account_state_idx;
CREATE INDEX stored_events_account_state_idx ON stored_events (originator_id, notification_id)
WHERE topic IN (
    'MainAccountRegistered', 'MainAccountDetailsChanged', 'MainAccountExternalIdSet', 'MainAccountClosed',
    'SubUserLimitRaised', 'MainAccountPlanSet', 'SubUserCreated', 'SubUserDetailsChanged', 'SubUserEmailChanged',
    'SubUserVisibilityChanged', 'SubUserAccessExpirySet', 'SubUserActivated', 'SubUserDeactivated',
    'SubUserPasswordReset', 'SubUserPasswordChanged', 'SubUserLockedOut', 'SubUserUnlocked', 'SubUserDeleted',
    'RoleCreated', 'RoleChanged', 'RoleDeleted', 'RoleGranted', 'RoleRevoked');

-- For the names of roles in the audit log, which are only in the events.
CREATE INDEX stored_events_role_names_idx ON stored_events (originator_id, originator_version)
WHERE topic IN ('RoleCreated', 'RoleChanged');
