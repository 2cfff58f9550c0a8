-- Statements that keep account_view and sub_user_view up to date. Rows are exchanged as JSON.

-- name: find_accounts
-- Read and lock account rows. An erasure waits until they are written back: otherwise the names read here would
-- overwrite the erasure.
SELECT account_id::text AS id, to_jsonb(a) AS view_row FROM account_view a WHERE account_id = ANY(%(ids)s::uuid[])
ORDER BY account_id FOR UPDATE

-- name: find_sub_users
-- Read and lock sub-user rows.
SELECT sub_user_id::text AS id, to_jsonb(s) AS view_row FROM sub_user_view s WHERE sub_user_id = ANY(%(ids)s::uuid[])
ORDER BY sub_user_id FOR UPDATE

-- name: upsert_accounts
-- Insert or update account rows. `version` is the version of the account's stream that the view has reached; reads
-- compare it.
INSERT INTO account_view
SELECT * FROM json_populate_recordset(NULL::account_view, %(rows)s::json)
ON CONFLICT (account_id) DO UPDATE
SET version = excluded.version, email = excluded.email, company_name = excluded.company_name,
    language = excluded.language, sub_user_limit = excluded.sub_user_limit, closed_at = excluded.closed_at,
    external_id = excluded.external_id, sub_user_password_reset = excluded.sub_user_password_reset,
    pending_email = excluded.pending_email, pending_email_expires_at = excluded.pending_email_expires_at,
    second_factor_policy = excluded.second_factor_policy

-- name: upsert_sub_users
-- Insert or update sub-user rows. {columns} leaves out those that PostgreSQL generates, {updates} assigns those that can
-- change after creation.
INSERT INTO sub_user_view (account_id, {columns})
SELECT account_id, {columns} FROM json_populate_recordset(NULL::sub_user_view, %(rows)s::json)
ON CONFLICT (sub_user_id) DO UPDATE
SET {updates}

-- name: remove_sub_users
-- Remove deleted sub-users.
DELETE FROM sub_user_view WHERE sub_user_id = ANY(%(ids)s::uuid[])
