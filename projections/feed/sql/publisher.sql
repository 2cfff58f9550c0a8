-- name: position
-- The position after which to continue.
SELECT position FROM followers WHERE name = 'publisher'

-- name: advance_position
-- Advance the position after the broker has confirmed everything up to it, unless it was changed in the meantime.
UPDATE followers
SET position = %(position)s, moved_at = now(), failed_position = NULL, failure = NULL, failed_at = NULL
WHERE name = 'publisher' AND position = %(before)s

-- name: set_available
-- Record that the broker accepts events, and add the number that it has just confirmed.
INSERT INTO publisher_state (available, since, published) VALUES (true, now(), %(published)s)
ON CONFLICT (only_row) DO UPDATE SET
    available = true,
    since = CASE WHEN publisher_state.available THEN publisher_state.since ELSE now() END,
    reason = NULL,
    published = publisher_state.published + %(published)s

-- name: set_unavailable
-- Record why the broker accepts no events. `since` stays the time of the first failure.
INSERT INTO publisher_state (available, since, reason, returned) VALUES (false, now(), %(reason)s, %(returned)s)
ON CONFLICT (only_row) DO UPDATE SET
    available = false,
    since = CASE WHEN publisher_state.available THEN now() ELSE publisher_state.since END,
    reason = %(reason)s,
    returned = publisher_state.returned + %(returned)s

-- name: state
-- The last recorded status, and whether any process leads the publisher: the status of a killed one is outdated.
SELECT s.available, s.since, s.reason, s.published, s.returned,
       EXISTS (
           SELECT FROM pg_locks
           WHERE locktype = 'advisory' AND classid = 723981 AND objsubid = 2 AND granted
             AND objid = (hashtext('publisher')::bigint & 4294967295)::oid
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       ) AS led
FROM publisher_state s
