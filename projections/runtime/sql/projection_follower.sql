-- name: lock_position
-- Lock and read the position. A second process that believes it leads waits here, and then reads the new position.
SELECT position FROM followers WHERE name = %(name)s FOR UPDATE

-- name: advance_position
-- Advance the position, in the transaction that writes the rows. Progress clears the recorded failure.
UPDATE followers
SET position = %(position)s, moved_at = now(), failed_position = NULL, failure = NULL, failed_at = NULL
WHERE name = %(name)s
