-- Statements by which a projection like the sub-user list and the audit log applies one event at a time, in its own
-- tables.

-- name: tables
-- Copies of the views' tables, with their rows, but without audit rows.
DROP SCHEMA IF EXISTS peer CASCADE;
CREATE SCHEMA peer;
CREATE TABLE peer.account_view (LIKE account_view INCLUDING ALL);
CREATE TABLE peer.sub_user_view (LIKE sub_user_view INCLUDING ALL EXCLUDING GENERATED);
CREATE TABLE peer.audit_view (LIKE audit_view INCLUDING ALL);
CREATE TABLE peer.audit_counts (LIKE audit_counts INCLUDING ALL);
CREATE TABLE peer.audit_day_counts (LIKE audit_day_counts INCLUDING ALL);
INSERT INTO peer.account_view SELECT * FROM account_view;
INSERT INTO peer.sub_user_view SELECT * FROM sub_user_view

-- name: begin_after
-- Begin after this position, before which all sub-users are created.
INSERT INTO everything_tracking (application_name, notification_id) VALUES ('stored', %(position)s)
ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id

-- name: position
-- The position reached.
SELECT notification_id FROM everything_tracking WHERE application_name = 'stored'

-- name: add_row
-- The index entry of an event.
INSERT INTO peer.audit_view (position, account_id, action, sub_user_id, occurred_at, actor_type, actor_id)
VALUES (%(position)s, %(account_id)s, %(action)s, %(sub_user_id)s, %(occurred_at)s, %(actor_type)s, %(actor_id)s)

-- name: add_to_quarter
-- Count a login or an activity, for the sub-user and for the account.
INSERT INTO peer.audit_counts AS c (account_id, person_id, quarter, logins, activities)
VALUES (%(account_id)s, %(sub_user_id)s, %(quarter)s, %(logins)s, %(activities)s),
       (%(account_id)s, %(account_id)s, %(quarter)s, %(logins)s, %(activities)s)
ON CONFLICT (account_id, person_id, quarter)
DO UPDATE SET logins = c.logins + excluded.logins, activities = c.activities + excluded.activities

-- name: add_to_day
-- The same per day.
INSERT INTO peer.audit_day_counts AS c (account_id, sub_user_id, day, logins, activities)
VALUES (%(account_id)s, %(sub_user_id)s, %(day)s, %(logins)s, %(activities)s)
ON CONFLICT (account_id, day, sub_user_id)
DO UPDATE SET logins = c.logins + excluded.logins, activities = c.activities + excluded.activities

-- name: set_version
-- The version of the account's stream in the view.
UPDATE peer.account_view SET version = %(version)s WHERE account_id = %(account_id)s

-- name: log_in
-- The last login of a sub-user.
UPDATE peer.sub_user_view SET last_login_at = %(at)s WHERE sub_user_id = %(sub_user_id)s

-- name: set_visible
-- The visibility of a sub-user.
UPDATE peer.sub_user_view SET visible = %(visible)s, revision = revision + 1 WHERE sub_user_id = %(sub_user_id)s

-- name: change_names
-- The name of a sub-user.
UPDATE peer.sub_user_view SET name = %(name)s, surname = %(surname)s, revision = revision + 1
WHERE sub_user_id = %(sub_user_id)s
