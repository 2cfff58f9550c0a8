-- name: claim_mail
-- Claim the mail that has been due longest for one worker. If the worker dies, the mail becomes due again at again_at.
-- A notice of a changed e-mail waits for earlier credentials: whether it is sent depends on whether they were.
UPDATE mail_queue
SET attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, %(now)s), due_at = %(again_at)s
WHERE (account_id, caused_by) = (
    SELECT account_id, caused_by FROM mail_queue q
    WHERE state = 'queued' AND due_at <= %(now)s
      AND (notice <> 'email_changed' OR NOT EXISTS (
          SELECT FROM mail_queue earlier
          WHERE earlier.account_id = q.account_id AND earlier.caused_by < q.caused_by
            AND earlier.sub_user_id = q.sub_user_id AND earlier.credentials IS NOT NULL AND earlier.state = 'queued'))
    ORDER BY due_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED)
RETURNING account_id, caused_by, sub_user_id, notice, credentials AS credentials_version,
          asked_at AS requested_at, attempts, first_attempt_at

-- name: find_sent_credentials
-- A mail with credentials that was sent to a sub-user, requested between two versions of their account.
SELECT caused_by FROM mail_queue
WHERE account_id = %(account_id)s AND sub_user_id = %(sub_user_id)s AND credentials IS NOT NULL AND state = 'sent'
  AND caused_by > %(since_version)s AND caused_by < %(caused_by)s
LIMIT 1

-- name: filter_erased
-- The given mails whose recipient's data key has been deleted.
SELECT account_id, caused_by
FROM mail_queue q
JOIN unnest(%(account_ids)s::uuid[], %(causing_versions)s::bigint[]) AS mails (account_id, caused_by)
    USING (account_id, caused_by)
WHERE NOT EXISTS (SELECT FROM vault v WHERE v.person_id = coalesce(q.sub_user_id, q.account_id))

-- name: postpone_mail
-- Schedule another attempt, unless another worker has tried in the meantime.
UPDATE mail_queue SET due_at = %(until)s
WHERE account_id = %(account_id)s AND caused_by = %(caused_by)s AND attempts = %(attempts)s AND state = 'queued'
