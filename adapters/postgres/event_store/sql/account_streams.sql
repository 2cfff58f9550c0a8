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

-- name: read_account_stream_by_email
-- The same for the account with an e-mail, or with a former one that still works.
WITH account AS MATERIALIZED (
    SELECT account_id FROM account_directory
    WHERE email_hash = %(email_hash)s AND (kept_until IS NULL OR kept_until > %(now)s)
),
latest AS MATERIALIZED (
    SELECT originator_id, originator_version, topic, state FROM stored_snapshots
    WHERE originator_id = (SELECT account_id FROM account)
    ORDER BY originator_version DESC
    LIMIT 1
)
SELECT originator_id, originator_version, topic, state FROM latest
UNION ALL (
    SELECT originator_id, originator_version, topic, state FROM stored_events
    WHERE originator_id = (SELECT account_id FROM account)
      AND originator_version > coalesce((SELECT originator_version FROM latest), 0)
    ORDER BY originator_version
)

-- name: read_whole_account_stream
-- Every event of an account.
SELECT originator_version, topic, state FROM stored_events
WHERE originator_id = %(account_id)s
ORDER BY originator_version

-- name: read_account_event
-- One event of an account.
SELECT originator_version, topic, state FROM stored_events
WHERE originator_id = %(account_id)s AND originator_version = %(version)s

-- name: read_contacts
-- The events that set a sub-user's e-mail and names. The index of the events that change an account's state has them.
SELECT originator_version, topic, state FROM stored_events
WHERE originator_id = %(account_id)s
  AND topic IN ('SubUserCreated', 'SubUserDetailsChanged', 'SubUserEmailChanged')
  AND convert_from(state, 'UTF8')::json ->> 'sub_user_id' = %(sub_user_id)s::uuid::text
ORDER BY notification_id
