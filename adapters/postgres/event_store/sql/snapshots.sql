-- name: replace_snapshot
-- Insert a snapshot and delete older ones: only the latest is read. Another process may have stored the same version
-- already. The commit is asynchronous: a crash can lose the snapshot, but not the events.
WITH relaxed AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), older AS (
    DELETE FROM stored_snapshots WHERE originator_id = %(originator_id)s AND originator_version < %(originator_version)s
)
INSERT INTO stored_snapshots (originator_id, originator_version, topic, state)
SELECT %(originator_id)s::uuid, %(originator_version)s::bigint, %(topic)s::text, %(state)s::bytea FROM relaxed
ON CONFLICT (originator_id, originator_version) DO NOTHING
