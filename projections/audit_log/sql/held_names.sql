-- name: held_names
-- Encrypted names of people that are deleted but not yet erased.
SELECT person_id, sealed_name AS encrypted_name, sealed_surname AS encrypted_surname FROM legal_holds
WHERE person_id = ANY(%(person_ids)s) AND sealed_name IS NOT NULL AND sealed_surname IS NOT NULL
