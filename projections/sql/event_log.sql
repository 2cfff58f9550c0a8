-- name: settled_position
-- The last event of those before which nothing can appear any more; zero if there is none. Why that is so stands where
-- events are appended (adapters/postgres/sql/appending.sql): the sequence is read first, then the locks of writers (the
-- query for them names what was read, so that it cannot come before), and only after this statement the rows.
WITH drawn AS MATERIALIZED (
    SELECT coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0) AS upto
), bound AS MATERIALIZED (
    SELECT least(drawn.upto, (
        SELECT min(((l.classid::bigint & 65535) << 32) + l.objid::bigint)
        FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.classid::bigint >> 16 = x'5375'::bigint
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND ((l.classid::bigint & 65535) << 32) + l.objid::bigint < drawn.upto
    )) AS upto
    FROM drawn
)
SELECT coalesce((
    SELECT notification_id FROM stored_events
    WHERE notification_id <= (SELECT upto FROM bound)
    ORDER BY notification_id DESC  -- from the index's end, which max() is not where there is a WITH
    LIMIT 1
), 0)

-- name: recorded_position
-- The last event that has been committed, whatever may still appear before it.
SELECT coalesce(max(notification_id), 0) FROM stored_events

-- name: events_between
-- The next events in the order of their positions.
SELECT notification_id, originator_id, originator_version, topic, state
FROM stored_events
WHERE notification_id > %(after)s AND notification_id <= %(upto)s
ORDER BY notification_id
LIMIT %(limit)s
