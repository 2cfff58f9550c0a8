-- name: lock_rebuild
-- Allow one rebuild of a view at a time. The lock ends with the connection.
SELECT pg_advisory_lock(723982, hashtext(%(name)s))

-- name: options
-- Storage options that are set on a live table.
SELECT o.option_name, o.option_value
FROM pg_class c, pg_options_to_table(c.reloptions) o
WHERE c.oid = to_regclass('public.' || quote_ident(%(table)s))

-- name: grants
-- Privileges of roles other than the owner on a live table, in the order in which it lists them.
SELECT a.privilege_type, pg_get_userbyid(a.grantee) AS role
FROM pg_class c, aclexplode(c.relacl) WITH ORDINALITY a
WHERE c.oid = to_regclass('public.' || quote_ident(%(table)s)) AND a.grantee NOT IN (0, c.relowner)
ORDER BY a.ordinality

-- name: lock_live_position
-- Lock and read the position of the live view. Its follower waits for this lock, and then reads the new position.
SELECT position FROM followers WHERE name = %(name)s FOR UPDATE

-- name: set_lock_timeout
-- While this transaction waits for a table lock, readers of that table queue behind it. They may hold locks on a table
-- that this transaction has locked already, which is a deadlock. This timeout is shorter than deadlock_timeout, so that
-- the rebuild gives up first and no reader is cancelled.
SET LOCAL lock_timeout = '500ms'

-- name: set_position
-- Set the position of the rebuilt view, and clear the failure of the old one.
UPDATE followers
SET position = %(position)s, moved_at = now(), failed_position = NULL, failure = NULL, failed_at = NULL
WHERE name = %(name)s

-- name: indexes
-- Indexes of a table. The definition lacks the names of index and table, so that those of the live table and of its copy
-- compare equal.
SELECT c.relname AS name, regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', '') AS definition,
       i.indisprimary AS is_primary, i.indisunique AS is_unique
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = %(schema)s AND t.relname = %(table)s

-- name: abandoned
-- Whether an abandoned rebuild left a schema behind. If it did, this takes the rebuild lock until the transaction ends.
SELECT CASE WHEN to_regnamespace(%(schema)s) IS NULL THEN false
       ELSE pg_try_advisory_xact_lock(723982, hashtext(%(name)s)) END

-- name: drop
-- Drop the schema of a rebuild with the rights of its owner.
SELECT drop_rebuild(substr(%(schema)s, length('rebuild_') + 1))
