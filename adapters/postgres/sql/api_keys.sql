-- name: add_api_key
-- A key's hash; the key itself is shown once and kept nowhere.
INSERT INTO api_keys (api_key_id, name, scope, key_hash, created_at)
VALUES (%(api_key_id)s, %(name)s, %(scope)s, %(key_hash)s, %(created_at)s)

-- name: find_api_key
-- A key that has not been revoked.
SELECT api_key_id, name, scope FROM api_keys WHERE key_hash = %(key_hash)s AND revoked_at IS NULL

-- name: find_good_key
-- Whether a key has not been revoked since it was used.
SELECT 1 FROM api_keys WHERE api_key_id = %(api_key_id)s AND revoked_at IS NULL

-- name: list_api_keys
-- Every key there ever was, oldest first.
SELECT api_key_id, name, scope, created_at, revoked_at FROM api_keys ORDER BY created_at, api_key_id

-- name: revoke_api_key
-- From here on the key opens nothing.
UPDATE api_keys SET revoked_at = %(revoked_at)s WHERE api_key_id = %(api_key_id)s AND revoked_at IS NULL
