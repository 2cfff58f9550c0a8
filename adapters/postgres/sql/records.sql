-- What the recorder writes together with events, one statement for each class in application/records.py.

-- name: PersonAdded
-- A person's data key, wrapped.
INSERT INTO vault (person_id, account_id, wrapped_key, master_key_id)
VALUES (%(person_id)s, %(account_id)s, %(wrapped_key)s, %(master_key_id)s)

-- name: PersonForgotten
-- Everything encrypted under this key is unreadable from here on; the stored answers keep only that there was one. What
-- views hold in the clear goes at once, their followers may be behind or have stopped.
WITH answers AS (UPDATE kept_answers SET sealed_body = '', fingerprint = '' WHERE person_id = %(person_id)s),
    opened AS (DELETE FROM sessions WHERE person_id = %(person_id)s),
    hold AS (DELETE FROM legal_holds WHERE person_id = %(person_id)s),
    listed AS (DELETE FROM sub_user_view WHERE sub_user_id = %(person_id)s),
    named AS (UPDATE account_view SET email = '[erased]', company_name = '[erased]' WHERE account_id = %(person_id)s)
DELETE FROM vault WHERE person_id = %(person_id)s

-- name: PersonHeld
-- The key alone is kept, and opens what is recorded.
WITH answers AS (UPDATE kept_answers SET sealed_body = '', fingerprint = '' WHERE person_id = %(person_id)s),
    credentials AS (UPDATE vault SET password_hash = NULL, sealed_password = NULL WHERE person_id = %(person_id)s),
    listed AS (DELETE FROM sub_user_view WHERE sub_user_id = %(person_id)s)
INSERT INTO legal_holds (person_id, account_id, due_at, again_at)
VALUES (%(person_id)s, %(account_id)s, %(due_at)s, %(due_at)s)

-- name: PasswordSet
-- Replaces a person's password.
UPDATE vault
SET password_hash = %(password_hash)s, must_change = %(must_change)s, password_expires_at = %(expires_at)s,
    credentials = %(credentials)s, sealed_password = %(sealed_password)s
WHERE person_id = %(person_id)s

-- name: PasswordRehashed
-- The same password under today's parameters, unless it was replaced meanwhile.
UPDATE vault SET password_hash = %(new_hash)s WHERE person_id = %(person_id)s AND password_hash = %(old_hash)s

-- name: TemporaryPasswordExpirySet
-- A temporary password's time starts when its owner is told of it.
UPDATE vault SET password_expires_at = %(expires_at)s WHERE person_id = %(person_id)s AND must_change

-- name: PasswordMailed
-- Forgets the plaintext that a mail carried, unless newer access data was issued meanwhile.
UPDATE vault SET sealed_password = NULL WHERE person_id = %(person_id)s AND credentials = %(credentials)s

-- name: SessionOpened
-- A session; the token itself is nowhere.
INSERT INTO sessions (token_hash, session_id, account_id, person_id, restricted, opened_at, last_used_at, expires_at,
                      access_expires_at, ip, user_agent)
VALUES (%(token_hash)s, %(session_id)s, %(account_id)s, %(person_id)s, %(restricted)s, %(opened_at)s, %(opened_at)s,
        %(expires_at)s, %(access_expires_at)s, %(ip)s, %(user_agent)s)

-- name: SessionClosed
-- Ends one session.
DELETE FROM sessions WHERE session_id = %(session_id)s AND person_id = %(person_id)s

-- name: SessionsClosed
-- Ends every session of a person.
DELETE FROM sessions WHERE person_id = %(person_id)s

-- name: AccountSessionsClosed
-- Ends every session in an account.
DELETE FROM sessions WHERE account_id = %(account_id)s

-- name: SessionsLimited
-- A session ends with its owner's access, at the latest; one that has ended by then stays so, whatever access follows.
WITH ended AS (
    DELETE FROM sessions WHERE person_id = %(person_id)s AND least(access_expires_at, %(access_expires_at)s) <= %(at)s)
UPDATE sessions SET access_expires_at = %(access_expires_at)s
WHERE person_id = %(person_id)s AND NOT coalesce(least(access_expires_at, %(access_expires_at)s) <= %(at)s, false)

-- name: LinkSpent
-- A console link is good no more: whoever uses it at the same moment decides anew, and finds it gone.
DELETE FROM console_links WHERE link_hash = %(link_hash)s

-- name: AccountListed
-- Two accounts with one e-mail violate account_directory_email_key.
INSERT INTO account_directory (email_hash, account_id) VALUES (%(email_hash)s, %(account_id)s)

-- name: AccountUnlisted
-- The account's e-mail is free again.
DELETE FROM account_directory WHERE account_id = %(account_id)s

-- name: AccountPasswordsDropped
-- Nobody will be mailed these any more.
UPDATE vault SET sealed_password = NULL WHERE account_id = %(account_id)s

-- name: AttemptsForgiven
-- Failures in a row end with a success, or with new access data. Rows are locked in the order in which failures are noted.
DELETE FROM throttle WHERE key IN (SELECT key FROM throttle WHERE key = ANY(%(keys)s) ORDER BY key FOR UPDATE)

-- name: AnswerKept
-- Two requests with one key violate kept_answers_key: the later one waits here for the earlier one's end.
INSERT INTO kept_answers (api_key_id, idempotency_key, fingerprint, status, headers, sealed_body, person_id, answered_at)
VALUES (%(api_key_id)s, %(idempotency_key)s, %(fingerprint)s, %(status)s, %(headers)s, %(sealed_body)s, %(person_id)s,
        %(answered_at)s)

-- name: place_answer
-- Where the last of its events came to stand: the last position that this session has drawn, just before.
UPDATE kept_answers SET position = currval('stored_events_notification_id_seq')
WHERE api_key_id = %(api_key_id)s AND idempotency_key = %(idempotency_key)s

-- name: MailSettled
-- A mail that needs no further attempt.
UPDATE mail_queue SET state = %(state)s, settled_at = %(settled_at)s
WHERE account_id = %(account_id)s AND caused_by = %(caused_by)s

-- name: WebhookAdded
-- Two webhooks in one place violate webhooks_slot_key: the later one takes another, or finds that there is none.
INSERT INTO webhooks (webhook_id, account_id, slot, types, signature, master_key_id, sealed_details, position,
                      created_at, due_at)
VALUES (%(webhook_id)s, %(account_id)s, %(slot)s, %(types)s, %(signature)s, %(master_key_id)s, %(sealed_details)s,
        %(position)s, %(created_at)s, %(created_at)s)

-- name: WebhookSecretAdded
-- From now on the newest; none for a webhook that is gone.
WITH former AS (
    UPDATE webhook_secrets SET expires_at = %(former_expire_at)s
    WHERE webhook_id = %(webhook_id)s AND expires_at IS NULL)
INSERT INTO webhook_secrets (webhook_id, master_key_id, sealed_secret, created_at)
SELECT webhook_id, %(master_key_id)s, %(sealed_secret)s, %(created_at)s
FROM webhooks WHERE webhook_id = %(webhook_id)s FOR KEY SHARE

-- name: WebhookTurnedOff
-- Whoever sends to it at this moment finds the claim gone.
UPDATE webhooks
SET version = %(version)s, disabled_at = %(at)s, disabled_why = %(why)s, claim_id = NULL, claimed_until = NULL
WHERE webhook_id = %(webhook_id)s

-- name: WebhookTurnedOn
-- As new, after that position.
UPDATE webhooks
SET version = %(version)s, disabled_at = NULL, disabled_why = NULL, position = %(position)s, failures = 0,
    due_at = %(at)s, claim_id = NULL, claimed_until = NULL
WHERE webhook_id = %(webhook_id)s

-- name: WebhookReplayed
-- As new, after that position; whoever sends to it at this moment finds the claim gone.
UPDATE webhooks
SET position = %(position)s, failures = 0, due_at = %(at)s, claim_id = NULL, claimed_until = NULL
WHERE webhook_id = %(webhook_id)s

-- name: WebhookRemoved
-- With its secrets and its log.
DELETE FROM webhooks WHERE webhook_id = %(webhook_id)s

-- name: AccountWebhooksRemoved
-- With their secrets and their logs.
DELETE FROM webhooks WHERE account_id = %(account_id)s
