-- How the tables account_view and sub_user_view follow events: rows come as JSON, and go back as JSON.

-- name: find_accounts
-- The rows that there are, by their ids. Whoever forgets a person waits until they are put back: else what was read before
-- would bring the names back that were deleted meanwhile.
SELECT account_id::text, to_jsonb(a) FROM account_view a WHERE account_id = ANY(%(ids)s::uuid[])
ORDER BY account_id FOR UPDATE

-- name: find_sub_users
-- The same of sub-users.
SELECT sub_user_id::text, to_jsonb(s) FROM sub_user_view s WHERE sub_user_id = ANY(%(ids)s::uuid[])
ORDER BY sub_user_id FOR UPDATE

-- name: put_accounts
-- New rows, and what has become of others. The version says how far the account's stream is in the view: what a read
-- compares.
INSERT INTO account_view
SELECT * FROM json_populate_recordset(NULL::account_view, %(rows)s::json)
ON CONFLICT (account_id) DO UPDATE
SET version = excluded.version, email = excluded.email, company_name = excluded.company_name,
    language = excluded.language, sub_user_limit = excluded.sub_user_limit, closed_at = excluded.closed_at

-- name: put_sub_users
-- New rows, and what has become of others; who they are and since when does not change.
INSERT INTO sub_user_view
SELECT * FROM json_populate_recordset(NULL::sub_user_view, %(rows)s::json)
ON CONFLICT (sub_user_id) DO UPDATE
SET name = excluded.name, surname = excluded.surname, active = excluded.active, visible = excluded.visible,
    last_login_at = excluded.last_login_at, access_expires_at = excluded.access_expires_at,
    must_change_password = excluded.must_change_password, credentials_mail = excluded.credentials_mail,
    mail_version = excluded.mail_version, locked = excluded.locked, revision = excluded.revision

-- name: remove_sub_users
-- Gone from lists for good.
DELETE FROM sub_user_view WHERE sub_user_id = ANY(%(ids)s::uuid[])
