-- name: account_versions
-- The version of an account's stream, and the version that the sub-user list has reached. A stream that does not begin
-- with a registration is not an account: activities, for example, have streams of their own.
SELECT (SELECT max(e.originator_version) FROM stored_events e
        WHERE e.originator_id = %(account_id)s AND EXISTS (
            SELECT FROM stored_events f
            WHERE f.originator_id = %(account_id)s AND f.originator_version = 1 AND f.topic = 'MainAccountRegistered')
       ) AS stream_version,
       (SELECT v.version FROM account_view v WHERE v.account_id = %(account_id)s) AS view_version

-- name: view_position
-- The position that a view has reached.
SELECT position FROM followers WHERE name = %(name)s

-- name: last_position
-- The highest position ever assigned, including those of transactions that rolled back.
SELECT coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0) AS last_value
