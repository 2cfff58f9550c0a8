-- name: add_link
-- A link by which the owner of an account logs in; its secret is nowhere.
INSERT INTO console_links (link_hash, account_id, expires_at)
VALUES (%(link_hash)s, %(account_id)s, %(expires_at)s)

-- name: find_link
-- The account that a link opens, while it is good.
SELECT account_id FROM console_links WHERE link_hash = %(link_hash)s AND expires_at > %(now)s
