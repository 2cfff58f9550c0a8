-- How the tables account_view and sub_user_view follow events.

-- name: add_account
-- A main account was registered.
INSERT INTO account_view (account_id, version, email, company_name, language, sub_user_limit, created_at)
VALUES (%(account_id)s, %(version)s, %(email)s, %(company_name)s, %(language)s, %(sub_user_limit)s, %(created_at)s)

-- name: set_version
-- How far this account's stream is in the view: what a read compares.
UPDATE account_view SET version = %(version)s WHERE account_id = %(account_id)s

-- name: change_account
-- Null means unchanged.
UPDATE account_view
SET email = coalesce(%(email)s, email), company_name = coalesce(%(company_name)s, company_name),
    language = coalesce(%(language)s, language)
WHERE account_id = %(account_id)s

-- name: close_account
-- Closed for good.
UPDATE account_view SET closed_at = %(closed_at)s WHERE account_id = %(account_id)s

-- name: raise_limit
-- Support allowed more sub-users.
UPDATE account_view SET sub_user_limit = %(sub_user_limit)s WHERE account_id = %(account_id)s

-- name: add_sub_user
-- A sub-user was created, inactive.
INSERT INTO sub_user_view (sub_user_id, account_id, email, name, surname, visible, created_at, access_expires_at)
VALUES (%(sub_user_id)s, %(account_id)s, %(email)s, %(name)s, %(surname)s, %(visible)s, %(created_at)s,
        %(access_expires_at)s)

-- name: change_names
-- Null means unchanged.
UPDATE sub_user_view
SET name = coalesce(%(name)s, name), surname = coalesce(%(surname)s, surname), revision = revision + 1
WHERE sub_user_id = %(sub_user_id)s

-- name: set_visible
-- Hidden, or shown again.
UPDATE sub_user_view SET visible = %(visible)s, revision = revision + 1 WHERE sub_user_id = %(sub_user_id)s

-- name: set_access_expiry
-- Null means no end.
UPDATE sub_user_view SET access_expires_at = %(access_expires_at)s, revision = revision + 1
WHERE sub_user_id = %(sub_user_id)s

-- name: activate
-- Access data goes out with every activation, so a password of one's own is needed again.
UPDATE sub_user_view SET active = true, must_change_password = true, revision = revision + 1
WHERE sub_user_id = %(sub_user_id)s

-- name: deactivate
-- No access for now, and a mail that has not gone out does not.
UPDATE sub_user_view
SET active = false, revision = revision + 1,
    credentials_mail = CASE WHEN credentials_mail = 'pending' THEN 'none' ELSE credentials_mail END
WHERE sub_user_id = %(sub_user_id)s

-- name: reset_password
-- A temporary password replaced theirs.
UPDATE sub_user_view SET must_change_password = true, revision = revision + 1 WHERE sub_user_id = %(sub_user_id)s

-- name: change_password
-- They have a password of their own; a mail with an earlier one that has not gone out does not.
UPDATE sub_user_view
SET must_change_password = false, revision = revision + 1,
    credentials_mail = CASE WHEN credentials_mail = 'pending' THEN 'none' ELSE credentials_mail END
WHERE sub_user_id = %(sub_user_id)s

-- name: expect_mail
-- A mail with access data is on its way.
UPDATE sub_user_view SET credentials_mail = 'pending', mail_version = %(mail_version)s WHERE sub_user_id = %(sub_user_id)s

-- name: settle_mail
-- What came of the last mail with access data; an earlier one's outcome, or another kind's, changes nothing.
UPDATE sub_user_view SET credentials_mail = %(state)s
WHERE sub_user_id = %(sub_user_id)s AND mail_version = %(mail_version)s

-- name: log_in
-- Their last login.
UPDATE sub_user_view SET last_login_at = %(last_login_at)s WHERE sub_user_id = %(sub_user_id)s

-- name: lock
-- Locked after too many failed logins.
UPDATE sub_user_view SET locked = true WHERE sub_user_id = %(sub_user_id)s

-- name: unlock
-- New access data lifted the lock.
UPDATE sub_user_view SET locked = false WHERE sub_user_id = %(sub_user_id)s

-- name: remove_sub_user
-- Gone from lists for good.
DELETE FROM sub_user_view WHERE sub_user_id = %(sub_user_id)s
