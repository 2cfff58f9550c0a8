-- name: position
-- The position after which to continue.
SELECT position FROM followers WHERE name = 'publisher'

-- name: move
-- Advance the position after the broker has confirmed everything up to it, unless it was changed in the meantime.
UPDATE followers
SET position = %(position)s, moved_at = now(), failed_position = NULL, failure = NULL, failed_at = NULL
WHERE name = 'publisher' AND position = %(before)s

-- name: set_available
-- Record that the broker accepts events, and how many more it has confirmed, together with the move.
INSERT INTO publisher_state (available, since, published) VALUES (true, now(), %(published)s)
ON CONFLICT (only_row) DO UPDATE SET
    available = true,
    since = CASE WHEN publisher_state.available THEN publisher_state.since ELSE now() END,
    reason = NULL,
    published = publisher_state.published + %(published)s

-- name: set_unavailable
-- Record why the broker does not accept events. A new reason does not change the time since when.
INSERT INTO publisher_state (available, since, reason, returned) VALUES (false, now(), %(reason)s, %(returned)s)
ON CONFLICT (only_row) DO UPDATE SET
    available = false,
    since = CASE WHEN publisher_state.available THEN now() ELSE publisher_state.since END,
    reason = %(reason)s,
    returned = publisher_state.returned + %(returned)s

-- name: state
-- The last recorded status, and whether a process leads the publisher: one that was killed records nothing more.
SELECT s.available, s.since, s.reason, s.published, s.returned,
       EXISTS (
           SELECT FROM pg_locks
           WHERE locktype = 'advisory' AND classid = 723981 AND objsubid = 2 AND granted
             AND objid = (hashtext('publisher')::bigint & 4294967295)::oid
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       ) AS led
FROM publisher_state s
