-- name: find_answer
-- The answer kept under an idempotency key, and the position of the event it came with.
SELECT a.fingerprint, a.status, a.headers, a.sealed_body, a.person_id, coalesce(e.notification_id, 0) AS position
FROM kept_answers a
LEFT JOIN stored_events e ON e.originator_id = a.stream_id AND e.originator_version = a.stream_version
WHERE a.api_key_id = %(api_key_id)s AND a.idempotency_key = %(idempotency_key)s
