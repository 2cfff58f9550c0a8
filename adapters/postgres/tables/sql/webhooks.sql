-- name: find_webhook
-- A webhook without its secrets.
SELECT webhook_id, account_id, api_key_id, types AS event_types, signature AS signature_algorithm, master_key_id,
       sealed_details AS encrypted_details, version, created_at, position, failures, due_at, disabled_at,
       disabled_why AS disabled_reason, slow
FROM webhooks
WHERE webhook_id = %(webhook_id)s

-- name: list_webhooks
-- A page of webhooks, oldest first: those for all accounts, those of one account, or all that are limited to one account.
SELECT webhook_id, account_id, api_key_id, types AS event_types, signature AS signature_algorithm, master_key_id,
       sealed_details AS encrypted_details, version, created_at, position, failures, due_at, disabled_at,
       disabled_why AS disabled_reason, slow
FROM webhooks
WHERE (account_id IS NULL) = %(all_accounts)s AND (%(account_id)s::uuid IS NULL OR account_id = %(account_id)s)
  AND (%(created_at)s::timestamptz IS NULL OR (created_at, webhook_id) > (%(created_at)s, %(webhook_id)s::uuid))
ORDER BY created_at, webhook_id
LIMIT %(limit)s

-- name: list_active_by_key
-- The active webhooks of an API key, in the order in which they are locked.
SELECT webhook_id, account_id, api_key_id, types AS event_types, signature AS signature_algorithm, master_key_id,
       sealed_details AS encrypted_details, version, created_at, position, failures, due_at, disabled_at,
       disabled_why AS disabled_reason, slow
FROM webhooks
WHERE api_key_id = %(api_key_id)s AND disabled_at IS NULL
ORDER BY webhook_id

-- name: list_active_with_ended_key
-- Some active webhooks whose API key has been revoked or has expired.
SELECT w.webhook_id, k.revoked_at IS NOT NULL AS is_revoked
FROM webhooks w
JOIN api_keys k USING (api_key_id)
WHERE w.disabled_at IS NULL AND (k.revoked_at IS NOT NULL OR k.expires_at <= %(now)s)
LIMIT 100

-- name: count_active_without_key
-- The number of active webhooks without an API key: for all accounts, or limited to one account.
SELECT count(*) AS webhooks FROM webhooks
WHERE api_key_id IS NULL AND disabled_at IS NULL AND (account_id IS NULL) = %(all_accounts)s

-- name: occupied_slots
-- The slots occupied by the webhooks of an account, or by those for all accounts.
SELECT slot FROM webhooks WHERE account_id IS NOT DISTINCT FROM %(account_id)s

-- name: list_deliveries
-- A page of a webhook's deliveries, newest first.
SELECT delivery_id, event_id, type, position, attempt, attempted_at, status, error, milliseconds
FROM webhook_deliveries
WHERE webhook_id = %(webhook_id)s AND (%(before)s::bigint IS NULL OR delivery_id < %(before)s)
ORDER BY delivery_id DESC
LIMIT %(limit)s
