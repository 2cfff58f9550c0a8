-- name: due
-- Unpublished checkpoints whose events have been published.
SELECT c.number, c.tree_size, c.position, c.signed_at, c.note
FROM checkpoints c
WHERE c.number > (SELECT checkpoint FROM publisher_state)
  AND c.position <= (SELECT position FROM followers WHERE name = 'publisher')
ORDER BY c.number
LIMIT %(limit)s

-- name: record_published
-- Record the last published checkpoint, after the broker has confirmed everything up to it.
UPDATE publisher_state SET checkpoint = %(number)s
