-- name: find_answer
-- The answer kept under an idempotency key, and the position of the event it came with.
SELECT fingerprint, status, headers, sealed_body, person_id, position
FROM kept_answers
WHERE api_key_id = %(api_key_id)s AND idempotency_key = %(idempotency_key)s
