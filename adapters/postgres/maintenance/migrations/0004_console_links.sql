-- Links by which owners log in to the console, as SHA-256: each is good once, and not for long.
CREATE TABLE console_links (
    link_hash bytea PRIMARY KEY,
    account_id uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX console_links_expires_idx ON console_links (expires_at);
