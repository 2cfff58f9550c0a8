-- Transactional writes: one statement per class in application/transactional_writes/, executed together with the events.

-- name: StoreDataKey
-- Insert a person's wrapped data key.
INSERT INTO vault (person_id, account_id, wrapped_key, master_key_id)
VALUES (%(person_id)s, %(account_id)s, %(wrapped_key)s, %(master_key_id)s)

-- name: EraseDataKey
-- Delete a person's data key: everything encrypted with it becomes unreadable. Stored responses keep only the fact that
-- they existed. Plaintext in read models is deleted in the same transaction, because projections can lag or be stopped.
WITH responses AS (UPDATE kept_answers SET sealed_body = '', fingerprint = '' WHERE person_id = %(person_id)s),
    deleted_sessions AS (DELETE FROM sessions WHERE person_id = %(person_id)s),
    deleted_factors AS (DELETE FROM second_factors WHERE person_id = %(person_id)s),
    deleted_codes AS (DELETE FROM recovery_codes WHERE person_id = %(person_id)s),
    deleted_challenges AS (DELETE FROM sign_in_challenges WHERE person_id = %(person_id)s),
    deleted_devices AS (DELETE FROM devices WHERE person_id = %(person_id)s),
    deleted_hold AS (DELETE FROM legal_holds WHERE person_id = %(person_id)s),
    deleted_links AS (DELETE FROM mailed_links WHERE person_id = %(person_id)s),
    deleted_rows AS (DELETE FROM sub_user_view WHERE sub_user_id = %(person_id)s),
    erased_names AS (
        UPDATE account_view SET email = '[erased]', company_name = '[erased]', external_id = NULL, pending_email = NULL
        WHERE account_id = %(person_id)s)
DELETE FROM vault WHERE person_id = %(person_id)s

-- name: PlaceLegalHold
-- Keep only the data key, which decrypts the person's events. Passwords, devices, stored responses and read model rows
-- are erased.
WITH responses AS (UPDATE kept_answers SET sealed_body = '', fingerprint = '' WHERE person_id = %(person_id)s),
    credentials AS (UPDATE vault SET password_hash = NULL, sealed_password = NULL WHERE person_id = %(person_id)s),
    deleted_devices AS (DELETE FROM devices WHERE person_id = %(person_id)s),
    deleted_rows AS (DELETE FROM sub_user_view WHERE sub_user_id = %(person_id)s)
INSERT INTO legal_holds (person_id, account_id, due_at, again_at, sealed_name, sealed_surname)
VALUES (%(person_id)s, %(account_id)s, %(due_at)s, %(due_at)s, %(encrypted_name)s, %(encrypted_surname)s)

-- name: StorePassword
-- Replace a person's password.
UPDATE vault
SET password_hash = %(password_hash)s, must_change = %(must_change)s, password_expires_at = %(expires_at)s,
    credentials = %(credentials_version)s, sealed_password = %(encrypted_password)s
WHERE person_id = %(person_id)s

-- name: ReplacePasswordHash
-- Rehash the same password with the current parameters, unless the password was replaced in the meantime.
UPDATE vault SET password_hash = %(new_hash)s WHERE person_id = %(person_id)s AND password_hash = %(old_hash)s

-- name: SetTemporaryPasswordExpiry
-- Set the expiry of a person's password, if it is temporary.
UPDATE vault SET password_expires_at = %(expires_at)s WHERE person_id = %(person_id)s AND must_change

-- name: ForgetMailedPassword
-- Delete the plaintext of a mailed password, unless newer credentials were issued in the meantime.
UPDATE vault SET sealed_password = NULL WHERE person_id = %(person_id)s AND credentials = %(credentials_version)s

-- name: OpenSession
-- Insert a session. Only the hash of its token is stored.
INSERT INTO sessions (token_hash, session_id, account_id, person_id, assurance, opened_at, last_used_at, expires_at,
                      access_expires_at, ip, user_agent)
VALUES (%(token_hash)s, %(session_id)s, %(account_id)s, %(person_id)s, %(assurance)s, %(opened_at)s, %(opened_at)s,
        %(expires_at)s, %(access_expires_at)s, %(ip)s, %(user_agent)s)

-- name: CloseSession
-- End a session.
DELETE FROM sessions WHERE session_id = %(session_id)s AND person_id = %(person_id)s

-- name: ClosePersonSessions
-- End all sessions of a person.
DELETE FROM sessions WHERE person_id = %(person_id)s

-- name: CloseAccountSessions
-- End all sessions of an account.
DELETE FROM sessions WHERE account_id = %(account_id)s

-- name: LimitSessions
-- Set the access expiry of a person's sessions. A session that has expired by the old or the new expiry is deleted, so
-- that a later expiry cannot revive it.
WITH ended AS (
    DELETE FROM sessions WHERE person_id = %(person_id)s AND least(access_expires_at, %(access_expires_at)s) <= %(at)s)
UPDATE sessions SET access_expires_at = %(access_expires_at)s
WHERE person_id = %(person_id)s AND NOT coalesce(least(access_expires_at, %(access_expires_at)s) <= %(at)s, false)

-- name: RememberDevice
-- Insert a device, or set its last use.
INSERT INTO devices (person_id, device_hash, first_used_at, last_used_at)
VALUES (%(person_id)s, %(device_hash)s, %(at)s, %(at)s)
ON CONFLICT (person_id, device_hash) DO UPDATE SET last_used_at = greatest(devices.last_used_at, excluded.last_used_at)

-- name: DeleteConsoleLink
-- Delete a used console link. A concurrent request that uses the same link is decided again and no longer finds it.
DELETE FROM console_links WHERE link_hash = %(link_hash)s

-- name: StoreLink
-- Insert or replace a person's link for a purpose. Links that undo changes of the e-mail are all kept. Only the hash of a
-- secret stays after it was mailed. A concurrent link of the same event violates mailed_links_event_idx.
INSERT INTO mailed_links (link_hash, purpose, account_id, person_id, caused_by, expires_at, encrypted_secret)
VALUES (%(link_hash)s, %(purpose)s, %(account_id)s, %(person_id)s, %(caused_by)s, %(expires_at)s, %(encrypted_secret)s)
ON CONFLICT (person_id, purpose) WHERE purpose <> 'email_undo' DO UPDATE
SET link_hash = excluded.link_hash, caused_by = excluded.caused_by, expires_at = excluded.expires_at,
    encrypted_secret = excluded.encrypted_secret

-- name: DeleteLinks
-- Delete a person's links for some purposes. A concurrent request that uses one is decided again and no longer finds it.
DELETE FROM mailed_links WHERE person_id = %(person_id)s AND purpose = ANY(%(purposes)s::text[])

-- name: ForgetMailedSecret
-- Delete the secret of a link whose mail was sent or abandoned.
UPDATE mailed_links SET encrypted_secret = NULL WHERE account_id = %(account_id)s AND caused_by = %(caused_by)s

-- name: LockAccountInDirectory
-- Lock an account's row. A statement after the lock sees the rows that a concurrent transaction has put in its place. It is
-- an update, because only the statement that appends events may return rows.
UPDATE account_directory SET email_hash = email_hash WHERE account_id = %(account_id)s AND kept_until IS NULL

-- name: AddAccountToDirectory
-- Register an account's e-mail and external id. A second account with the same e-mail violates
-- account_directory_email_key, one with the same external id account_directory_external_id_key.
INSERT INTO account_directory (email_hash, account_id, external_id_hash)
VALUES (%(email_hash)s, %(account_id)s, %(external_id_hash)s)

-- name: AddFormerEmail
-- Keep a former e-mail of an account in the directory.
INSERT INTO account_directory (email_hash, account_id, kept_until)
VALUES (%(email_hash)s, %(account_id)s, %(kept_until)s)

-- name: ReleaseFormerEmail
-- Remove a former e-mail that does not work any more.
DELETE FROM account_directory WHERE email_hash = %(email_hash)s AND kept_until <= %(at)s

-- name: SetAccountExternalId
-- Set or remove an account's external id.
UPDATE account_directory SET external_id_hash = %(external_id_hash)s
WHERE account_id = %(account_id)s AND kept_until IS NULL

-- name: RemoveAccountFromDirectory
-- Release an account's e-mail, and its former ones.
DELETE FROM account_directory WHERE account_id = %(account_id)s

-- name: ForgetAccountPasswords
-- Delete the plaintext of all passwords of an account that wait to be mailed.
UPDATE vault SET sealed_password = NULL WHERE account_id = %(account_id)s

-- name: ResetFailedAttempts
-- Reset a person's failed attempts. Serialized with the person's attempts by the same advisory lock (throttle.sql).
WITH serialized AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(723985, hashtext(encode(%(identity)s::bytea, 'hex')))
), reset AS (
    UPDATE throttle SET failures = 0, blocked_until = NULL
    FROM serialized WHERE identity = %(identity)s AND key <> %(identity)s)
INSERT INTO throttle (key, identity, failures, last_failed_at, is_exempt)
SELECT %(identity)s, %(identity)s, 0, %(at)s, coalesce(%(is_exempt)s::boolean, false) FROM serialized
ON CONFLICT (key) DO UPDATE
SET failures = 0, blocked_until = NULL, is_exempt = coalesce(%(is_exempt)s::boolean, throttle.is_exempt)

-- name: MoveAttemptExemption
-- Delete the failed attempts with a person's former e-mail, and keep the exemption of their credentials with the new one.
-- Serialized with the attempts with both e-mails by the same advisory locks (throttle.sql).
WITH serialized AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(723985, lock_id)
    FROM (
        SELECT hashtext(encode(i.identity, 'hex')) AS lock_id
        FROM unnest(ARRAY[%(former_identity)s, %(identity)s]::bytea[]) AS i (identity)
        ORDER BY lock_id
    ) AS locks
), locked AS MATERIALIZED (
    SELECT count(*) FROM serialized
), former AS (
    DELETE FROM throttle USING locked
    WHERE identity = %(former_identity)s OR key = %(former_identity)s
    RETURNING key, is_exempt)
INSERT INTO throttle (key, identity, failures, last_failed_at, is_exempt)
SELECT %(identity)s, %(identity)s, 0, %(at)s,
       coalesce(bool_or(is_exempt) FILTER (WHERE key = %(former_identity)s), false)
FROM former
ON CONFLICT (key) DO UPDATE SET is_exempt = excluded.is_exempt

-- name: ForgetFailedAttempts
-- Delete a person's failed attempts. Serialized with the person's attempts by the same advisory lock (throttle.sql).
WITH serialized AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(723985, hashtext(encode(%(identity)s::bytea, 'hex'))))
DELETE FROM throttle USING serialized WHERE identity = %(identity)s OR key = %(identity)s

-- name: StoreIdempotentResponse
-- Store the response for an idempotency key. A second request with the same key waits for the end of the first one's
-- transaction, then violates kept_answers_key.
INSERT INTO kept_answers (api_key_id, idempotency_key, fingerprint, status, headers, sealed_body, person_id, answered_at)
VALUES (%(api_key_id)s, %(idempotency_key)s, %(fingerprint)s, %(status)s, %(headers)s, %(encrypted_body)s, %(person_id)s,
        %(answered_at)s)

-- name: set_response_position
-- Set a stored response's position to that of its last event: the last value that this database session has drawn.
UPDATE kept_answers SET position = currval('stored_events_notification_id_seq')
WHERE api_key_id = %(api_key_id)s AND idempotency_key = %(idempotency_key)s

-- name: FinishMail
-- Mark a mail as needing no further attempt.
UPDATE mail_queue SET state = %(state)s, settled_at = %(finished_at)s
WHERE account_id = %(account_id)s AND caused_by = %(caused_by)s

-- name: RequireOpenAccount
-- Violate open_account if the account is closed. A transaction that closes it waits for the end of this one.
SELECT FROM require_open_account(%(account_id)s)

-- name: AddWebhook
-- Insert a webhook. A concurrent webhook in the same slot violates webhooks_slot_key; its command is decided again and
-- takes another slot, or is refused if none is free.
INSERT INTO webhooks (webhook_id, account_id, api_key_id, slot, types, signature, master_key_id, sealed_details,
                      position, created_at, due_at)
VALUES (%(webhook_id)s, %(account_id)s, %(api_key_id)s, %(slot)s, %(types)s, %(signature)s, %(master_key_id)s,
        %(encrypted_details)s, %(position)s, %(created_at)s, %(created_at)s)

-- name: AddWebhookSecret
-- Insert the newest secret, and let the previous one expire. Inserts nothing if the webhook was deleted.
WITH previous AS (
    UPDATE webhook_secrets SET expires_at = %(former_expire_at)s
    WHERE webhook_id = %(webhook_id)s AND expires_at IS NULL)
INSERT INTO webhook_secrets (webhook_id, master_key_id, sealed_secret, created_at)
SELECT webhook_id, %(master_key_id)s, %(encrypted_secret)s, %(created_at)s
FROM webhooks WHERE webhook_id = %(webhook_id)s FOR KEY SHARE

-- name: DisableWebhook
-- Disable a webhook. A worker that is delivering to it loses its claim.
UPDATE webhooks
SET version = %(version)s, disabled_at = %(at)s, disabled_why = %(why)s, claim_id = NULL, claimed_until = NULL
WHERE webhook_id = %(webhook_id)s

-- name: EnableWebhook
-- Enable a webhook from a position on, without failures.
UPDATE webhooks
SET version = %(version)s, disabled_at = NULL, disabled_why = NULL, position = %(position)s, failures = 0,
    due_at = %(at)s, claim_id = NULL, claimed_until = NULL
WHERE webhook_id = %(webhook_id)s

-- name: SetWebhookVersion
-- Record the version of a webhook event that changes nothing else in the row.
UPDATE webhooks SET version = %(version)s WHERE webhook_id = %(webhook_id)s

-- name: AssignWebhook
-- Assign a webhook to an API key. It is disabled when the key ends.
UPDATE webhooks SET version = %(version)s, api_key_id = %(api_key_id)s WHERE webhook_id = %(webhook_id)s

-- name: AddApiKey
-- Insert an API key. Only its hash is stored; the key itself is shown once.
INSERT INTO api_keys (api_key_id, name, scope, key_hash, created_at, version, expires_at, allowed_addresses, accounts)
VALUES (%(api_key_id)s, %(name)s, %(scope)s, %(key_hash)s, %(created_at)s, %(version)s, %(expires_at)s,
        %(allowed_addresses)s::cidr[], %(accounts)s::uuid[])

-- name: SetApiKeyLimits
-- Replace all limits of an API key.
UPDATE api_keys
SET version = %(version)s, expires_at = %(expires_at)s, allowed_addresses = %(allowed_addresses)s::cidr[],
    accounts = %(accounts)s::uuid[]
WHERE api_key_id = %(api_key_id)s

-- name: RecordApiKeyUse
-- Record the first use of an API key.
UPDATE api_keys SET version = %(version)s, last_used_at = %(at)s WHERE api_key_id = %(api_key_id)s

-- name: RevokeApiKey
-- Revoke an API key.
UPDATE api_keys SET version = %(version)s, revoked_at = %(at)s WHERE api_key_id = %(api_key_id)s

-- name: RequireActiveApiKey
-- Violate good_api_key if the key has been revoked or has expired.
SELECT FROM require_good_api_key(%(api_key_id)s, %(at)s)

-- name: RequireNoActiveWebhook
-- Violate no_active_webhook if the key has an active webhook that was added after the decision.
SELECT FROM require_no_active_webhook(%(api_key_id)s)

-- name: ReplayWebhook
-- Restart a webhook from a position on, without failures. A worker that is delivering to it loses its claim.
UPDATE webhooks
SET version = %(version)s, position = %(position)s, failures = 0, due_at = %(at)s, claim_id = NULL, claimed_until = NULL
WHERE webhook_id = %(webhook_id)s

-- name: RemoveWebhook
-- Delete a webhook with its secrets and delivery log.
DELETE FROM webhooks WHERE webhook_id = %(webhook_id)s

-- name: RemoveAccountWebhooks
-- Delete all webhooks of an account with their secrets and delivery logs.
DELETE FROM webhooks WHERE account_id = %(account_id)s

-- name: AddRole
-- Insert a role.
INSERT INTO account_roles (role_id, account_id, permissions)
VALUES (%(role_id)s, %(account_id)s, %(permissions)s::text[])

-- name: SetRolePermissions
-- Replace the permissions of a role.
UPDATE account_roles SET permissions = %(permissions)s::text[] WHERE role_id = %(role_id)s

-- name: RemoveRole
-- Delete a role.
DELETE FROM account_roles WHERE role_id = %(role_id)s

-- name: RemoveRolesOfAccount
-- Delete all roles of an account.
DELETE FROM account_roles WHERE account_id = %(account_id)s

-- name: AddGrant
-- Insert a grant.
INSERT INTO role_grants (grant_id, account_id, sub_user_id, role_id, resource_type, resource_id, expires_at, granted_at,
                         version, encrypted_label, encrypted_reason)
VALUES (%(grant_id)s, %(account_id)s, %(sub_user_id)s, %(role_id)s, %(resource_type)s, %(resource_id)s, %(expires_at)s,
        %(granted_at)s, %(version)s, %(encrypted_label)s, %(encrypted_reason)s)

-- name: RemoveGrant
-- Delete a grant.
DELETE FROM role_grants WHERE grant_id = %(grant_id)s

-- name: RemoveGrantsOfSubUser
-- Delete all grants of a sub-user. A command that revokes several grants locks them in the same order (list_grants).
DELETE FROM role_grants WHERE grant_id IN (
    SELECT grant_id FROM role_grants WHERE sub_user_id = %(sub_user_id)s ORDER BY version, grant_id FOR UPDATE)

-- name: LockPermissionCatalogue
-- Lock the permission catalogue until the transaction ends.
SELECT FROM lock_permission_catalogue(%(exclusive)s)

-- name: RequireCatalogueRevision
-- Violate catalogue_revision if the locked permission catalogue has changed.
SELECT FROM require_catalogue_revision(%(catalogue_id)s, %(revision)s)

-- name: RequireUnusedPermissions
-- Violate unused_permissions if a role has one of these permissions.
SELECT FROM require_unused_permissions(%(permissions)s::text[])

-- name: AddSecondFactor
-- Insert a second factor. A concurrent one with the same credential violates second_factors_credential_key; its command
-- is decided again, and refused.
INSERT INTO second_factors (factor_id, account_id, person_id, kind, created_at, encrypted_name, encrypted_secret,
                            last_step, credential_id, public_key, sign_count, transports, is_verifying)
VALUES (%(factor_id)s, %(account_id)s, %(person_id)s, %(kind)s, %(created_at)s, %(encrypted_name)s,
        %(encrypted_secret)s, %(last_step)s, %(credential_id)s, %(public_key)s, %(sign_count)s,
        %(transports)s::text[], %(is_verifying)s)

-- name: RecordSecondFactorUse
-- Record the use of a second factor: the time step or the sign count, whichever it has.
UPDATE second_factors
SET last_used_at = %(at)s, last_step = coalesce(%(last_step)s, last_step),
    sign_count = coalesce(%(sign_count)s, sign_count)
WHERE factor_id = %(factor_id)s

-- name: RemoveSecondFactor
-- Delete a second factor.
DELETE FROM second_factors WHERE factor_id = %(factor_id)s

-- name: RemoveSecondFactorsOfPerson
-- Delete all second factors, recovery codes and challenges of a person.
WITH codes AS (DELETE FROM recovery_codes WHERE person_id = %(person_id)s),
    challenges AS (DELETE FROM sign_in_challenges WHERE person_id = %(person_id)s)
DELETE FROM second_factors WHERE person_id = %(person_id)s

-- name: ReplaceRecoveryCodes
-- Replace the recovery codes of a person. New codes are random, so none equals a former one.
WITH former AS (DELETE FROM recovery_codes WHERE person_id = %(person_id)s)
INSERT INTO recovery_codes (person_id, code_hash) SELECT %(person_id)s, unnest(%(hashes)s::bytea[])

-- name: DeleteRecoveryCode
-- Delete a used recovery code.
DELETE FROM recovery_codes WHERE person_id = %(person_id)s AND code_hash = %(code_hash)s

-- name: DeleteChallenge
-- Delete a used challenge. A concurrent request that uses the same one is decided again and no longer finds it.
DELETE FROM sign_in_challenges WHERE challenge_id = %(challenge_id)s

-- name: RequireSecondFactor
-- Add an account to those whose policy requires a second factor, or remove it.
WITH removed AS (
    DELETE FROM accounts_requiring_second_factor WHERE account_id = %(account_id)s AND NOT %(is_required)s)
INSERT INTO accounts_requiring_second_factor (account_id) SELECT %(account_id)s WHERE %(is_required)s
ON CONFLICT (account_id) DO NOTHING
