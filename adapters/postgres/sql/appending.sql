-- How events are appended: many transactions at once, and readers by position miss none of them.
--
-- PostgreSQL draws positions (notification_id) before the transaction commits, and transactions commit in any order: a
-- position that can be read says nothing of the ones below it. So a writer *announces* itself: before it draws any
-- position it takes a shared advisory lock, held to the end of its transaction, whose key carries a number below every
-- position that it can draw from then on: the last one that was drawn so far, or zero before the first. Shared locks do
-- not conflict, whatever they carry, so that nobody waits here, and commits share a flush. None of these locks can be
-- taken for another one of the service: the key's upper 16 bits are 0x5375, and no other key of one number is that large.
--
-- The sequence is asked by pg_sequence_last_value, which takes the lock on its page, and never as a table: nextval, once
-- in 32 times, writes a last_value there for a moment that is up to 32 ahead, and a SELECT can see it.
--
-- A reader (settled_position in projections/sql/event_log.sql) does three things, in this order:
--   1. it reads the sequence: L, the last position that was drawn;
--   2. it looks at the locks that are held: M, the lowest number that any of them carries, if there is any;
--   3. it reads rows up to min(L, M), with a snapshot that was taken after 2.
-- Any position p <= min(L, M) was drawn by a transaction that has ended, so that its row is there for 3 or never will be:
--   - It was drawn before 1, because p <= L; so its writer's lock, which came before that, was taken before 2.
--   - At 2 that lock was not held any more: it carries a number below p, and M >= p.
--   - It is held to the end of its transaction, and PostgreSQL makes a transaction's rows visible before it lets go of
--     its locks. (A lock that is seen of a transaction that has just ended only makes the bound lower.)
-- A writer that announces itself after 2, with however old a number, draws positions above L.
--
-- The bound may go back for a moment, when a writer was held up between reading the sequence and taking its lock; what
-- is below it is settled all the same. A reader goes on from the last row that it has read, never from the bound: after
-- a crash of the server the sequence may go back behind positions that were drawn by transactions that left nothing
-- durable, and those positions are drawn again.
--
-- What it relies on: the sequence's CACHE is 1, as otherwise a session draws ahead; readers ask the primary, as a
-- standby does not show its locks; and their isolation is READ COMMITTED, so that 3 has a snapshot of its own.

-- name: append_one
-- One event. The row of `announced` is there, and its lock held, before any is made of it for which a position is drawn.
WITH announced AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(
        (x'5375'::bigint << 48) + coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0))
)
INSERT INTO stored_events (originator_id, originator_version, topic, state)
SELECT %(originator_id)s::uuid, %(originator_version)s::bigint, %(topic)s::text, %(state)s::bytea FROM announced
RETURNING notification_id

-- name: append_each
-- Events that have nothing to do with each other, each by itself, where nothing stands yet. `rows` are placeholders: an
-- array for each column would take longer to write than all the rest.
WITH announced AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(
        (x'5375'::bigint << 48) + coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0))
)
INSERT INTO stored_events (originator_id, originator_version, topic, state)
SELECT one.*
FROM announced, (VALUES {rows}) AS one
ON CONFLICT (originator_id, originator_version) DO NOTHING
RETURNING originator_id, originator_version, notification_id

-- name: append_with_session
-- One event, and the session that it opens: what every login ends with. `opened` is what records.sql has for it.
WITH announced AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(
        (x'5375'::bigint << 48) + coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0))
), opened AS (
    {opened}
)
INSERT INTO stored_events (originator_id, originator_version, topic, state)
SELECT %(originator_id)s::uuid, %(originator_version)s::bigint, %(topic)s::text, %(state)s::bytea FROM announced
RETURNING notification_id

-- name: append_many
-- Several events, a column an array: they stand next to each other, and nothing of another such transaction is between.
WITH announced AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(
        (x'5375'::bigint << 48) + coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0))
), drawn AS MATERIALIZED (
    SELECT draw_positions(cardinality(%(originator_ids)s::uuid[])) AS positions FROM announced
)
INSERT INTO stored_events (originator_id, originator_version, topic, state, notification_id)
SELECT one.*
FROM drawn, unnest(%(originator_ids)s::uuid[], %(originator_versions)s::bigint[], %(topics)s::text[],
                   %(states)s::bytea[], drawn.positions) AS one
RETURNING notification_id
