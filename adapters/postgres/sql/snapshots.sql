-- name: keep
-- A snapshot, in the place of those before it: the latest is read alone. Somebody else may have kept the same.
WITH older AS (
    DELETE FROM stored_snapshots WHERE originator_id = %(originator_id)s AND originator_version < %(originator_version)s
)
INSERT INTO stored_snapshots (originator_id, originator_version, topic, state)
VALUES (%(originator_id)s, %(originator_version)s, %(topic)s, %(state)s)
ON CONFLICT (originator_id, originator_version) DO NOTHING
