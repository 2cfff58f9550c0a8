-- Events are appended by many transactions at once (sql/appending.sql says how). What one of them draws several positions
-- with: it holds up others that do for as long as that takes, and no longer. A lock of a transaction is let go of when
-- the block in which it was taken is rolled back, whereas positions that were drawn stay so, and variables keep what they
-- hold.
CREATE FUNCTION draw_positions(how_many integer) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    positions bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(723983, 0);
    SELECT array_agg(nextval('stored_events_notification_id_seq')) INTO positions FROM generate_series(1, how_many);
    RAISE SQLSTATE 'SUDRW';
EXCEPTION WHEN SQLSTATE 'SUDRW' THEN
    RETURN positions;
END
$$;
