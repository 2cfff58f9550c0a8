-- name: list_rows
-- A page of an account's audit log, newest first. Only the rows of the page are joined. The parts in braces are chosen
-- from a fixed set, never from input.
WITH page AS MATERIALIZED (
    SELECT a.position FROM audit_view a WHERE {where} ORDER BY {order} LIMIT %(limit)s
)
SELECT a.position, a.occurred_at, a.action, a.sub_user_id, e.originator_id, e.originator_version, e.topic, e.state
FROM page
JOIN audit_view a USING (position)
JOIN stored_events e ON e.notification_id = a.position
ORDER BY {order}

-- name: list_older
-- Rows about a sub-user that have left the log, newest first.
SELECT a.position, e.originator_id, e.originator_version, e.topic, e.state
FROM audit_older a
JOIN stored_events e ON e.notification_id = a.position
WHERE a.account_id = %(account_id)s AND a.sub_user_id = %(sub_user_id)s
  AND (%(before)s::bigint IS NULL OR a.position < %(before)s)
ORDER BY a.position DESC
LIMIT %(limit)s

-- name: actions
-- The distinct actions of an account, by skipping from one to the next in the index.
WITH RECURSIVE found AS (
    (SELECT action FROM audit_view WHERE account_id = %(account_id)s ORDER BY action LIMIT 1)
    UNION ALL
    SELECT (SELECT a.action FROM audit_view a
            WHERE a.account_id = %(account_id)s AND a.action > f.action ORDER BY a.action LIMIT 1)
    FROM found f
    WHERE f.action IS NOT NULL
)
SELECT action FROM found WHERE action IS NOT NULL LIMIT %(limit)s

-- name: beginning
-- When the account was registered, or when the first event of its log occurred: the portal may report earlier ones.
SELECT least(v.created_at, (SELECT a.occurred_at FROM audit_view a WHERE a.account_id = %(account_id)s
                            ORDER BY a.occurred_at, a.position LIMIT 1)) AS beginning
FROM account_view v WHERE v.account_id = %(account_id)s

-- name: find_names
-- Names of the actors that may appear in an account.
SELECT account_id::text AS id, company_name AS name FROM account_view WHERE account_id = %(account_id)s
UNION ALL
SELECT sub_user_id::text, name || ' ' || surname FROM sub_user_view WHERE account_id = %(account_id)s
UNION ALL
SELECT api_key_id::text, name FROM api_keys WHERE scope IN ('support', 'auditor')
