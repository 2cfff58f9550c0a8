-- name: add_rows
-- Index entries of events.
COPY audit_view (position, account_id, action, sub_user_id, occurred_at, actor_type, actor_id, target_key) FROM STDIN

-- name: add_targets
-- Targets of activities that the table does not have yet.
INSERT INTO audit_targets
SELECT * FROM json_populate_recordset(NULL::audit_targets, %(rows)s::json)
ON CONFLICT DO NOTHING

-- name: add_older
-- Index entries of events that are older than the retention.
COPY audit_older (position, account_id, sub_user_id) FROM STDIN

-- name: count
-- Count the logins and activities among the rows just added: per quarter of an hour (of each sub-user, and of the
-- account under its own id) and per UTC day. Events that occurred before the retained period are not counted. The topic
-- identifies an activity, because its action is the portal's own name.
WITH counts AS MATERIALIZED (
    SELECT a.account_id, a.sub_user_id, date_bin('15 minutes', a.occurred_at, '0001-01-01T00:00:00Z') AS quarter,
           (count(*) FILTER (WHERE e.topic = %(login)s))::integer AS logins,
           (count(*) FILTER (WHERE e.topic = %(activity)s))::integer AS activities
    FROM stored_events e
    JOIN audit_view a ON a.position = e.notification_id
    WHERE e.notification_id >= %(first)s AND e.notification_id <= %(last)s
      AND a.position >= %(first)s AND a.position <= %(last)s
      AND e.topic IN (%(login)s, %(activity)s) AND a.occurred_at >= %(retained_since)s
    GROUP BY a.account_id, a.sub_user_id, quarter
), by_quarter AS (
    INSERT INTO audit_counts AS c (account_id, person_id, quarter, logins, activities)
    SELECT account_id, sub_user_id, quarter, logins, activities FROM counts
    UNION ALL
    SELECT account_id, account_id, quarter, sum(logins), sum(activities) FROM counts GROUP BY account_id, quarter
    ON CONFLICT (account_id, person_id, quarter)
    DO UPDATE SET logins = c.logins + excluded.logins, activities = c.activities + excluded.activities
)
INSERT INTO audit_day_counts AS c (account_id, sub_user_id, day, logins, activities)
SELECT account_id, sub_user_id, date_bin('24 hours', quarter, '0001-01-01T00:00:00Z') AS day,
       sum(logins), sum(activities)
FROM counts
GROUP BY account_id, sub_user_id, day
ON CONFLICT (account_id, day, sub_user_id)
DO UPDATE SET logins = c.logins + excluded.logins, activities = c.activities + excluded.activities
