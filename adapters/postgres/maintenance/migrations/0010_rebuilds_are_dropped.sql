-- A rebuild makes its tables in a schema of its own, as their owner. What a killed one leaves behind holds names that
-- nobody would erase there: the running service, which may define and drop nothing else, drops that.
CREATE FUNCTION drop_rebuild(view text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', 'rebuild_' || view);
END
$$;
REVOKE EXECUTE ON FUNCTION drop_rebuild FROM PUBLIC;
