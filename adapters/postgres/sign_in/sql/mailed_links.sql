-- name: find_link
-- A link that has not expired, by the hash of its secret.
SELECT link_hash, purpose, account_id, person_id, caused_by, expires_at, encrypted_secret
FROM mailed_links
WHERE link_hash = %(link_hash)s AND expires_at > %(now)s

-- name: find_link_of_event
-- The link that the mail of an event has, unless it has expired.
SELECT link_hash, purpose, account_id, person_id, caused_by, expires_at, encrypted_secret
FROM mailed_links
WHERE account_id = %(account_id)s AND caused_by = %(caused_by)s AND expires_at > %(now)s
