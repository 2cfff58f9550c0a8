-- name: find_factors
-- A person's second factors, oldest first.
SELECT factor_id, account_id, person_id, kind, created_at, last_used_at, encrypted_name, encrypted_secret, last_step,
       credential_id, public_key, sign_count, transports, is_verifying
FROM second_factors WHERE person_id = %(person_id)s
ORDER BY created_at, factor_id

-- name: find_passkey
-- The passkey with a credential id.
SELECT factor_id, account_id, person_id, kind, created_at, last_used_at, encrypted_name, encrypted_secret, last_step,
       credential_id, public_key, sign_count, transports, is_verifying
FROM second_factors WHERE credential_id = %(credential_id)s

-- name: find_recovery_codes
-- The hashes of a person's unused recovery codes.
SELECT code_hash FROM recovery_codes WHERE person_id = %(person_id)s

-- name: add_challenge
-- Insert a challenge.
INSERT INTO sign_in_challenges (challenge_id, purpose, person_id, expires_at, encrypted_secret, challenge)
VALUES (%(challenge_id)s, %(purpose)s, %(person_id)s, %(expires_at)s, %(secret)s, %(challenge)s)

-- name: find_challenge
-- A challenge that has not expired. Used ones are deleted.
SELECT challenge_id, purpose, person_id, expires_at, encrypted_secret, challenge
FROM sign_in_challenges WHERE challenge_id = %(challenge_id)s AND expires_at > %(now)s
