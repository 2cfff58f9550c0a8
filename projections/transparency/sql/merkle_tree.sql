-- name: size
-- The number of leaves: they are numbered from 0 without gaps.
SELECT coalesce(max(leaf_index) + 1, 0) FROM merkle_leaves

-- name: leaves
-- Hashes of leaves.
SELECT 0 AS level, leaf_index AS node_index, hash FROM merkle_leaves WHERE leaf_index = ANY(%(indexes)s)

-- name: nodes
-- Hashes of complete subtrees.
SELECT level, node_index, hash
FROM merkle_nodes
JOIN unnest(%(levels)s::smallint[], %(indexes)s::bigint[]) AS requested (level, node_index) USING (level, node_index)

-- name: add_leaves
-- Add the next leaves.
INSERT INTO merkle_leaves (leaf_index, position, hash)
SELECT * FROM unnest(%(indexes)s::bigint[], %(positions)s::bigint[], %(hashes)s::bytea[])

-- name: add_nodes
-- Add the subtrees that these leaves completed.
INSERT INTO merkle_nodes (level, node_index, hash)
SELECT * FROM unnest(%(levels)s::smallint[], %(indexes)s::bigint[], %(hashes)s::bytea[])

-- name: leaves_at
-- Leaf index by position, in ascending order.
SELECT position, leaf_index FROM merkle_leaves WHERE position = ANY(%(positions)s) ORDER BY position

-- name: position_of_leaf
-- Position of the event of a leaf.
SELECT position FROM merkle_leaves WHERE leaf_index = %(index)s
