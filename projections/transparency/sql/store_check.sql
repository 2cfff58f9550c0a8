-- name: snapshot
-- Export this transaction's snapshot, for the other connection to read.
SELECT pg_export_snapshot()

-- name: set_snapshot
-- Read from the exported snapshot.
SET TRANSACTION SNAPSHOT {snapshot}

-- name: tree_size
-- The number of stored leaves.
SELECT count(*) FROM merkle_leaves

-- name: events
-- Every event in the order of positions: each row is the data that a leaf hashes.
COPY (
    SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events ORDER BY notification_id
) TO STDOUT (FORMAT BINARY)

-- name: leaves
-- The stored leaves.
SELECT leaf_index, position, hash FROM merkle_leaves ORDER BY leaf_index

-- name: nodes
-- The stored subtrees, in the order in which leaves complete them.
SELECT level, node_index, hash FROM merkle_nodes ORDER BY (node_index + 1) << level, level

-- name: checkpoints
-- Every checkpoint, by tree size.
SELECT number, tree_size, position, note FROM checkpoints ORDER BY tree_size, number

-- name: newest_checkpoint
-- The newest checkpoint.
SELECT number, tree_size, position, note FROM checkpoints ORDER BY number DESC LIMIT 1

-- name: successions
-- Checkpoints in which one key succeeds another.
SELECT note FROM checkpoints WHERE note LIKE '%%' || chr(10) || 'successor %%' ORDER BY number

-- name: origin
-- The first key of this store, whose name is the store's.
SELECT verifier_key FROM signing_keys ORDER BY number LIMIT 1

-- name: keys
-- The keys of this store, each with the tree size at which it took over.
SELECT verifier_key, tree_size FROM signing_keys ORDER BY number
