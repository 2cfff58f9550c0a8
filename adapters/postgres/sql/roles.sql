-- name: role
-- Whether there is such a role.
SELECT FROM pg_roles WHERE rolname = %(name)s

-- name: relations
-- Ours of these kinds, where everything is that migrations make.
SELECT relname
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = ANY(%(kinds)s::"char"[]) AND pg_has_role(relowner, 'USAGE')
ORDER BY relname

-- name: is_too_mighty
-- Whether a role could alter or delete events, itself or as another role that it can become.
SELECT has_table_privilege(%(name)s, oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER') OR pg_has_role(%(name)s, relowner, 'MEMBER')
FROM pg_class
WHERE oid = to_regclass('public.stored_events')
