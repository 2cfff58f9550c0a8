-- name: lock_signing
-- Let one process at a time sign. The lock ends with the transaction.
SELECT pg_advisory_xact_lock(723984)

-- name: newest
-- The newest checkpoint.
SELECT number, tree_size, position, signed_at, note FROM checkpoints ORDER BY number DESC LIMIT 1

-- name: of_size
-- The checkpoint of a tree size: the first one, if a key handed over to another at the same size.
SELECT number, tree_size, position, signed_at, note FROM checkpoints
WHERE tree_size = %(tree_size)s
ORDER BY number
LIMIT 1

-- name: page
-- Checkpoints, newest first.
SELECT number, tree_size, position, signed_at, note FROM checkpoints
WHERE number < %(before)s
ORDER BY number DESC
LIMIT %(limit)s

-- name: daily
-- The last checkpoint before a time, and the last one of each UTC day of a range of times, oldest first. The order is
-- that of numbers: times follow it, except for clocks that were set back.
SELECT number, tree_size, position, signed_at, note FROM checkpoints
WHERE number IN (
    SELECT max(number) FROM checkpoints WHERE signed_at < %(since)s AND tree_size <= %(max_tree_size)s
    UNION ALL
    SELECT max(number) FROM checkpoints
    WHERE signed_at >= %(since)s AND signed_at < %(until)s AND tree_size <= %(max_tree_size)s
    GROUP BY date_bin('24 hours', signed_at, '0001-01-01T00:00:00Z'))
ORDER BY number

-- name: add_checkpoint
-- Store a checkpoint.
INSERT INTO checkpoints (tree_size, position, signed_at, note)
VALUES (%(tree_size)s, %(position)s, %(signed_at)s, %(note)s)

-- name: successions
-- Checkpoints that hand over from one key to the next.
SELECT note FROM checkpoints WHERE note LIKE '%%' || chr(10) || 'successor %%' ORDER BY number

-- name: keys
-- The public keys, the current one last.
SELECT number, verifier_key, tree_size, since FROM signing_keys ORDER BY number

-- name: add_key
-- Add a key, which is the current one from now on.
INSERT INTO signing_keys (verifier_key, tree_size, since) VALUES (%(verifier_key)s, %(tree_size)s, %(since)s)

-- name: losses
-- Epochs that began with a loss of history, oldest first, and when an operator accepted it.
SELECT epoch, begun_position, lost_position, accepted_at FROM store_lineage
WHERE lost_position IS NOT NULL ORDER BY number

-- name: progress
-- The newest checkpoint, and the number of leaves after it.
SELECT c.tree_size, c.position, c.signed_at,
       (SELECT coalesce(max(leaf_index) + 1, 0) FROM merkle_leaves) - c.tree_size AS unsigned
FROM checkpoints c
ORDER BY c.number DESC
LIMIT 1
