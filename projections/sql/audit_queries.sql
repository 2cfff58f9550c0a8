-- name: list_rows
-- A page of an account's history, newest first. What stands in braces is chosen from a fixed set, never from input.
SELECT a.position, a.occurred_at, a.action, a.sub_user_id, e.originator_id, e.originator_version, e.topic, e.state
FROM audit_view a
JOIN stored_events e ON e.notification_id = a.position
WHERE {where}
ORDER BY a.position DESC
LIMIT %(limit)s

-- name: find_names
-- What those go by who can act in an account.
SELECT account_id::text AS id, company_name AS name FROM account_view WHERE account_id = %(account_id)s
UNION ALL
SELECT sub_user_id::text, name || ' ' || surname FROM sub_user_view WHERE account_id = %(account_id)s
UNION ALL
SELECT api_key_id::text, name FROM api_keys WHERE scope = 'support'
