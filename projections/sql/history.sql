-- name: length
-- How long an account's own stream is.
SELECT coalesce(max(originator_version), 0) AS version FROM stored_events WHERE originator_id = %(account_id)s

-- name: version_at
-- How long it was at a moment: times never run backwards in it, so halving finds the last event recorded by then.
WITH RECURSIVE halved (low, high) AS (
    SELECT 0::bigint, coalesce(max(originator_version), 0) FROM stored_events WHERE originator_id = %(account_id)s
    UNION ALL
    SELECT CASE WHEN recorded_by_then THEN middle ELSE low END, CASE WHEN recorded_by_then THEN high ELSE middle - 1 END
    FROM (
        SELECT low, high, middle,
               (convert_from(e.state, 'UTF8')::json ->> 'timestamp')::timestamptz <= %(at)s AS recorded_by_then
        FROM (SELECT low, high, (low + high + 1) / 2 AS middle FROM halved WHERE low < high) AS between
        JOIN stored_events e ON e.originator_id = %(account_id)s AND e.originator_version = middle
    ) AS looked_at
)
SELECT low AS version FROM halved WHERE low = high

-- name: position_of
-- Where an event of an account's own stream stands.
SELECT notification_id AS position FROM stored_events
WHERE originator_id = %(account_id)s AND originator_version = %(version)s

-- name: stream
-- The next events of an account's own stream.
SELECT originator_id, originator_version, topic, state
FROM stored_events
WHERE originator_id = %(account_id)s AND originator_version > %(version)s AND originator_version <= %(upto_version)s
ORDER BY originator_version
LIMIT %(limit)s

-- name: entries
-- The next of everything that happened in an account, in the order of positions: its own stream, and what stands in
-- streams beside it, of which the audit log's view knows where. Each is found by its own index, so that however long
-- the history is, a page of it costs the same.
WITH page AS (
    (SELECT notification_id AS position FROM stored_events
     WHERE originator_id = %(account_id)s AND originator_version > %(version)s AND originator_version <= %(upto_version)s
     ORDER BY originator_version LIMIT %(limit)s)
    UNION
    (SELECT position
     FROM (SELECT account_id, position FROM audit_view UNION ALL SELECT account_id, position FROM audit_older) AS a
     WHERE account_id = %(account_id)s AND position > %(position)s AND position <= %(upto)s
     ORDER BY position LIMIT %(limit)s)
)
SELECT page.position, e.originator_id, e.originator_version, e.topic, e.state
FROM page
JOIN stored_events e ON e.notification_id = page.position
ORDER BY page.position
LIMIT %(limit)s

-- name: key_names
-- What the keys are called whose owners act in accounts of others.
SELECT api_key_id::text AS id, name FROM api_keys WHERE scope IN ('support', 'auditor')
