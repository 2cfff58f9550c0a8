-- name: claim_mail
-- Claim the mail that has been due longest for one worker. If the worker dies, the mail becomes due again at again_at.
UPDATE mail_queue
SET attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, %(now)s), due_at = %(again_at)s
WHERE (account_id, caused_by) = (
    SELECT account_id, caused_by FROM mail_queue
    WHERE state = 'queued' AND due_at <= %(now)s
    ORDER BY due_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED)
RETURNING account_id, caused_by, sub_user_id, notice, credentials AS credentials_version,
          asked_at AS requested_at, attempts, first_attempt_at

-- name: filter_erased
-- The given mails whose recipient's data key has been deleted.
SELECT account_id, caused_by
FROM mail_queue q
JOIN unnest(%(account_ids)s::uuid[], %(causing_versions)s::bigint[]) AS mails (account_id, caused_by)
    USING (account_id, caused_by)
WHERE NOT EXISTS (SELECT FROM vault v WHERE v.person_id = q.sub_user_id)

-- name: postpone_mail
-- Schedule another attempt, unless another worker has tried in the meantime.
UPDATE mail_queue SET due_at = %(until)s
WHERE account_id = %(account_id)s AND caused_by = %(caused_by)s AND attempts = %(attempts)s AND state = 'queued'
