-- name: role
-- Return a row if the role exists.
SELECT FROM pg_roles WHERE rolname = %(name)s

-- name: relations
-- Relations of some kinds in the schema public, where migrations create everything, that the current role owns.
SELECT relname
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = ANY(%(kinds)s::"char"[]) AND pg_has_role(relowner, 'USAGE')
ORDER BY relname

-- name: deny_large_objects
-- Large objects are created by functions that PUBLIC may execute and that the server's administrator owns. Without the
-- administrator's rights this statement changes nothing.
DO $$
DECLARE
    lo_function regprocedure;
BEGIN
    FOR lo_function IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
          AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_put', 'lowrite')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', lo_function);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$

-- name: may_alter_history
-- Whether a role could alter or delete events, by its own rights or as a member of the table's owner.
SELECT has_table_privilege(%(name)s, oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER') OR pg_has_role(%(name)s, relowner, 'MEMBER')
FROM pg_class
WHERE oid = to_regclass('public.stored_events')
