-- Former e-mails of accounts, which still find the account until `kept_until`. An account has one row without it: that of
-- its e-mail. No other account can register an e-mail that still works.
ALTER TABLE account_directory ADD COLUMN kept_until timestamptz;
ALTER TABLE account_directory DROP CONSTRAINT account_directory_account_id_key;
CREATE UNIQUE INDEX account_directory_account_idx ON account_directory (account_id) WHERE kept_until IS NULL;
CREATE INDEX account_directory_accounts_idx ON account_directory (account_id);
CREATE INDEX account_directory_kept_idx ON account_directory (kept_until) WHERE kept_until IS NOT NULL;

-- Each former e-mail of an account has its own link that undoes the change.
DROP INDEX mailed_links_person_idx;
CREATE UNIQUE INDEX mailed_links_person_idx ON mailed_links (person_id, purpose) WHERE purpose <> 'email_undo';
CREATE INDEX mailed_links_undo_idx ON mailed_links (person_id) WHERE purpose = 'email_undo';

-- The e-mail that waits for confirmation.
ALTER TABLE account_view ADD COLUMN pending_email text;
ALTER TABLE account_view ADD COLUMN pending_email_expires_at timestamptz;
