-- name: enqueue
-- Queue the mail of an event, once however often the event is replayed.
INSERT INTO mail_queue (account_id, caused_by, sub_user_id, notice, credentials, asked_at, due_at)
VALUES (%(account_id)s, %(caused_by)s, %(sub_user_id)s, %(notice)s, %(credentials_version)s, %(asked_at)s, now())
ON CONFLICT (account_id, caused_by) DO NOTHING

-- name: count_queued
-- Number of queued mails, and of those that a worker has claimed at least once: it is sending them, has failed or has
-- ended.
SELECT count(*) AS queued, count(*) FILTER (WHERE attempts > 0) AS begun FROM mail_queue WHERE state = 'queued'
