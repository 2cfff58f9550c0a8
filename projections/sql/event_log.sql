-- name: settled_position
-- Writers take turns from before they draw a position until they have committed, so what is visible is settled.
SELECT coalesce(max(notification_id), 0) FROM stored_events

-- name: events_between
-- The next events in the order of their positions.
SELECT notification_id, originator_id, originator_version, topic, state
FROM stored_events
WHERE notification_id > %(after)s AND notification_id <= %(upto)s
ORDER BY notification_id
LIMIT %(limit)s
