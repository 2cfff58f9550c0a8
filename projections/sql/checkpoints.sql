-- name: take_turns
-- One process at a time signs; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(723984)

-- name: newest
-- The last checkpoint that was signed.
SELECT number, tree_size, position, signed_at, note FROM checkpoints ORDER BY number DESC LIMIT 1

-- name: of_size
-- The checkpoint of so many events: the first, where a key took over from another at the same size.
SELECT number, tree_size, position, signed_at, note FROM checkpoints
WHERE tree_size = %(size)s
ORDER BY number
LIMIT 1

-- name: page
-- Checkpoints, the newest first.
SELECT number, tree_size, position, signed_at, note FROM checkpoints
WHERE number < %(before)s
ORDER BY number DESC
LIMIT %(limit)s

-- name: add
-- A checkpoint, for good.
INSERT INTO checkpoints (tree_size, position, signed_at, note)
VALUES (%(tree_size)s, %(position)s, %(signed_at)s, %(note)s)

-- name: keys
-- The public keys, the current one last.
SELECT number, verifier_key, tree_size, since FROM signing_keys ORDER BY number

-- name: add_key
-- From now on the current one.
INSERT INTO signing_keys (verifier_key, tree_size, since) VALUES (%(verifier_key)s, %(tree_size)s, %(since)s)

-- name: progress
-- The newest checkpoint, and how many leaves have none.
SELECT c.tree_size, c.position, c.signed_at,
       (SELECT coalesce(max(leaf_index) + 1, 0) FROM merkle_leaves) - c.tree_size AS unsigned
FROM checkpoints c
ORDER BY c.number DESC
LIMIT 1
