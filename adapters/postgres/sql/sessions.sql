-- name: find_session
-- The session of a token, if it is good at that moment: idle for no more than 60 minutes, and past neither its own end
-- nor that of its owner's access.
SELECT session_id, account_id, person_id, restricted, opened_at, last_used_at,
       least(expires_at, access_expires_at) AS expires_at, ip, user_agent
FROM sessions
WHERE token_hash = %(token_hash)s AND expires_at > %(now)s AND (access_expires_at IS NULL OR access_expires_at > %(now)s)
  AND last_used_at > %(now)s - interval '60 minutes'

-- name: find_key_and_session
-- A key that has not been revoked, and beside it the session of a token, if it is good at that moment, in one read.
SELECT k.api_key_id, k.name, k.scope,
       s.session_id, s.account_id, s.person_id, s.restricted, s.opened_at, s.last_used_at,
       least(s.expires_at, s.access_expires_at) AS expires_at, s.ip, s.user_agent
FROM api_keys k
LEFT JOIN sessions s
  ON s.token_hash = %(token_hash)s AND s.expires_at > %(now)s
  AND (s.access_expires_at IS NULL OR s.access_expires_at > %(now)s)
  AND s.last_used_at > %(now)s - interval '60 minutes'
WHERE k.key_hash = %(key_hash)s AND k.revoked_at IS NULL

-- name: note_use
-- At most once a minute, so that asking stays a read.
UPDATE sessions SET last_used_at = %(now)s
WHERE token_hash = %(token_hash)s AND last_used_at < %(now)s - interval '1 minute'

-- name: find_sessions_of_person
-- A person's good sessions, newest first.
SELECT session_id, account_id, person_id, restricted, opened_at, last_used_at,
       least(expires_at, access_expires_at) AS expires_at, ip, user_agent
FROM sessions
WHERE person_id = %(person_id)s AND expires_at > %(now)s AND (access_expires_at IS NULL OR access_expires_at > %(now)s)
  AND last_used_at > %(now)s - interval '60 minutes'
ORDER BY opened_at DESC, session_id
