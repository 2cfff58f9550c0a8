-- name: find_entries
-- What the vault holds of these people.
SELECT person_id, account_id, master_key_id, wrapped_key, password_hash, must_change, password_expires_at, credentials,
       sealed_password
FROM vault
WHERE person_id = ANY(%(person_ids)s)

-- name: people_of
-- Everybody in an account of whom anything can be read.
SELECT person_id FROM vault WHERE account_id = %(account_id)s

-- name: add_service_key
-- A key of the service's own; whoever comes first makes it.
INSERT INTO service_keys (name, master_key_id, wrapped_key)
VALUES (%(name)s, %(master_key_id)s, %(wrapped_key)s)
ON CONFLICT (name) DO NOTHING

-- name: find_service_key
-- A key of the service's own.
SELECT master_key_id, wrapped_key FROM service_keys WHERE name = %(name)s
