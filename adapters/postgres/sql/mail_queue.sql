-- name: claim_mail
-- The mail that has been due longest, for one worker: it comes due again, should that worker die with it.
UPDATE mail_queue
SET attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, %(now)s), due_at = %(again_at)s
WHERE (account_id, caused_by) = (
    SELECT account_id, caused_by FROM mail_queue
    WHERE state = 'queued' AND due_at <= %(now)s
    ORDER BY due_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED)
RETURNING account_id, caused_by, sub_user_id, notice, credentials, asked_at, attempts, first_attempt_at

-- name: of_erased
-- Those of these mails that were to somebody whose key is gone.
SELECT account_id, caused_by
FROM mail_queue q
JOIN unnest(%(account_ids)s::uuid[], %(caused_bys)s::bigint[]) AS asked (account_id, caused_by)
    USING (account_id, caused_by)
WHERE NOT EXISTS (SELECT FROM vault v WHERE v.person_id = q.sub_user_id)

-- name: postpone_mail
-- To be tried again, unless another worker has tried it since.
UPDATE mail_queue SET due_at = %(until)s
WHERE account_id = %(account_id)s AND caused_by = %(caused_by)s AND attempts = %(attempts)s AND state = 'queued'
