-- name: settled_position
-- The position of the last event before which no further event can appear; zero if there is none. These are steps 1 and
-- 2 of the protocol in appending.sql: read the sequence, then the locks of writers. The lock query depends on `drawn`,
-- so it runs after it. Rows (step 3) must be read by a later statement, which has a newer snapshot.
WITH drawn AS MATERIALIZED (
    SELECT coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0) AS last_position
), bound AS MATERIALIZED (
    SELECT least(drawn.last_position, (
        SELECT min(((l.classid::bigint & 65535) << 32) + l.objid::bigint)
        FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.classid::bigint >> 16 = x'5375'::bigint
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND ((l.classid::bigint & 65535) << 32) + l.objid::bigint < drawn.last_position
    )) AS last_position
    FROM drawn
)
SELECT coalesce((
    SELECT notification_id FROM stored_events
    WHERE notification_id <= (SELECT last_position FROM bound)
    ORDER BY notification_id DESC  -- reads one index entry; with the CTE, max() is not planned that way
    LIMIT 1
), 0)

-- name: recorded_position
-- The last committed event. Earlier positions may still be uncommitted.
SELECT coalesce(max(notification_id), 0) FROM stored_events

-- name: events_between
-- The next events in the order of their positions.
SELECT notification_id AS position, originator_id, originator_version, topic, state
FROM stored_events
WHERE notification_id > %(after_position)s AND notification_id <= %(max_position)s
ORDER BY notification_id
LIMIT %(limit)s
