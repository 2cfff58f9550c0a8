-- name: sub_users
-- All existing sub-users, whose keys are real, by number; and made-up ones for the given number of accounts.
CREATE TEMP TABLE samples AS
SELECT row_number() OVER (ORDER BY account_id, sub_user_id) - 1 AS number, account_id, sub_user_id, true AS is_real
FROM sub_user_view;
INSERT INTO samples
SELECT (SELECT count(*) FROM samples) + (account - 1) * %(sub_users)s + number, account_id, gen_random_uuid(), false
FROM (SELECT n AS account, gen_random_uuid() AS account_id FROM generate_series(1, %(accounts)s) n) AS made_up,
     generate_series(0, %(sub_users)s - 1) number;
CREATE UNIQUE INDEX ON samples (number);
ANALYZE samples;

-- name: views
-- Rows of the made-up accounts and sub-users, as the projection would write them.
INSERT INTO account_view (account_id, version, email, company_name, language, sub_user_limit, created_at)
SELECT DISTINCT account_id, 1, 'owner@company.example', 'Winds & Waves', 'en', 10, now() FROM samples WHERE NOT is_real;
INSERT INTO sub_user_view (sub_user_id, account_id, email, name, surname, visible, created_at)
SELECT sub_user_id, account_id, 'colleague@company.example', 'Grace', 'Hopper', true, now()
FROM samples WHERE NOT is_real;
INSERT INTO stored_events (originator_id, originator_version, topic, state)
SELECT account_id, 1, 'MainAccountRegistered', '{}' FROM account_view
WHERE account_id IN (SELECT account_id FROM samples WHERE NOT is_real);

-- name: activities
-- Activities: every second one in the first account, the others in all accounts in turn.
CREATE TEMP TABLE activities AS
SELECT %(after)s + i AS position, lpad(to_hex(i), 32, '0')::uuid AS id, account_id, sub_user_id,
       timestamptz '2026-01-01T00:00:00Z' + i * interval '1 second' AS at
FROM generate_series(1, %(rows)s) i
JOIN samples ON number = CASE WHEN i %% 2 = 0 THEN 0 ELSE (i / 2) %% (SELECT count(*) FROM samples) END;
INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)
SELECT position, id, 1, 'SubUserActivityRecorded',
       convert_to(format('{"timestamp":"%%s","account_id":"%%s","sub_user_id":"%%s","action":"assistant.edited",'
                         '"occurred_at":"%%s","request_id":"%%s"}',
                         to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'), account_id, sub_user_id,
                         to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'), id), 'UTF8')
FROM activities ORDER BY position;
SELECT setval('stored_events_notification_id_seq', (SELECT max(position) FROM activities));
INSERT INTO audit_view (position, account_id, action, sub_user_id, occurred_at, actor_type, actor_id)
SELECT position, account_id, 'assistant.edited', sub_user_id, at, 'sub_user', sub_user_id FROM activities
ORDER BY position;
DROP TABLE activities;
UPDATE followers SET position = (SELECT max(notification_id) FROM stored_events);

-- name: last_page
-- The position before the last page of an account's log.
SELECT position FROM audit_view WHERE account_id = %(account_id)s ORDER BY position OFFSET %(page)s LIMIT 1

-- name: real_accounts
-- Accounts with real keys. The one with half of the history is first.
SELECT account_id FROM samples WHERE is_real GROUP BY account_id ORDER BY min(number)
