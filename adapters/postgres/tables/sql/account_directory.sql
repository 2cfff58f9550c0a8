-- name: find_account
-- The account registered under an e-mail's hash, or under one that it had before and that still works.
SELECT account_id FROM account_directory
WHERE email_hash = %(email_hash)s AND (kept_until IS NULL OR kept_until > %(now)s)
