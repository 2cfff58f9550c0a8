-- What a view like the list of sub-users and the audit log does with one event at a time, in tables of its own.

-- name: tables
-- Like the views' own, with what is in them, and no audit row yet.
DROP SCHEMA IF EXISTS peer CASCADE;
CREATE SCHEMA peer;
CREATE TABLE peer.account_view (LIKE account_view INCLUDING ALL);
CREATE TABLE peer.sub_user_view (LIKE sub_user_view INCLUDING ALL);
CREATE TABLE peer.audit_view (LIKE audit_view INCLUDING ALL);
CREATE TABLE peer.audit_counts (LIKE audit_counts INCLUDING ALL);
CREATE TABLE peer.audit_day_counts (LIKE audit_day_counts INCLUDING ALL);
INSERT INTO peer.account_view SELECT * FROM account_view;
INSERT INTO peer.sub_user_view SELECT * FROM sub_user_view

-- name: begin_after
-- Everybody has been created before this position.
INSERT INTO everything_tracking (application_name, notification_id) VALUES ('stored', %(position)s)
ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id

-- name: position
-- How far it has come.
SELECT notification_id FROM everything_tracking WHERE application_name = 'stored'

-- name: add_row
-- Where an event stands.
INSERT INTO peer.audit_view (position, account_id, action, sub_user_id, occurred_at)
VALUES (%(position)s, %(account_id)s, %(action)s, %(sub_user_id)s, %(occurred_at)s)

-- name: add_to_quarter
-- A login or an activity, of a person and of the account.
INSERT INTO peer.audit_counts AS c (account_id, person_id, quarter, logins, activities)
VALUES (%(account_id)s, %(sub_user_id)s, %(quarter)s, %(logins)s, %(activities)s),
       (%(account_id)s, %(account_id)s, %(quarter)s, %(logins)s, %(activities)s)
ON CONFLICT (account_id, person_id, quarter)
DO UPDATE SET logins = c.logins + excluded.logins, activities = c.activities + excluded.activities

-- name: add_to_day
-- The same for the day.
INSERT INTO peer.audit_day_counts AS c (account_id, sub_user_id, day, logins, activities)
VALUES (%(account_id)s, %(sub_user_id)s, %(day)s, %(logins)s, %(activities)s)
ON CONFLICT (account_id, day, sub_user_id)
DO UPDATE SET logins = c.logins + excluded.logins, activities = c.activities + excluded.activities

-- name: set_version
-- How far the account's stream is in the view.
UPDATE peer.account_view SET version = %(version)s WHERE account_id = %(account_id)s

-- name: log_in
-- Their last login.
UPDATE peer.sub_user_view SET last_login_at = %(at)s WHERE sub_user_id = %(sub_user_id)s

-- name: set_visible
-- Hidden, or shown again.
UPDATE peer.sub_user_view SET visible = %(visible)s, revision = revision + 1 WHERE sub_user_id = %(sub_user_id)s

-- name: change_names
-- Another name.
UPDATE peer.sub_user_view SET name = %(name)s, surname = %(surname)s, revision = revision + 1
WHERE sub_user_id = %(sub_user_id)s
