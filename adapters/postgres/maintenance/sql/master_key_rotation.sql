-- Rotation of the master key, table by table. next_<table> reads the next rows, by id, that the current master key does
-- not wrap. rewrap_<table> replaces the wrapped data of these rows, except rows that are locked or have changed since.

-- name: count_by_key
-- The number of rows that each master key wraps.
SELECT master_key_id, count(*) AS wrapped_rows
FROM (SELECT master_key_id FROM service_keys UNION ALL SELECT master_key_id FROM vault
      UNION ALL SELECT master_key_id FROM webhooks UNION ALL SELECT master_key_id FROM webhook_secrets) AS keys
GROUP BY master_key_id

-- name: next_service_keys
-- Keys of the service.
SELECT name AS id, 'service key ' || name AS owner, master_key_id, wrapped_key AS wrapped
FROM service_keys
WHERE master_key_id <> %(current)s AND (%(after)s::text IS NULL OR name > %(after)s)
ORDER BY name
LIMIT %(limit)s

-- name: rewrap_service_keys
-- Rewrap rows whose key is still the one that was read.
UPDATE service_keys t SET master_key_id = %(current)s, wrapped_key = n.rewrapped
FROM (SELECT name FROM service_keys WHERE name = ANY(%(ids)s::text[]) ORDER BY name FOR UPDATE SKIP LOCKED) AS held
JOIN unnest(%(ids)s::text[], %(wrapped)s::bytea[], %(rewrapped)s::bytea[])
    AS n (name, wrapped, rewrapped) USING (name)
WHERE t.name = held.name AND t.wrapped_key = n.wrapped

-- name: next_vault
-- Data keys of people.
SELECT person_id AS id, person_id::text AS owner, master_key_id, wrapped_key AS wrapped
FROM vault
WHERE master_key_id <> %(current)s AND (%(after)s::uuid IS NULL OR person_id > %(after)s)
ORDER BY person_id
LIMIT %(limit)s

-- name: rewrap_vault
-- Rewrap rows whose key is still the one that was read.
UPDATE vault t SET master_key_id = %(current)s, wrapped_key = n.rewrapped
FROM (SELECT person_id FROM vault WHERE person_id = ANY(%(ids)s::uuid[])
      ORDER BY person_id FOR UPDATE SKIP LOCKED) AS held
JOIN unnest(%(ids)s::uuid[], %(wrapped)s::bytea[], %(rewrapped)s::bytea[])
    AS n (person_id, wrapped, rewrapped) USING (person_id)
WHERE t.person_id = held.person_id AND t.wrapped_key = n.wrapped

-- name: next_webhooks
-- URLs and descriptions of webhooks.
SELECT webhook_id AS id, 'webhook ' || webhook_id || ' details' AS owner, master_key_id, sealed_details AS wrapped
FROM webhooks
WHERE master_key_id <> %(current)s AND (%(after)s::uuid IS NULL OR webhook_id > %(after)s)
ORDER BY webhook_id
LIMIT %(limit)s

-- name: rewrap_webhooks
-- Rewrap rows whose details are still the ones that were read.
UPDATE webhooks t SET master_key_id = %(current)s, sealed_details = n.rewrapped
FROM (SELECT webhook_id FROM webhooks WHERE webhook_id = ANY(%(ids)s::uuid[])
      ORDER BY webhook_id FOR UPDATE SKIP LOCKED) AS held
JOIN unnest(%(ids)s::uuid[], %(wrapped)s::bytea[], %(rewrapped)s::bytea[])
    AS n (webhook_id, wrapped, rewrapped) USING (webhook_id)
WHERE t.webhook_id = held.webhook_id AND t.sealed_details = n.wrapped

-- name: next_webhook_secrets
-- Signing secrets of webhooks.
SELECT secret_id AS id, 'webhook ' || webhook_id || ' secret' AS owner, master_key_id, sealed_secret AS wrapped
FROM webhook_secrets
WHERE master_key_id <> %(current)s AND (%(after)s::bigint IS NULL OR secret_id > %(after)s)
ORDER BY secret_id
LIMIT %(limit)s

-- name: rewrap_webhook_secrets
-- Rewrap rows whose secret is still the one that was read.
UPDATE webhook_secrets t SET master_key_id = %(current)s, sealed_secret = n.rewrapped
FROM (SELECT secret_id FROM webhook_secrets WHERE secret_id = ANY(%(ids)s::bigint[])
      ORDER BY secret_id FOR UPDATE SKIP LOCKED) AS held
JOIN unnest(%(ids)s::bigint[], %(wrapped)s::bytea[], %(rewrapped)s::bytea[])
    AS n (secret_id, wrapped, rewrapped) USING (secret_id)
WHERE t.secret_id = held.secret_id AND t.sealed_secret = n.wrapped
