-- name: drop_older
-- A snapshot is read alone: those before it are of no use.
DELETE FROM stored_snapshots WHERE originator_id = %(account_id)s AND originator_version < %(version)s
