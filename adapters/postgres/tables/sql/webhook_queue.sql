-- name: claim_webhook
-- Claim, for one worker, the webhook that has been due longest among those that may have pending events. If the worker
-- dies, another one can claim it after claimed_until. The event feed decides whether any event matches the webhook. The
-- number of concurrent deliveries of an account is limited, and more strictly those to slow receivers, so that hanging
-- receivers do not delay others. A webhook for all accounts is not limited.
UPDATE webhooks SET claim_id = %(claim_id)s, claimed_until = %(until)s
WHERE webhook_id = (
    SELECT webhook_id FROM webhooks w
    WHERE disabled_at IS NULL AND due_at <= %(now)s AND (claimed_until IS NULL OR claimed_until <= %(now)s)
      AND CASE WHEN account_id IS NULL
          THEN position < (SELECT max(notification_id) FROM stored_events)
          ELSE EXISTS (SELECT FROM audit_view a WHERE a.account_id = w.account_id AND a.position > w.position)
            OR EXISTS (SELECT FROM audit_older a WHERE a.account_id = w.account_id AND a.position > w.position) END
      AND (%(include_slow)s OR NOT slow)
      AND (api_key_id IS NULL OR EXISTS (
          SELECT FROM api_keys k
          WHERE k.api_key_id = w.api_key_id AND k.revoked_at IS NULL
            AND (k.expires_at IS NULL OR k.expires_at > %(now)s)))
      AND (SELECT count(*) < %(per_account)s AND (NOT w.slow OR count(*) FILTER (WHERE c.slow) < %(slow_per_account)s)
           FROM webhooks c
           WHERE c.account_id = w.account_id AND c.claimed_until > %(now)s)
    ORDER BY due_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED)
RETURNING webhook_id, account_id, api_key_id, types AS event_types, signature AS signature_algorithm, master_key_id,
          sealed_details AS encrypted_details, version, created_at, position, failures, due_at, disabled_at,
          disabled_why AS disabled_reason, slow

-- name: find_secrets
-- A webhook's valid secrets, newest first. Five signatures fit into a header.
SELECT master_key_id, sealed_secret AS encrypted_secret
FROM webhook_secrets
WHERE webhook_id = %(webhook_id)s AND (expires_at IS NULL OR expires_at > %(now)s)
ORDER BY secret_id DESC
LIMIT 5

-- name: may_send
-- Return a row if the claim is still valid and the webhook's API key is still active.
SELECT 1 FROM webhooks w
WHERE webhook_id = %(webhook_id)s AND claim_id = %(claim_id)s AND (api_key_id IS NULL OR EXISTS (
    SELECT FROM api_keys k
    WHERE k.api_key_id = w.api_key_id AND k.revoked_at IS NULL
      AND (k.expires_at IS NULL OR k.expires_at > %(now)s)))

-- name: record_delivered
-- Record a successful delivery and extend the claim. Without the claim nothing is changed.
WITH moved AS (
    UPDATE webhooks SET position = %(position)s, failures = 0, slow = %(slow)s, claimed_until = %(until)s
    WHERE webhook_id = %(webhook_id)s AND claim_id = %(claim_id)s
    RETURNING webhook_id)
INSERT INTO webhook_deliveries (webhook_id, event_id, type, position, attempt, attempted_at, status, error, milliseconds)
SELECT webhook_id, %(event_id)s, %(type)s, %(position)s, %(attempt)s, %(attempted_at)s, %(status)s, %(error)s,
       %(milliseconds)s
FROM moved

-- name: record_failed
-- Record a failed delivery and release the claim until the next attempt. Later events wait for it.
WITH waiting AS (
    UPDATE webhooks
    SET failures = %(attempt)s, slow = %(slow)s, due_at = %(due_at)s, claim_id = NULL, claimed_until = NULL
    WHERE webhook_id = %(webhook_id)s AND claim_id = %(claim_id)s
    RETURNING webhook_id)
INSERT INTO webhook_deliveries (webhook_id, event_id, type, position, attempt, attempted_at, status, error, milliseconds)
SELECT webhook_id, %(event_id)s, %(type)s, %(position)s, %(attempt)s, %(attempted_at)s, %(status)s, %(error)s,
       %(milliseconds)s
FROM waiting

-- name: release
-- Release the claim until due_at.
UPDATE webhooks
SET claim_id = NULL, claimed_until = NULL, due_at = %(due_at)s, position = coalesce(%(position)s, position)
WHERE webhook_id = %(webhook_id)s AND claim_id = %(claim_id)s
