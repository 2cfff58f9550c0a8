-- name: claim_webhook
-- The webhook that has waited longest of those for which there may be something, for one worker: others may have it
-- later, should that worker die with it. Whether there is anything that it wants is for the feed to say.
UPDATE webhooks SET claim_id = %(claim_id)s, claimed_until = %(until)s
WHERE webhook_id = (
    SELECT webhook_id FROM webhooks w
    WHERE disabled_at IS NULL AND due_at <= %(now)s AND (claimed_until IS NULL OR claimed_until <= %(now)s)
      AND CASE WHEN account_id IS NULL
          THEN position < (SELECT max(notification_id) FROM stored_events)
          ELSE EXISTS (SELECT FROM audit_view a WHERE a.account_id = w.account_id AND a.position > w.position)
            OR EXISTS (SELECT FROM audit_older a WHERE a.account_id = w.account_id AND a.position > w.position) END
    ORDER BY due_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED)
RETURNING webhook_id, account_id, types, signature, master_key_id, sealed_details, version, created_at, position,
          failures, due_at, disabled_at, disabled_why

-- name: find_secrets
-- What a webhook is signed with now, newest first: no more than fit a header.
SELECT master_key_id, sealed_secret
FROM webhook_secrets
WHERE webhook_id = %(webhook_id)s AND (expires_at IS NULL OR expires_at > %(now)s)
ORDER BY secret_id DESC
LIMIT 5

-- name: note_delivered
-- The receiver has the event: unless somebody else has taken over, this goes on with the next one.
WITH moved AS (
    UPDATE webhooks SET position = %(position)s, failures = 0, claimed_until = %(until)s
    WHERE webhook_id = %(webhook_id)s AND claim_id = %(claim_id)s
    RETURNING webhook_id)
INSERT INTO webhook_deliveries (webhook_id, event_id, type, position, attempt, attempted_at, status, error, milliseconds)
SELECT webhook_id, %(event_id)s, %(type)s, %(position)s, %(attempt)s, %(attempted_at)s, %(status)s, %(error)s,
       %(milliseconds)s
FROM moved

-- name: note_failed
-- The event waits for another attempt, and those after it wait for it.
WITH waiting AS (
    UPDATE webhooks SET failures = %(attempt)s, due_at = %(due_at)s, claim_id = NULL, claimed_until = NULL
    WHERE webhook_id = %(webhook_id)s AND claim_id = %(claim_id)s
    RETURNING webhook_id)
INSERT INTO webhook_deliveries (webhook_id, event_id, type, position, attempt, attempted_at, status, error, milliseconds)
SELECT webhook_id, %(event_id)s, %(type)s, %(position)s, %(attempt)s, %(attempted_at)s, %(status)s, %(error)s,
       %(milliseconds)s
FROM waiting

-- name: let_go
-- Another worker may have it, from then on.
UPDATE webhooks
SET claim_id = NULL, claimed_until = NULL, due_at = %(due_at)s, position = coalesce(%(position)s, position)
WHERE webhook_id = %(webhook_id)s AND claim_id = %(claim_id)s
