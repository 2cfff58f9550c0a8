-- name: names
-- Names of accounts and sub-users, and of the API keys that may act in other companies' accounts.
SELECT account_id::text AS id, company_name AS name FROM account_view WHERE account_id = ANY(%(ids)s)
UNION ALL
SELECT sub_user_id::text, name || ' ' || surname FROM sub_user_view WHERE sub_user_id = ANY(%(ids)s)
UNION ALL
SELECT api_key_id::text, name FROM api_keys WHERE scope IN ('support', 'auditor')
