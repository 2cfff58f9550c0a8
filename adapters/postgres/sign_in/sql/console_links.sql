-- name: add_link
-- Insert a link by which an account's owner can log in. Only its hash is stored.
INSERT INTO console_links (link_hash, account_id, assurance, expires_at)
VALUES (%(link_hash)s, %(account_id)s, %(assurance)s, %(expires_at)s)

-- name: find_link
-- The account of a link that has not expired, and the level of its session.
SELECT account_id, assurance FROM console_links WHERE link_hash = %(link_hash)s AND expires_at > %(now)s
