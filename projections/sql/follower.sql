-- name: start
-- A follower begins at the beginning.
INSERT INTO followers (name) VALUES (%(name)s) ON CONFLICT (name) DO NOTHING

-- name: lead
-- One process at a time; the lock ends with the connection.
SELECT pg_try_advisory_lock(723981, hashtext(%(name)s))

-- name: lock_position
-- Whoever else should believe to lead waits here, and then finds the position moved.
SELECT position FROM followers WHERE name = %(name)s FOR UPDATE

-- name: move
-- In the transaction of the rows it speaks of. Getting on means that whatever stopped the follower is past.
UPDATE followers
SET position = %(position)s, moved_at = now(), failed_position = NULL, failure = NULL, failed_at = NULL
WHERE name = %(name)s

-- name: fail
-- What stopped the follower, for all to see.
UPDATE followers SET failed_position = %(position)s, failure = %(failure)s, failed_at = now() WHERE name = %(name)s

-- name: progress
-- How far every follower has come, and what stopped it, if anything did.
SELECT name, position, moved_at, failed_position, failure, failed_at FROM followers ORDER BY name
