-- name: register_follower
-- Insert the row of a follower. It begins at position 0.
INSERT INTO followers (name) VALUES (%(name)s) ON CONFLICT (name) DO NOTHING

-- name: record_failure
-- Record the event that stopped the follower, and the reason.
UPDATE followers SET failed_position = %(position)s, failure = %(failure)s, failed_at = now() WHERE name = %(name)s

-- name: progress
-- Position of every follower, and its failure, if any.
SELECT name, position, moved_at, failed_position, failure, failed_at FROM followers ORDER BY name
