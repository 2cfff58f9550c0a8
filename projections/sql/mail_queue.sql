-- name: enqueue
-- Once for an event, whatever is replayed.
INSERT INTO mail_queue (account_id, caused_by, sub_user_id, notice, credentials, asked_at, due_at)
VALUES (%(account_id)s, %(caused_by)s, %(sub_user_id)s, %(notice)s, %(credentials)s, %(asked_at)s, now())
ON CONFLICT (account_id, caused_by) DO NOTHING

-- name: count_queued
-- Mails that wait, and how many of them have been tried.
SELECT count(*) AS queued, count(*) FILTER (WHERE attempts > 0) AS retried FROM mail_queue WHERE state = 'queued'
