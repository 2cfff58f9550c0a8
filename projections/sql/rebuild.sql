-- name: alone
-- One rebuild of a view at a time; the lock ends with the connection.
SELECT pg_advisory_lock(723982, hashtext(%(name)s))

-- name: start
-- A view that nothing has followed yet.
INSERT INTO followers (name) VALUES (%(name)s) ON CONFLICT (name) DO NOTHING

-- name: options
-- How a live table is stored, as far as that was chosen.
SELECT o.option_name, o.option_value
FROM pg_class c, pg_options_to_table(c.reloptions) o
WHERE c.oid = to_regclass('public.' || quote_ident(%(table)s))

-- name: grants
-- What roles besides its owner may do with a live table.
SELECT a.privilege_type, pg_get_userbyid(a.grantee)
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.oid = to_regclass('public.' || quote_ident(%(table)s)) AND a.grantee NOT IN (0, c.relowner)

-- name: hold_live_view
-- Its follower waits here, and then finds the position moved.
SELECT position FROM followers WHERE name = %(name)s FOR UPDATE

-- name: give_up_soon
-- While this transaction waits for a table, whoever asks for that table waits behind it, and for one that it has already
-- too: perhaps for each other. This is sooner than such a deadlock is looked for, and somebody else made to fail.
SET LOCAL lock_timeout = '500ms'

-- name: set_position
-- The new view stands here, and nothing that stopped the old one is known to stop it.
UPDATE followers
SET position = %(position)s, moved_at = now(), failed_position = NULL, failure = NULL, failed_at = NULL
WHERE name = %(name)s

-- name: indexes
-- A table's indexes: the name of each, and what it indexes, which is the same for the live table and its copy.
SELECT c.relname AS name, regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', '') AS definition,
       i.indisprimary AS is_primary, i.indisunique AS is_unique
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = %(schema)s AND t.relname = %(table)s

-- name: abandoned
-- Whether there is something left of a rebuild that nobody is at: then nobody begins one in this transaction.
SELECT CASE WHEN to_regnamespace(%(schema)s) IS NULL THEN false
       ELSE pg_try_advisory_xact_lock(723982, hashtext(%(name)s)) END

-- name: drop
-- As the owner of what is dropped, whoever this is.
SELECT drop_rebuild(substr(%(schema)s, length('rebuild_') + 1))
