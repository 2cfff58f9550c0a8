-- name: end_of_window
-- Position of the last event in a search window, or no row if fewer events are left. With a filter that matches little,
-- a client reads several windows.
SELECT notification_id FROM stored_events
WHERE notification_id > %(after)s AND notification_id <= %(max_position)s
ORDER BY notification_id
LIMIT 1 OFFSET %(window_size)s - 1

-- name: end_of_window_of_account
-- The same for the events of one account.
SELECT position
FROM (SELECT account_id, position FROM audit_view UNION ALL SELECT account_id, position FROM audit_older) AS a
WHERE account_id = %(account_id)s AND position > %(after)s AND position <= %(max_position)s
ORDER BY position
LIMIT 1 OFFSET %(window_size)s - 1

-- name: events
-- Events of the given topics, or of all if null, in the order of positions.
SELECT notification_id AS position, originator_id, originator_version, topic, state
FROM stored_events
WHERE notification_id > %(after)s AND notification_id <= %(max_position)s
  AND (%(topics)s::text[] IS NULL OR topic = ANY(%(topics)s))
ORDER BY notification_id
LIMIT %(limit)s

-- name: events_of_account
-- The same for one account, whose positions the audit view lists.
SELECT a.position, e.originator_id, e.originator_version, e.topic, e.state
FROM (SELECT account_id, position FROM audit_view UNION ALL SELECT account_id, position FROM audit_older) AS a
JOIN stored_events e ON e.notification_id = a.position
WHERE a.account_id = %(account_id)s AND a.position > %(after)s AND a.position <= %(max_position)s
  AND (%(topics)s::text[] IS NULL OR e.topic = ANY(%(topics)s))
ORDER BY a.position
LIMIT %(limit)s

-- name: view_position
-- The position that the audit log has reached: it lists events up to there.
SELECT position FROM followers WHERE name = 'audit-log'

-- name: common_position
-- The position up to which an earlier epoch and the current one are identical: where the first epoch after it began.
SELECT min(later.begun_position)
FROM store_lineage earlier JOIN store_lineage later ON later.number > earlier.number
WHERE earlier.epoch = %(epoch)s
