-- Derived from the history by followers. All but the mail queue can be rebuilt at any time.

CREATE TABLE followers (
    name text PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT now(),
    failed_position bigint,
    failure text,
    failed_at timestamptz
) WITH (fillfactor = 50);

CREATE TABLE account_view (
    account_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    email text NOT NULL,
    company_name text NOT NULL,
    language text NOT NULL,
    sub_user_limit integer NOT NULL,
    created_at timestamptz NOT NULL,
    closed_at timestamptz
) WITH (fillfactor = 70);

CREATE TABLE sub_user_view (
    sub_user_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    surname text NOT NULL,
    active boolean NOT NULL DEFAULT false,
    visible boolean NOT NULL,
    created_at timestamptz NOT NULL,
    last_login_at timestamptz,
    access_expires_at timestamptz,
    must_change_password boolean NOT NULL DEFAULT true,
    credentials_mail text NOT NULL DEFAULT 'none',
    mail_version bigint NOT NULL DEFAULT 0,
    locked boolean NOT NULL DEFAULT false,
    revision integer NOT NULL DEFAULT 1
) WITH (fillfactor = 70);
CREATE INDEX sub_user_view_account_idx ON sub_user_view (account_id, created_at, sub_user_id);

-- Where to find what: the facts themselves stay in the history, with their personal fields sealed, so that forgetting
-- a person touches no row of this view.
CREATE TABLE audit_view (
    position bigint PRIMARY KEY,
    account_id uuid NOT NULL,
    action text NOT NULL,
    sub_user_id uuid,
    occurred_at timestamptz NOT NULL
);
CREATE INDEX audit_view_account_idx ON audit_view (account_id, position);
CREATE INDEX audit_view_sub_user_idx ON audit_view (account_id, sub_user_id, position);
CREATE INDEX audit_view_action_idx ON audit_view (account_id, action, position);
CREATE INDEX audit_view_occurred_idx ON audit_view (account_id, occurred_at, position);

-- One row for each event that asks for a mail, kept for good: it is what makes a mail go out once.
CREATE TABLE mail_queue (
    account_id uuid NOT NULL,
    caused_by bigint NOT NULL,
    sub_user_id uuid NOT NULL,
    notice text NOT NULL,
    credentials integer,
    asked_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'queued',
    attempts integer NOT NULL DEFAULT 0,
    first_attempt_at timestamptz,
    due_at timestamptz NOT NULL,
    settled_at timestamptz,
    PRIMARY KEY (account_id, caused_by)
) WITH (fillfactor = 80);
CREATE INDEX mail_queue_due_idx ON mail_queue (due_at) WHERE state = 'queued';
