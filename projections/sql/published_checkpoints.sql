-- name: due
-- Checkpoints that have not gone out yet, as far as their events have.
SELECT c.number, c.tree_size, c.position, c.signed_at, c.note
FROM checkpoints c
WHERE c.number > (SELECT checkpoint FROM publisher_state)
  AND c.position <= (SELECT position FROM followers WHERE name = 'publisher')
ORDER BY c.number
LIMIT %(limit)s

-- name: move
-- Only after the broker has confirmed everything up to here.
UPDATE publisher_state SET checkpoint = %(number)s
