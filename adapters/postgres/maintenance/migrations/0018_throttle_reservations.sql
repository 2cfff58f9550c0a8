-- Attempts are counted before a secret is verified: `pending` maps the id of each attempt in flight to the Unix time at
-- which it no longer counts. `identity` is the key of the person's own row, `known_until` marks a network from which they
-- have logged in, and `is_exempt` credentials that no guess can hit.
ALTER TABLE throttle
    ADD COLUMN identity bytea,
    ADD COLUMN pending jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN known_until timestamptz,
    ADD COLUMN is_exempt boolean NOT NULL DEFAULT false;
CREATE INDEX throttle_identity_idx ON throttle (identity) WHERE identity IS NOT NULL;
