-- Receivers of events: primary data. Without an account they are sent those of all. Their URL and description are sealed
-- by the master key of that id. `position` is that of the last event that a receiver has, or did not want, `failures`
-- how often the next one has failed, and `due_at` when there is an attempt again. Whoever sends holds a claim.
CREATE TABLE webhooks (
    webhook_id uuid PRIMARY KEY,
    account_id uuid,
    slot smallint NOT NULL,
    types text[],
    signature text NOT NULL,
    master_key_id text NOT NULL,
    sealed_details bytea NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    position bigint NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    claim_id uuid,
    claimed_until timestamptz,
    disabled_at timestamptz,
    disabled_why text,
    CONSTRAINT webhooks_slot_key UNIQUE NULLS NOT DISTINCT (account_id, slot)
) WITH (fillfactor = 50);
CREATE INDEX webhooks_created_idx ON webhooks (created_at, webhook_id);

-- What webhooks are signed with, the newest first; those before it until they expire.
CREATE TABLE webhook_secrets (
    secret_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    master_key_id text NOT NULL,
    sealed_secret bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
CREATE INDEX webhook_secrets_webhook_idx ON webhook_secrets (webhook_id, secret_id);

-- What became of each attempt, for a while; nothing of what was sent or answered but the status.
CREATE TABLE webhook_deliveries (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    event_id text NOT NULL,
    type text NOT NULL,
    position bigint NOT NULL,
    attempt integer NOT NULL,
    attempted_at timestamptz NOT NULL,
    status smallint,
    error text,
    milliseconds integer NOT NULL
);
CREATE INDEX webhook_deliveries_webhook_idx ON webhook_deliveries (webhook_id, delivery_id);
CREATE INDEX webhook_deliveries_attempted_idx ON webhook_deliveries (attempted_at);
