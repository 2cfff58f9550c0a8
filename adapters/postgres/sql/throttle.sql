-- name: longest_block
-- For how many seconds the longest-blocked of these keys must still wait.
SELECT coalesce(extract(epoch FROM max(blocked_until) - %(now)s), 0)::float8 AS seconds
FROM throttle
WHERE key = ANY(%(keys)s) AND blocked_until > %(now)s

-- name: count_failures
-- How many failures in a row there were under a key.
SELECT failures FROM throttle WHERE key = %(key)s

-- name: note_delayed_failure
-- From the 5th failure in a row on, a wait that doubles from one second to 15 minutes.
INSERT INTO throttle (key, failures, last_failed_at) VALUES (%(key)s, 1, %(now)s)
ON CONFLICT (key) DO UPDATE
SET failures = throttle.failures + 1, last_failed_at = %(now)s,
    blocked_until = CASE WHEN throttle.failures + 1 >= 5
        THEN %(now)s + least(power(2, least(throttle.failures - 4, 10)), 900) * interval '1 second' END

-- name: note_failure_per_minute
-- The 30th failure within a minute blocks until that minute is over.
INSERT INTO throttle (key, failures, last_failed_at) VALUES (%(key)s, 1, %(now)s)
ON CONFLICT (key) DO UPDATE
SET failures = CASE WHEN throttle.last_failed_at <= %(now)s - interval '1 minute' THEN 1 ELSE throttle.failures + 1 END,
    last_failed_at = CASE WHEN throttle.last_failed_at <= %(now)s - interval '1 minute' THEN %(now)s
        ELSE throttle.last_failed_at END,
    blocked_until = CASE WHEN throttle.last_failed_at > %(now)s - interval '1 minute' AND throttle.failures + 1 >= 30
        THEN throttle.last_failed_at + interval '1 minute' END

-- name: note_counted_failure
-- Failures in a row, whoever and wherever they came from.
INSERT INTO throttle (key, failures, last_failed_at) VALUES (%(key)s, 1, %(now)s)
ON CONFLICT (key) DO UPDATE SET failures = throttle.failures + 1, last_failed_at = %(now)s
RETURNING failures
