-- name: end_of_window
-- Where a bounded look at the history ends, if there is more of it: what a filter that little passes has let through is
-- found in several of them.
SELECT notification_id FROM stored_events
WHERE notification_id > %(after)s AND notification_id <= %(upto)s
ORDER BY notification_id
LIMIT 1 OFFSET %(window)s - 1

-- name: end_of_window_of_account
-- The same among an account's events.
SELECT position
FROM (SELECT account_id, position FROM audit_view UNION ALL SELECT account_id, position FROM audit_older) AS a
WHERE account_id = %(account_id)s AND position > %(after)s AND position <= %(upto)s
ORDER BY position
LIMIT 1 OFFSET %(window)s - 1

-- name: events
-- Events of these kinds or of any (null), in the order of their positions.
SELECT notification_id, originator_id, originator_version, topic, state
FROM stored_events
WHERE notification_id > %(after)s AND notification_id <= %(upto)s
  AND (%(topics)s::text[] IS NULL OR topic = ANY(%(topics)s))
ORDER BY notification_id
LIMIT %(limit)s

-- name: events_of_account
-- The same of an account's: the audit log's view knows where they stand.
SELECT a.position, e.originator_id, e.originator_version, e.topic, e.state
FROM (SELECT account_id, position FROM audit_view UNION ALL SELECT account_id, position FROM audit_older) AS a
JOIN stored_events e ON e.notification_id = a.position
WHERE a.account_id = %(account_id)s AND a.position > %(after)s AND a.position <= %(upto)s
  AND (%(topics)s::text[] IS NULL OR e.topic = ANY(%(topics)s))
ORDER BY a.position
LIMIT %(limit)s

-- name: view_position
-- How far the audit log has come: the positions that it knows of.
SELECT position FROM followers WHERE name = 'audit-log'
