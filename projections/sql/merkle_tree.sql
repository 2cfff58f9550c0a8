-- name: size
-- How many leaves there are: they are numbered from 0, without a gap.
SELECT coalesce(max(leaf_index) + 1, 0) FROM merkle_leaves

-- name: leaves
-- Hashes of some leaves.
SELECT 0, leaf_index, hash FROM merkle_leaves WHERE leaf_index = ANY(%(indexes)s)

-- name: nodes
-- Hashes of some complete subtrees.
SELECT level, node_index, hash
FROM merkle_nodes
JOIN unnest(%(levels)s::smallint[], %(indexes)s::bigint[]) AS wanted (level, node_index) USING (level, node_index)

-- name: add_leaves
-- The next leaves.
INSERT INTO merkle_leaves (leaf_index, position, hash)
SELECT * FROM unnest(%(indexes)s::bigint[], %(positions)s::bigint[], %(hashes)s::bytea[])

-- name: add_nodes
-- The subtrees that they completed.
INSERT INTO merkle_nodes (level, node_index, hash)
SELECT * FROM unnest(%(levels)s::smallint[], %(indexes)s::bigint[], %(hashes)s::bytea[])

-- name: leaves_at
-- Where in the tree these positions stand.
SELECT position, leaf_index FROM merkle_leaves WHERE position = ANY(%(positions)s)

-- name: position_of_leaf
-- Where in the history a leaf stands.
SELECT position FROM merkle_leaves WHERE leaf_index = %(index)s
