-- Deletion of expired rows. Each statement deletes a bounded number, so that none holds many row locks for long.

-- name: sessions
-- Sessions that ended, or have been idle too long.
DELETE FROM sessions WHERE token_hash IN (
    SELECT token_hash FROM sessions
    WHERE least(expires_at, access_expires_at) < %(now)s - interval '1 hour'
       OR last_used_at < %(now)s - interval '2 hours'
    LIMIT 5000)

-- name: kept_answers
-- Idempotent responses, after 24 hours.
DELETE FROM kept_answers WHERE (api_key_id, idempotency_key) IN (
    SELECT api_key_id, idempotency_key FROM kept_answers WHERE answered_at < %(now)s - interval '24 hours' LIMIT 5000)

-- name: console_links
-- Expired console links.
DELETE FROM console_links WHERE link_hash IN (
    SELECT link_hash FROM console_links WHERE expires_at <= %(now)s LIMIT 5000)

-- name: devices
-- Devices that were not used for 400 days, the longest time for which browsers keep a cookie.
DELETE FROM devices WHERE (person_id, device_hash) IN (
    SELECT person_id, device_hash FROM devices WHERE last_used_at < %(now)s - interval '400 days' LIMIT 5000)

-- name: mailed_links
-- Expired links.
DELETE FROM mailed_links WHERE link_hash IN (
    SELECT link_hash FROM mailed_links WHERE expires_at <= %(now)s LIMIT 5000)
-- name: sign_in_challenges
-- Expired challenges.
DELETE FROM sign_in_challenges WHERE challenge_id IN (
    SELECT challenge_id FROM sign_in_challenges WHERE expires_at <= %(now)s LIMIT 5000)

-- name: former_emails
-- Former e-mails of accounts that do not work any more.
DELETE FROM account_directory WHERE email_hash IN (
    SELECT email_hash FROM account_directory WHERE kept_until <= %(now)s LIMIT 5000)

-- name: throttle
-- Failed attempts, 30 days after the last one.
DELETE FROM throttle WHERE key IN (
    SELECT key FROM throttle WHERE last_failed_at < %(now)s - interval '30 days' LIMIT 5000)

-- name: webhook_secrets
-- Expired webhook secrets.
DELETE FROM webhook_secrets WHERE secret_id IN (
    SELECT secret_id FROM webhook_secrets WHERE expires_at <= %(now)s LIMIT 5000)

-- name: old_webhook_deliveries
-- Webhook deliveries, after 30 days.
DELETE FROM webhook_deliveries WHERE delivery_id IN (
    SELECT delivery_id FROM webhook_deliveries WHERE attempted_at < %(now)s - interval '30 days' LIMIT 5000)

-- name: many_webhook_deliveries
-- All but the newest 1,000 deliveries of each webhook.
DELETE FROM webhook_deliveries WHERE delivery_id IN (
    SELECT d.delivery_id
    FROM webhooks w CROSS JOIN LATERAL (
        SELECT delivery_id FROM webhook_deliveries
        WHERE webhook_id = w.webhook_id ORDER BY delivery_id DESC OFFSET 1000) d
    LIMIT 5000)
