-- name: find_response
-- The response stored for an idempotency key, and the position of the last event that was recorded with it.
SELECT fingerprint, status, headers, sealed_body AS encrypted_body, person_id, position
FROM kept_answers
WHERE api_key_id = %(api_key_id)s AND idempotency_key = %(idempotency_key)s
