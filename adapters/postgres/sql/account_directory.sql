-- name: find_account
-- The account registered with that e-mail.
SELECT account_id FROM account_directory WHERE email_hash = %(email_hash)s
