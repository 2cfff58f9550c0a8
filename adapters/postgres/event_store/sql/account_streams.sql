-- name: read_account_stream
-- The latest snapshot of an account, if any, and every later event. A single statement reads one database snapshot, so
-- the two cannot diverge.
WITH latest AS MATERIALIZED (
    SELECT originator_version, topic, state FROM stored_snapshots
    WHERE originator_id = %(account_id)s
    ORDER BY originator_version DESC
    LIMIT 1
)
SELECT originator_version, topic, state FROM latest
UNION ALL (
    SELECT originator_version, topic, state FROM stored_events
    WHERE originator_id = %(account_id)s
      AND originator_version > coalesce((SELECT originator_version FROM latest), 0)
    ORDER BY originator_version
)

-- name: read_whole_account_stream
-- Every event of an account.
SELECT originator_version, topic, state FROM stored_events
WHERE originator_id = %(account_id)s
ORDER BY originator_version
