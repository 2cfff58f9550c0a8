-- name: find_account
-- The account registered under an e-mail's hash.
SELECT account_id FROM account_directory WHERE email_hash = %(email_hash)s
