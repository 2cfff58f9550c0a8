-- name: state
-- The newest epoch that began with an unaccepted loss; else the newest epoch.
SELECT epoch, begun_at, begun_position, lost_position, accepted_at
FROM store_lineage
ORDER BY lost_position IS NOT NULL AND accepted_at IS NULL DESC, number DESC
LIMIT 1

-- name: losses
-- Epochs that began with a loss of history, oldest first.
SELECT begun_at, begun_position, lost_position, accepted_at FROM store_lineage
WHERE lost_position IS NOT NULL ORDER BY number
