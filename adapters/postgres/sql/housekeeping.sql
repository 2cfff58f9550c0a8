-- What has had its time. Each statement takes a bounded bite, so that none holds many rows for long.

-- name: sessions
-- Sessions past their end, or idle for too long.
DELETE FROM sessions WHERE token_hash IN (
    SELECT token_hash FROM sessions
    WHERE least(expires_at, access_expires_at) < %(now)s - interval '1 hour'
       OR last_used_at < %(now)s - interval '2 hours'
    LIMIT 5000)

-- name: kept_answers
-- Answers to idempotency keys, after 24 hours.
DELETE FROM kept_answers WHERE (api_key_id, idempotency_key) IN (
    SELECT api_key_id, idempotency_key FROM kept_answers WHERE answered_at < %(now)s - interval '24 hours' LIMIT 5000)

-- name: throttle
-- Failed attempts that nobody followed up for a month.
DELETE FROM throttle WHERE key IN (
    SELECT key FROM throttle WHERE last_failed_at < %(now)s - interval '30 days' LIMIT 5000)
