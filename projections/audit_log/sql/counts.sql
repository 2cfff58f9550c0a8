-- name: per_day
-- Logins and activities per day, of one sub-user or of the whole account, which is stored with its own id as person_id.
-- `day` is the index of the day in day_starts, from 1.
SELECT width_bucket(quarter, %(day_starts)s::timestamptz[]) AS day,
       sum(logins)::integer AS logins, sum(activities)::integer AS activities
FROM audit_counts
WHERE account_id = %(account_id)s AND person_id = %(person_id)s AND quarter >= %(since)s AND quarter < %(until)s
GROUP BY day

-- name: per_person
-- Logins and activities per sub-user in a period that may be long: the sum of its whole UTC days, and of the quarters of
-- an hour before and after them. A deleted sub-user has no name.
WITH counts AS (
    SELECT sub_user_id, logins, activities
    FROM audit_day_counts
    WHERE account_id = %(account_id)s AND day >= %(whole_since)s AND day < %(whole_until)s
    UNION ALL
    SELECT q.person_id, q.logins, q.activities
    FROM audit_day_counts d
    JOIN audit_counts q ON q.account_id = d.account_id AND q.person_id = d.sub_user_id
        AND q.quarter >= d.day AND q.quarter < d.day + interval '24 hours'
    WHERE d.account_id = %(account_id)s AND d.day IN (%(whole_since)s - interval '24 hours', %(whole_until)s)
        AND q.quarter >= %(since)s AND q.quarter < %(until)s
), sums AS (
    SELECT sub_user_id, sum(logins)::integer AS logins, sum(activities)::integer AS activities
    FROM counts
    GROUP BY sub_user_id
)
SELECT sub_user_id, s.name || ' ' || s.surname AS name, coalesce(s.visible, true) AS visible, logins, activities
FROM sums
LEFT JOIN sub_user_view s USING (sub_user_id)

-- name: matching_per_day
-- Events that match a filter, per day. `day` is the index of the day in day_starts, from 1.
SELECT width_bucket(a.occurred_at, %(day_starts)s::timestamptz[]) AS day, count(*)::integer AS events
FROM audit_view a
WHERE {where} AND a.occurred_at >= %(first_start)s AND a.occurred_at < %(last_end)s
GROUP BY day

-- name: matching_per_person
-- Events about sub-users that match a filter, per sub-user. A deleted sub-user has no name.
WITH counts AS (
    SELECT a.sub_user_id, count(*)::integer AS events
    FROM audit_view a
    WHERE {where} AND a.occurred_at >= %(first_start)s AND a.occurred_at < %(last_end)s AND a.sub_user_id IS NOT NULL
    GROUP BY a.sub_user_id
)
SELECT sub_user_id, s.name || ' ' || s.surname AS name, coalesce(s.visible, true) AS visible, 0 AS logins,
       events AS activities
FROM counts
LEFT JOIN sub_user_view s USING (sub_user_id)
