-- name: version_upto
-- How many events of an account's own stream stand at or before a position.
SELECT coalesce(max(originator_version), 0) AS version FROM stored_events
WHERE originator_id = %(account_id)s AND notification_id <= %(position)s

-- name: names
-- What accounts and sub-users are called, and the keys whose owners act in accounts of others.
SELECT account_id::text AS id, company_name AS name FROM account_view WHERE account_id = ANY(%(ids)s)
UNION ALL
SELECT sub_user_id::text, name || ' ' || surname FROM sub_user_view WHERE sub_user_id = ANY(%(ids)s)
UNION ALL
SELECT api_key_id::text, name FROM api_keys WHERE scope IN ('support', 'auditor')
