-- name: find_ahead
-- A key that has not been revoked; beside it an account's events after a version, a column an array, and a row for each
-- of an account's owner and a sub-user whom the vault knows, one at least. Not too many events: if there are more, what is
-- decided without them is refused. And with a range that has two ends PostgreSQL takes it that few rows are in it, and
-- keeps its plan; with one end it takes a third, and plans anew each time, which takes longer than all the rest.
SELECT k.api_key_id, k.name, k.scope, e.versions, e.topics, e.states,
       v.person_id, v.account_id, v.master_key_id, v.wrapped_key, v.password_hash, v.must_change, v.password_expires_at,
       v.credentials, v.sealed_password
FROM api_keys k
LEFT JOIN vault v ON v.person_id IN (%(account_id)s, %(sub_user_id)s)
CROSS JOIN (
    SELECT array_agg(originator_version) AS versions, array_agg(topic) AS topics, array_agg(state) AS states
    FROM (SELECT originator_version, topic, state FROM stored_events
          WHERE originator_id = %(account_id)s
            AND originator_version > %(version)s AND originator_version <= %(version)s::bigint + 200
          ORDER BY originator_version) AS newer
) AS e
WHERE k.key_hash = %(key_hash)s AND k.revoked_at IS NULL

-- name: find_attempt
-- An API key that has not been revoked, if there is one; for how many seconds whoever tries must still wait, whether others
-- failed in a row before, and the account registered with an e-mail; beside it an account's events after a version, and
-- what the vault has of a sub-user: of those whom this is guessed to be about. The keys are told apart: of an array
-- PostgreSQL does not know how long it is, and plans anew.
SELECT k.api_key_id, k.name, k.scope, a.seconds, a.failed, a.account_id, e.versions, e.topics, e.states,
       v.person_id, v.account_id, v.master_key_id, v.wrapped_key, v.password_hash, v.must_change, v.password_expires_at,
       v.credentials, v.sealed_password
FROM (
    SELECT coalesce(extract(epoch FROM max(blocked_until) FILTER (
               WHERE key <> %(counted)s AND blocked_until > %(now)s) - %(now)s), 0)::float8 AS seconds,
           coalesce(bool_or(key <> %(per_minute)s), false) AS failed,
           (SELECT account_id FROM account_directory WHERE email_hash = %(email_hash)s) AS account_id
    FROM throttle
    WHERE key IN (%(delayed)s, %(counted)s, %(per_minute)s)
) AS a
CROSS JOIN (
    SELECT array_agg(originator_version) AS versions, array_agg(topic) AS topics, array_agg(state) AS states
    FROM (SELECT originator_version, topic, state FROM stored_events
          WHERE originator_id = %(guessed_account_id)s
            AND originator_version > %(version)s AND originator_version <= %(version)s::bigint + 200
          ORDER BY originator_version) AS newer
) AS e
LEFT JOIN vault v ON v.person_id = %(sub_user_id)s
LEFT JOIN api_keys k ON k.key_hash = %(key_hash)s AND k.revoked_at IS NULL
