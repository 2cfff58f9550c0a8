-- name: find_entries
-- The vault entries of some people.
SELECT person_id, account_id, master_key_id, wrapped_key, password_hash, must_change, password_expires_at,
       credentials AS credentials_version, sealed_password AS encrypted_password
FROM vault
WHERE person_id = ANY(%(person_ids)s)

-- name: person_ids_of
-- The people of an account whose data can still be decrypted.
SELECT person_id FROM vault WHERE account_id = %(account_id)s

-- name: add_service_key
-- Insert a key of the service, unless another process has inserted it already.
INSERT INTO service_keys (name, master_key_id, wrapped_key)
VALUES (%(name)s, %(master_key_id)s, %(wrapped_key)s)
ON CONFLICT (name) DO NOTHING

-- name: find_service_key
-- A key of the service.
SELECT master_key_id, wrapped_key FROM service_keys WHERE name = %(name)s
