-- name: find_api_key
-- The key with a secret's hash, unless revoked. Expired keys are included.
SELECT api_key_id, name, scope, created_at, revoked_at, expires_at, allowed_addresses, accounts, last_used_at, version
FROM api_keys
WHERE key_hash = %(key_hash)s AND revoked_at IS NULL

-- name: get_api_key
-- A key by id, revoked or not.
SELECT api_key_id, name, scope, created_at, revoked_at, expires_at, allowed_addresses, accounts, last_used_at, version
FROM api_keys
WHERE api_key_id = %(api_key_id)s

-- name: find_active_key
-- Return a row if the key has neither been revoked nor expired.
SELECT 1 FROM api_keys
WHERE api_key_id = %(api_key_id)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)

-- name: list_api_keys
-- All keys, revoked ones included, oldest first.
SELECT api_key_id, name, scope, created_at, revoked_at, expires_at, allowed_addresses, accounts, last_used_at, version
FROM api_keys
ORDER BY created_at, api_key_id

-- name: record_use_of_key
-- Record the last use at most once a minute, across all processes. The commit waits neither for the disk nor for a
-- standby.
WITH setting AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE api_keys SET last_used_at = %(now)s FROM setting
WHERE api_key_id = %(api_key_id)s AND (last_used_at IS NULL OR last_used_at < %(now)s - interval '1 minute')
