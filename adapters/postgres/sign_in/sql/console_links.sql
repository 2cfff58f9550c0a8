-- name: add_link
-- Insert a link by which an account's owner can log in. Only its hash is stored.
INSERT INTO console_links (link_hash, account_id, expires_at)
VALUES (%(link_hash)s, %(account_id)s, %(expires_at)s)

-- name: find_link
-- The account of a link that has not expired.
SELECT account_id FROM console_links WHERE link_hash = %(link_hash)s AND expires_at > %(now)s
