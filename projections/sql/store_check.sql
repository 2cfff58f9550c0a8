-- name: snapshot
-- By which another connection reads the same moment.
SELECT pg_export_snapshot()

-- name: same_moment
-- Everything is read as of that moment.
SET TRANSACTION SNAPSHOT {snapshot}

-- name: tree_size
-- How many leaves are kept.
SELECT count(*) FROM merkle_leaves

-- name: events
-- Every event in the order of positions: each row is what a leaf holds.
COPY (
    SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events ORDER BY notification_id
) TO STDOUT (FORMAT BINARY)

-- name: leaves
-- What was kept of each.
SELECT leaf_index, position, hash FROM merkle_leaves ORDER BY leaf_index

-- name: nodes
-- What was kept of complete subtrees, in the order in which leaves complete them.
SELECT level, node_index, hash FROM merkle_nodes ORDER BY (node_index + 1) << level, level

-- name: checkpoints
-- Every checkpoint, in the order of sizes.
SELECT number, tree_size, position, note FROM checkpoints ORDER BY tree_size, number

-- name: handovers
-- Those by which a key took over from another.
SELECT note FROM checkpoints WHERE note LIKE '%%' || chr(10) || 'successor %%' ORDER BY number

-- name: origin
-- The name of this store: that of the keys.
SELECT verifier_key FROM signing_keys ORDER BY number LIMIT 1
