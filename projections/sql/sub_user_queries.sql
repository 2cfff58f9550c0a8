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
-- A page of sub-users, with how long the account's stream is and how much of it the page has: one snapshot for both.
-- There is a row even where there is no sub-user. What stands in braces is chosen from a fixed set, never from input.
WITH account AS MATERIALIZED (
    SELECT (SELECT max(e.originator_version) FROM stored_events e
            WHERE e.originator_id = %(account_id)s AND EXISTS (
                SELECT FROM stored_events f WHERE f.originator_id = %(account_id)s AND f.originator_version = 1
                                              AND f.topic = 'MainAccountRegistered')
           ) AS stored,
           (SELECT v.version FROM account_view v WHERE v.account_id = %(account_id)s) AS seen
), page AS MATERIALIZED (
    SELECT * FROM sub_user_view WHERE {where} ORDER BY {key} {order}, sub_user_id {order} LIMIT %(limit)s
)
SELECT stored, seen, sub_user_id, account_id, email, name, surname,
       CASE WHEN active THEN 'active' ELSE 'inactive' END AS status, visible, created_at, last_login_at,
       access_expires_at, must_change_password, credentials_mail, locked, revision, ({key})::text AS sort_key
FROM account LEFT JOIN page ON true
ORDER BY {key} {order}, sub_user_id {order}
