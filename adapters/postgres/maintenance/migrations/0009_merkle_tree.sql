-- The Merkle tree of RFC 6962 over the history, in the order of positions. Rows are added and never changed.

-- One leaf an event. What is hashed: application/leaves.py.
CREATE TABLE merkle_leaves (
    leaf_index bigint PRIMARY KEY,
    position bigint NOT NULL CONSTRAINT merkle_leaves_position_key UNIQUE,
    hash bytea NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- The roots of complete subtrees over 16, 256, 4096, ... leaves (levels 4, 8, 12, ...): what lies between is calculated
-- from sixteen of the level below.
CREATE TABLE merkle_nodes (
    level smallint NOT NULL,
    node_index bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (level, node_index)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- What the tree was at a moment, signed. The note says it all; the columns are for finding it.
CREATE TABLE checkpoints (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tree_size bigint NOT NULL,
    position bigint NOT NULL,
    signed_at timestamptz NOT NULL,
    note text NOT NULL
);
CREATE INDEX checkpoints_tree_size_idx ON checkpoints (tree_size, number);

-- The public keys that checkpoints were signed with, the current one last, as `subusers signing-key show` prints them.
CREATE TABLE signing_keys (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    verifier_key text NOT NULL,
    tree_size bigint NOT NULL,
    since timestamptz NOT NULL
);

-- The last checkpoint that went out to the broker.
ALTER TABLE publisher_state ADD COLUMN checkpoint bigint NOT NULL DEFAULT 0;
