-- name: find_account
-- An account, with its number of sub-users.
SELECT account_id, email, company_name, language, sub_user_limit, created_at, closed_at, external_id,
       sub_user_password_reset, pending_email, pending_email_expires_at,
       second_factor_policy,
       (SELECT count(*) FROM sub_user_view s WHERE s.account_id = a.account_id) AS sub_user_count
FROM account_view a
WHERE account_id = %(account_id)s

-- name: list_accounts
-- A page of accounts, oldest first, optionally those with an e-mail or with an external id.
SELECT account_id, email, company_name, language, sub_user_limit, created_at, closed_at, external_id,
       sub_user_password_reset, pending_email, pending_email_expires_at,
       second_factor_policy,
       (SELECT count(*) FROM sub_user_view s WHERE s.account_id = a.account_id) AS sub_user_count
FROM account_view a
WHERE (%(email)s::text IS NULL OR lower(email) = lower(%(email)s))
  AND (%(external_id)s::text IS NULL OR external_id = %(external_id)s)
  AND (%(created_after)s::timestamptz IS NULL OR (created_at, account_id) > (%(created_after)s, %(id_after)s))
ORDER BY created_at, account_id
LIMIT %(limit)s

-- name: find_sub_user
-- One sub-user of an account.
SELECT {columns}, CASE WHEN active THEN 'active' ELSE 'inactive' END AS status,
       (SELECT v.password_expires_at FROM vault v WHERE v.person_id = sub_user_id AND v.must_change AND active)
           AS temporary_password_expires_at
FROM sub_user_view
WHERE account_id = %(account_id)s AND sub_user_id = %(sub_user_id)s

-- name: find_chosen
-- Some sub-users of an account, by name.
SELECT {columns}, CASE WHEN active THEN 'active' ELSE 'inactive' END AS status,
       (SELECT v.password_expires_at FROM vault v WHERE v.person_id = sub_user_id AND v.must_change AND active)
           AS temporary_password_expires_at
FROM sub_user_view
WHERE account_id = %(account_id)s AND sub_user_id = ANY(%(ids)s::uuid[])
ORDER BY name_key, sub_user_id

-- name: find_emails
-- The e-mails of an account's sub-users.
SELECT email FROM sub_user_view WHERE account_id = %(account_id)s

-- name: list_sub_users
-- A page of sub-users, with the version of the account's stream and the version that the view contains, all from one
-- snapshot. There is a row even if there are no sub-users. The parts in braces are chosen from a fixed set, never from
-- input.
WITH account AS MATERIALIZED (
    SELECT (SELECT max(e.originator_version) FROM stored_events e
            WHERE e.originator_id = %(account_id)s AND EXISTS (
                SELECT FROM stored_events f WHERE f.originator_id = %(account_id)s AND f.originator_version = 1
                                              AND f.topic = 'MainAccountRegistered')
           ) AS stream_version,
           (SELECT v.version FROM account_view v WHERE v.account_id = %(account_id)s) AS view_version
), page AS MATERIALIZED (
    SELECT * FROM sub_user_view WHERE {where} ORDER BY {order} LIMIT %(limit)s
)
SELECT stream_version, view_version, {columns}, CASE WHEN active THEN 'active' ELSE 'inactive' END AS status,
       (SELECT v.password_expires_at FROM vault v WHERE v.person_id = sub_user_id AND v.must_change AND active)
           AS temporary_password_expires_at, array[{keys}]::text[] AS sort_key
FROM account LEFT JOIN page ON true
ORDER BY {order}

-- name: count_by_facts
-- The number of sub-users for each combination of the facts that decide their access status.
SELECT {facts}, count(*) AS sub_users
FROM sub_user_view
WHERE {where}
GROUP BY {positions}
