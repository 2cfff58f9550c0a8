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

-- name: console_links
-- Links that nobody used while they were good.
DELETE FROM console_links WHERE link_hash IN (
    SELECT link_hash FROM console_links WHERE expires_at <= %(now)s LIMIT 5000)

-- name: throttle
-- Failed attempts that nobody followed up for a month.
DELETE FROM throttle WHERE key IN (
    SELECT key FROM throttle WHERE last_failed_at < %(now)s - interval '30 days' LIMIT 5000)

-- name: webhook_secrets
-- Those that nothing is signed with any more.
DELETE FROM webhook_secrets WHERE secret_id IN (
    SELECT secret_id FROM webhook_secrets WHERE expires_at <= %(now)s LIMIT 5000)

-- name: old_webhook_deliveries
-- What became of attempts, after 30 days.
DELETE FROM webhook_deliveries WHERE delivery_id IN (
    SELECT delivery_id FROM webhook_deliveries WHERE attempted_at < %(now)s - interval '30 days' LIMIT 5000)

-- name: many_webhook_deliveries
-- And of each webhook all but the newest 1,000.
DELETE FROM webhook_deliveries WHERE delivery_id IN (
    SELECT d.delivery_id
    FROM webhooks w CROSS JOIN LATERAL (
        SELECT delivery_id FROM webhook_deliveries
        WHERE webhook_id = w.webhook_id ORDER BY delivery_id DESC OFFSET 1000) d
    LIMIT 5000)
