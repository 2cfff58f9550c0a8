-- Mails to owners: a mail without a sub-user is for the account's owner.
ALTER TABLE mail_queue ALTER COLUMN sub_user_id DROP NOT NULL;

-- Links that are mailed to people. Only the hash of a link's secret stays: the secret itself is encrypted with the
-- person's data key, and deleted when its mail is sent or abandoned.
CREATE TABLE mailed_links (
    link_hash bytea PRIMARY KEY,
    purpose text NOT NULL,
    account_id uuid NOT NULL,
    person_id uuid NOT NULL,
    caused_by bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    encrypted_secret text
);
CREATE UNIQUE INDEX mailed_links_person_idx ON mailed_links (person_id, purpose);
CREATE UNIQUE INDEX mailed_links_event_idx ON mailed_links (account_id, caused_by);
CREATE INDEX mailed_links_expiry_idx ON mailed_links (expires_at);

-- Whether sub-users may reset a forgotten password by mail.
ALTER TABLE account_view ADD COLUMN sub_user_password_reset boolean NOT NULL DEFAULT true;
