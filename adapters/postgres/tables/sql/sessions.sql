-- name: find_session
-- The session of a token, if it is active: used in the last 60 minutes, and past neither its own expiry nor that of the
-- person's access.
SELECT session_id, account_id, person_id, assurance, opened_at, last_used_at,
       least(expires_at, access_expires_at) AS expires_at, ip, user_agent,
       EXISTS (SELECT FROM accounts_requiring_second_factor a WHERE a.account_id = sessions.account_id)
           OR EXISTS (SELECT FROM second_factors f WHERE f.person_id = sessions.person_id) AS needs_second_factor
FROM sessions
WHERE token_hash = %(token_hash)s AND expires_at > %(now)s AND (access_expires_at IS NULL OR access_expires_at > %(now)s)
  AND last_used_at > %(now)s - interval '60 minutes'

-- name: record_use
-- Record the last use at most once a minute, so that introspection is mostly a read. It must not wait: the commit waits
-- neither for the disk nor for a standby, and a use of a session that another transaction has locked is not recorded.
WITH setting AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE sessions SET last_used_at = %(now)s FROM setting
WHERE token_hash = (
    SELECT token_hash FROM sessions
    WHERE token_hash = %(token_hash)s AND last_used_at < %(now)s - interval '1 minute'
    FOR NO KEY UPDATE SKIP LOCKED)

-- name: find_sessions_of_person
-- A person's active sessions, newest first.
SELECT session_id, account_id, person_id, assurance, opened_at, last_used_at,
       least(expires_at, access_expires_at) AS expires_at, ip, user_agent,
       EXISTS (SELECT FROM accounts_requiring_second_factor a WHERE a.account_id = sessions.account_id)
           OR EXISTS (SELECT FROM second_factors f WHERE f.person_id = sessions.person_id) AS needs_second_factor
FROM sessions
WHERE person_id = %(person_id)s AND expires_at > %(now)s AND (access_expires_at IS NULL OR access_expires_at > %(now)s)
  AND last_used_at > %(now)s - interval '60 minutes'
ORDER BY opened_at DESC, session_id
