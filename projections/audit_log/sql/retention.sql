-- name: retire_rows
-- Move expired rows from the log to audit_older. One step looks at a limited number of the oldest rows, so that locks
-- are held briefly. Positions follow the time of recording: if none of these rows has expired, none of the others has.
WITH oldest AS (
    SELECT a.position, (convert_from(e.state, 'UTF8')::json ->> 'timestamp')::timestamptz AS recorded_at
    FROM (SELECT position FROM audit_view ORDER BY position LIMIT %(limit)s) AS a
    JOIN stored_events e ON e.notification_id = a.position
), retired AS (
    DELETE FROM audit_view
    WHERE position IN (SELECT position FROM oldest WHERE recorded_at < %(before)s)
    RETURNING account_id, position, sub_user_id
)
INSERT INTO audit_older (account_id, position, sub_user_id)
SELECT account_id, position, sub_user_id FROM retired
ON CONFLICT DO NOTHING

-- name: drop_counts
-- Delete the counts of some expired days of sub-users, with their quarters of an hour and those of the account.
WITH days AS (
    DELETE FROM audit_day_counts
    WHERE (account_id, day, sub_user_id) IN (
        SELECT account_id, day, sub_user_id FROM audit_day_counts WHERE day < %(before)s ORDER BY day LIMIT %(limit)s)
    RETURNING account_id, day, sub_user_id
)
DELETE FROM audit_counts c
USING days d
WHERE c.account_id = d.account_id AND c.person_id IN (d.sub_user_id, d.account_id)
  AND c.quarter >= d.day AND c.quarter < d.day + interval '24 hours'
