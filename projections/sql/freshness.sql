-- name: account_versions
-- How long an account's stream is, and how much of it the sub-user list has. Activities are streams of their own, so
-- that a stream that begins otherwise than with a registration is no account.
SELECT (SELECT max(e.originator_version) FROM stored_events e
        WHERE e.originator_id = %(account_id)s AND EXISTS (
            SELECT FROM stored_events f
            WHERE f.originator_id = %(account_id)s AND f.originator_version = 1 AND f.topic = 'MainAccountRegistered')
       ) AS stored,
       (SELECT v.version FROM account_view v WHERE v.account_id = %(account_id)s) AS seen

-- name: view_position
-- How far a view has come.
SELECT position FROM followers WHERE name = %(name)s

-- name: last_position
-- The highest position that was ever drawn, whatever became of the transaction.
SELECT coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0) AS last_value
