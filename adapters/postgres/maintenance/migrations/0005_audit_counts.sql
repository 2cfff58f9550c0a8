-- Logins and activities for charts: a row for each person of an account and each quarter of an hour, in UTC, in which
-- there were any. The offsets of all time zones are multiples of 15 minutes, so that anybody's days are made of these.
-- The rows of the account itself (person_id = account_id) hold the totals of its sub-users.
CREATE TABLE audit_counts (
    account_id uuid NOT NULL,
    person_id uuid NOT NULL,
    quarter timestamptz NOT NULL,
    logins integer NOT NULL,
    activities integer NOT NULL,
    PRIMARY KEY (account_id, person_id, quarter) INCLUDE (logins, activities)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- The same by UTC day, of sub-users alone: what spares the sum of a long time all but the quarters at its two ends.
CREATE TABLE audit_day_counts (
    account_id uuid NOT NULL,
    day timestamptz NOT NULL,
    sub_user_id uuid NOT NULL,
    logins integer NOT NULL,
    activities integer NOT NULL,
    PRIMARY KEY (account_id, day, sub_user_id) INCLUDE (logins, activities)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- What the follower has applied so far; it waits meanwhile, and counts on from there. The topic tells an activity from
-- a login, not the action: the word for an activity is the portal's own.
LOCK TABLE audit_view IN SHARE MODE;
INSERT INTO audit_counts (account_id, person_id, quarter, logins, activities)
SELECT a.account_id, coalesce(a.sub_user_id, a.account_id),
       date_bin('15 minutes', a.occurred_at, '0001-01-01T00:00:00Z') AS quarter,
       count(*) FILTER (WHERE e.topic = 'SubUserLoggedIn'),
       count(*) FILTER (WHERE e.topic = 'SubUserActivityRecorded')
FROM audit_view a
JOIN stored_events e ON e.notification_id = a.position
WHERE e.topic IN ('SubUserLoggedIn', 'SubUserActivityRecorded')
GROUP BY GROUPING SETS ((a.account_id, a.sub_user_id, quarter), (a.account_id, quarter));

INSERT INTO audit_day_counts (account_id, day, sub_user_id, logins, activities)
SELECT account_id, date_bin('24 hours', quarter, '0001-01-01T00:00:00Z') AS day, person_id,
       sum(logins), sum(activities)
FROM audit_counts
WHERE person_id <> account_id
GROUP BY account_id, day, person_id;

-- Whatever a page of the log is filtered by, the index that leads to it also holds what else it may be filtered by:
-- rows that are passed over are not looked up.
DROP INDEX audit_view_account_idx, audit_view_sub_user_idx, audit_view_action_idx;
CREATE INDEX audit_view_account_idx ON audit_view (account_id, position) INCLUDE (occurred_at);
CREATE INDEX audit_view_sub_user_idx ON audit_view (account_id, sub_user_id, position) INCLUDE (action, occurred_at);
CREATE INDEX audit_view_action_idx ON audit_view (account_id, action, position) INCLUDE (occurred_at);
ALTER TABLE audit_view SET (autovacuum_vacuum_insert_scale_factor = 0.05);
