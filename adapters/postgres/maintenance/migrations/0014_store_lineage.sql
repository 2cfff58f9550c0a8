-- The lineages of the store, newest last: a new one begins when the server was promoted or replaced, or when the store
-- has gone back. Positions of one epoch say nothing in another, but for those up to where it began.
CREATE TABLE store_lineage (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    previous_epoch uuid,
    system_identifier bigint NOT NULL,
    timeline bigint NOT NULL,
    database_oid bigint NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    begun_position bigint NOT NULL,
    lost_position bigint,  -- the highest that was seen before, where some of the history is gone
    accepted_at timestamptz
);

-- What an append calls whose stream lacks the version before it.
CREATE FUNCTION refuse_gap() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RAISE SQLSTATE 'SUGAP' USING MESSAGE = 'an event would leave a gap in its stream';
END
$$;
