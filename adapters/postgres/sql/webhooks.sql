-- name: find_webhook
-- A webhook, with everything but what it is signed with.
SELECT webhook_id, account_id, types, signature, master_key_id, sealed_details, version, created_at, position, failures,
       due_at, disabled_at, disabled_why
FROM webhooks
WHERE webhook_id = %(webhook_id)s

-- name: list_webhooks
-- Those of all accounts, or else those of one account or of any single ones, oldest first, after one that was shown.
SELECT webhook_id, account_id, types, signature, master_key_id, sealed_details, version, created_at, position, failures,
       due_at, disabled_at, disabled_why
FROM webhooks
WHERE (account_id IS NULL) = %(of_all)s AND (%(account_id)s::uuid IS NULL OR account_id = %(account_id)s)
  AND (%(created_at)s::timestamptz IS NULL OR (created_at, webhook_id) > (%(created_at)s, %(webhook_id)s::uuid))
ORDER BY created_at, webhook_id
LIMIT %(limit)s

-- name: taken_slots
-- The places that the webhooks of an account have, or those of all accounts.
SELECT slot FROM webhooks WHERE account_id IS NOT DISTINCT FROM %(account_id)s

-- name: list_deliveries
-- The log of a webhook, newest first, before an entry that was shown.
SELECT delivery_id, event_id, type, position, attempt, attempted_at, status, error, milliseconds
FROM webhook_deliveries
WHERE webhook_id = %(webhook_id)s AND (%(before)s::bigint IS NULL OR delivery_id < %(before)s)
ORDER BY delivery_id DESC
LIMIT %(limit)s
