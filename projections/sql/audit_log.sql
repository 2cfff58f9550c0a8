-- name: add_row
-- Where an event stands.
INSERT INTO audit_view (position, account_id, action, sub_user_id, occurred_at)
VALUES (%(position)s, %(account_id)s, %(action)s, %(sub_user_id)s, %(occurred_at)s)

-- name: add_older
-- Where one stands that is too old for the log.
INSERT INTO audit_older (account_id, position) VALUES (%(account_id)s, %(position)s)

-- name: add_to_quarters
-- What a batch adds, a column an array, each quarter of an hour of an account, and of a person there, once.
INSERT INTO audit_counts AS c (account_id, person_id, quarter, logins, activities)
SELECT * FROM unnest(%(account_ids)s::uuid[], %(person_ids)s::uuid[], %(times)s::timestamptz[],
                     %(logins)s::integer[], %(activities)s::integer[])
ON CONFLICT (account_id, person_id, quarter)
DO UPDATE SET logins = c.logins + excluded.logins, activities = c.activities + excluded.activities

-- name: add_to_days
-- The same for the UTC days of sub-users.
INSERT INTO audit_day_counts AS c (account_id, sub_user_id, day, logins, activities)
SELECT * FROM unnest(%(account_ids)s::uuid[], %(person_ids)s::uuid[], %(times)s::timestamptz[],
                     %(logins)s::integer[], %(activities)s::integer[])
ON CONFLICT (account_id, day, sub_user_id)
DO UPDATE SET logins = c.logins + excluded.logins, activities = c.activities + excluded.activities
