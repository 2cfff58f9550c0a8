-- name: find_account
-- An account, and how many sub-users it has.
SELECT account_id, email, company_name, language, sub_user_limit, created_at, closed_at,
       (SELECT count(*) FROM sub_user_view s WHERE s.account_id = a.account_id) AS sub_user_count
FROM account_view a
WHERE account_id = %(account_id)s

-- name: find_sub_user
-- One sub-user of that account.
SELECT sub_user_id, account_id, email, name, surname, CASE WHEN active THEN 'active' ELSE 'inactive' END AS status,
       visible, created_at, last_login_at, access_expires_at, must_change_password, credentials_mail, locked, revision
FROM sub_user_view
WHERE account_id = %(account_id)s AND sub_user_id = %(sub_user_id)s

-- name: list_sub_users
-- A page of sub-users. What stands in braces is chosen from a fixed set, never from input.
SELECT sub_user_id, account_id, email, name, surname, CASE WHEN active THEN 'active' ELSE 'inactive' END AS status,
       visible, created_at, last_login_at, access_expires_at, must_change_password, credentials_mail, locked, revision,
       ({key})::text AS sort_key
FROM sub_user_view
WHERE {where}
ORDER BY {key} {order}, sub_user_id {order}
LIMIT %(limit)s
