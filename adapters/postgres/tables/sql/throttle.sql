-- Throttling of login attempts. An attempt is reserved before its secret is verified; afterwards it succeeds, fails or
-- is cancelled. Each of these four is one transaction in one round trip. It first takes an advisory lock on the person:
-- the person's rows are inserted and deleted, so ordered row locks alone would not prevent deadlocks with transactions
-- that issue new credentials or delete the person. Rows of clients are shared by people, and locked in the order of
-- their keys. The statement after the locks sees the commits of earlier lock holders.

-- name: commit_asynchronously
-- A crash of the database may lose the latest counts. Waiting for the disk would double the cost of a login.
SELECT set_config('synchronous_commit', 'off', true)

-- name: serialize
-- Serialize the transactions of one person. Two people whose keys have the same hash wait for each other.
SELECT pg_advisory_xact_lock(723985, hashtext(encode(%(identity)s::bytea, 'hex')))

-- name: create
-- Insert the rows of an attempt's keys, if they do not exist.
INSERT INTO throttle (key, identity, failures, last_failed_at)
SELECT c.key, CASE WHEN c.scope IN ('own_network', 'network', 'identity') THEN %(identity)s::bytea END, 0, %(now)s
FROM unnest(%(keys)s::bytea[], %(scopes)s::text[]) AS c (key, scope)
ORDER BY c.key
ON CONFLICT (key) DO NOTHING

-- name: lock
-- Lock the rows, in the same order in every transaction.
SELECT FROM throttle WHERE key = ANY(%(keys)s) ORDER BY key FOR UPDATE

-- name: reserve
-- Decide on an attempt. It is admitted if, for each key, the failures and the attempts in flight, which can still fail,
-- are within the key's limit. Past the limit, and after the wait, one attempt at a time is admitted. An attempt is
-- queued if only the attempts in flight exceed the limit, because they can succeed. A known network is limited by its
-- own key only; exempt credentials only by the counters of clients.
WITH counters AS (
    SELECT c.key, c.scope, c.failure_limit, t.known_until > %(now)s AS is_known, t.is_exempt,
           CASE WHEN c.scope = 'attempts'
               THEN CASE WHEN t.failures >= c.failure_limit THEN greatest(
                   extract(epoch FROM t.last_failed_at + interval '1 hour' - %(now)s), 0) ELSE 0 END
               ELSE coalesce(greatest(extract(epoch FROM t.blocked_until - %(now)s), 0), 0)
           END::float8 AS wait,
           CASE WHEN t.last_failed_at <= %(now)s - w.lifetime THEN 0 ELSE t.failures END AS failures,
           (SELECT count(*) FROM jsonb_each(t.pending) AS p WHERE p.value::float8 > extract(epoch FROM %(now)s)) AS in_flight
    FROM unnest(%(keys)s::bytea[], %(scopes)s::text[], %(limits)s::integer[]) AS c (key, scope, failure_limit)
    JOIN throttle t USING (key)
    CROSS JOIN LATERAL (SELECT CASE c.scope
        WHEN 'client' THEN interval '1 minute' WHEN 'attempts' THEN interval '1 hour'
        WHEN 'identity' THEN interval '30 days' ELSE interval '1 day' END AS lifetime) AS w
), person AS (
    SELECT coalesce(bool_or(is_known), false) AS is_known, bool_or(is_exempt) AS is_exempt FROM counters
), bound AS (
    SELECT c.*, CASE c.scope
        WHEN 'attempts' THEN true
        WHEN 'own_network' THEN NOT p.is_exempt
        WHEN 'client' THEN NOT p.is_known
        ELSE NOT p.is_known AND NOT p.is_exempt END AS is_binding
    FROM counters c CROSS JOIN person p
), verdict AS (
    SELECT coalesce(max(wait) FILTER (WHERE is_binding AND scope <> 'identity'), 0) AS wait,
           coalesce(max(wait) FILTER (WHERE scope <> 'identity'), 0) AS wait_without_exemption,
           coalesce(bool_or(wait > 0) FILTER (WHERE is_binding AND scope = 'identity'), false) AS is_locked,
           coalesce(bool_or(in_flight >= greatest(failure_limit - failures, 1))
               FILTER (WHERE is_binding AND wait = 0 AND scope <> 'attempts'), false) AS is_queued
    FROM bound
), reserved AS (
    UPDATE throttle t
    SET pending = (
            SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}')
            FROM jsonb_each(t.pending) AS p WHERE p.value::float8 > extract(epoch FROM %(now)s)
        ) || jsonb_build_object(%(attempt_id)s::text, extract(epoch FROM %(expires_at)s)::float8),
        failures = CASE WHEN b.scope = 'attempts' THEN b.failures + 1 ELSE t.failures END,
        last_failed_at = CASE WHEN b.scope = 'attempts' AND b.failures = 0 THEN %(now)s ELSE t.last_failed_at END
    FROM bound b CROSS JOIN verdict v
    WHERE t.key = b.key AND b.is_binding AND v.wait = 0 AND NOT v.is_queued
)
SELECT wait, wait_without_exemption, is_locked, is_queued FROM verdict

-- name: fail
-- Count a failure under each key that is not blocked already, so that exempt attempts do not lengthen the wait of
-- others. At the limit a key blocks: a network key for a second, doubling up to 15 minutes; a client key until its
-- minute is over; an identity key for an hour.
UPDATE throttle t
SET pending = t.pending - %(attempt_id)s::text,
    failures = CASE WHEN n.is_blocked AND n.scope <> 'identity' THEN t.failures ELSE n.failures END,
    last_failed_at = CASE WHEN n.is_blocked OR n.scope = 'client' AND n.failures > 1 THEN t.last_failed_at ELSE %(now)s END,
    blocked_until = CASE
        WHEN n.is_blocked THEN t.blocked_until
        WHEN n.failures < n.failure_limit OR n.scope = 'tally' THEN NULL
        WHEN n.scope = 'client' THEN
            CASE WHEN n.failures > 1 THEN t.last_failed_at ELSE %(now)s END + interval '1 minute'
        WHEN n.scope = 'identity' THEN %(now)s + interval '1 hour'
        ELSE %(now)s + least(power(2, least(n.failures - n.failure_limit, 10)), 900) * interval '1 second' END
FROM (
    SELECT c.key, c.scope, c.failure_limit, coalesce(s.blocked_until > %(now)s, false) AS is_blocked,
           CASE WHEN s.last_failed_at <= %(now)s - CASE c.scope
                   WHEN 'client' THEN interval '1 minute'
                   WHEN 'identity' THEN interval '30 days' WHEN 'tally' THEN interval '30 days'
                   ELSE interval '1 day' END
               THEN 1 ELSE s.failures + 1 END AS failures
    FROM unnest(%(keys)s::bytea[], %(scopes)s::text[], %(limits)s::integer[]) AS c (key, scope, failure_limit)
    JOIN throttle s USING (key)
    WHERE c.scope <> 'attempts'
) AS n
WHERE t.key = n.key
RETURNING t.key, t.failures

-- name: succeed
-- Reset the person's failures in a row, and mark the network as known for 30 days. Shared counters stay.
UPDATE throttle t
SET pending = t.pending - %(attempt_id)s::text,
    failures = CASE WHEN c.is_ended THEN 0 ELSE t.failures END,
    blocked_until = CASE WHEN c.is_ended THEN NULL ELSE t.blocked_until END,
    last_failed_at = CASE WHEN c.scope = 'own_network' THEN %(now)s ELSE t.last_failed_at END,
    known_until = CASE WHEN c.scope = 'own_network' THEN %(now)s + interval '30 days' ELSE t.known_until END
FROM (
    SELECT key, scope, scope IN ('own_network', 'network', 'identity') AS is_ended
    FROM unnest(%(keys)s::bytea[], %(scopes)s::text[]) AS c (key, scope)
) AS c
WHERE t.key = c.key

-- name: cancel
-- Remove the attempt without counting it.
UPDATE throttle SET pending = pending - %(attempt_id)s::text WHERE key = ANY(%(keys)s)
