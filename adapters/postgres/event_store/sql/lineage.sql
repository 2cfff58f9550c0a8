-- name: compare
-- The server's identity, the last position, and the newest epoch. The timeline comes from the name of the current WAL
-- segment: after a promotion pg_control shows the new timeline only after the next checkpoint.
SELECT present.*, newest.epoch, newest.begun_position,
       (newest.system_identifier, newest.timeline, newest.database_oid)
           IS NOT DISTINCT FROM (present.system_identifier, present.timeline, present.database_oid) AS is_same_server,
       EXISTS (SELECT FROM store_lineage WHERE previous_epoch = %(known_epoch)s) AS has_successor
FROM (
    SELECT (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
           ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint AS timeline,
           (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database_oid,
           (SELECT coalesce(max(notification_id), 0) FROM stored_events) AS end_position
) AS present
LEFT JOIN (SELECT * FROM store_lineage ORDER BY number DESC LIMIT 1) AS newest ON true

-- name: lock
-- Serialize processes that begin an epoch.
SELECT pg_advisory_xact_lock(723985)

-- name: begin
-- Begin an epoch. Its predecessor is the epoch that this process knew, or else the newest epoch of the store.
INSERT INTO store_lineage (previous_epoch, system_identifier, timeline, database_oid, begun_position, lost_position)
VALUES (%(previous_epoch)s, %(system_identifier)s, %(timeline)s, %(database_oid)s, %(end_position)s, %(lost_position)s)
RETURNING epoch

-- name: record_loss
-- Record that a process had seen positions that the epoch lacks. A loss that was accepted becomes pending again.
UPDATE store_lineage SET lost_position = greatest(lost_position, %(seen_position)s), accepted_at = NULL
WHERE epoch = %(epoch)s AND begun_position < %(seen_position)s AND coalesce(lost_position, 0) < %(seen_position)s

-- name: accept
-- Acknowledge all pending losses, so that signing of checkpoints resumes.
UPDATE store_lineage SET accepted_at = now() WHERE lost_position IS NOT NULL AND accepted_at IS NULL
