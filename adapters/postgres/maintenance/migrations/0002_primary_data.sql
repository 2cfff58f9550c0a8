-- What is neither history nor derived from it: written in the transaction of the events it goes with, and backed up.

-- Keys of the service itself (keyed hashes, cursors), wrapped by the master key of that id.
CREATE TABLE service_keys (
    name text PRIMARY KEY,
    master_key_id text NOT NULL,
    wrapped_key bytea NOT NULL
);

-- A person's data key, wrapped by the master key of that id; their password; a temporary one's sealed plaintext,
-- until it has been mailed. Deleting the row makes everything encrypted under the key unreadable for good.
CREATE TABLE vault (
    person_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    master_key_id text NOT NULL,
    wrapped_key bytea NOT NULL,
    password_hash text,
    must_change boolean NOT NULL DEFAULT false,
    password_expires_at timestamptz,
    credentials integer NOT NULL DEFAULT 0,
    sealed_password text
) WITH (fillfactor = 80);
CREATE INDEX vault_account_idx ON vault (account_id);

CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL UNIQUE,
    account_id uuid NOT NULL,
    person_id uuid NOT NULL,
    restricted boolean NOT NULL,
    opened_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    access_expires_at timestamptz,
    ip text,
    user_agent text
) WITH (fillfactor = 80);
CREATE INDEX sessions_person_idx ON sessions (person_id);
CREATE INDEX sessions_account_idx ON sessions (account_id);
CREATE INDEX sessions_expires_idx ON sessions (expires_at);

CREATE TABLE account_directory (
    email_hash text CONSTRAINT account_directory_email_key PRIMARY KEY,
    account_id uuid NOT NULL UNIQUE
);

CREATE TABLE api_keys (
    api_key_id uuid PRIMARY KEY,
    name text NOT NULL,
    scope text NOT NULL CHECK (scope IN ('portal', 'support', 'auditor', 'analytics')),
    key_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE TABLE kept_answers (
    api_key_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    headers text NOT NULL,
    sealed_body text NOT NULL,
    person_id uuid NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    answered_at timestamptz NOT NULL,
    CONSTRAINT kept_answers_key PRIMARY KEY (api_key_id, idempotency_key)
);
CREATE INDEX kept_answers_person_idx ON kept_answers (person_id);
CREATE INDEX kept_answers_answered_idx ON kept_answers (answered_at);

-- Failed attempts, under keyed hashes: nobody's e-mail or address is in here.
CREATE TABLE throttle (
    key bytea PRIMARY KEY,
    failures integer NOT NULL,
    last_failed_at timestamptz NOT NULL,
    blocked_until timestamptz
) WITH (fillfactor = 80);
CREATE INDEX throttle_last_failed_idx ON throttle (last_failed_at);
