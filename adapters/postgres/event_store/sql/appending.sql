-- Appending events to the global order.
--
-- Problem. A position (notification_id) is drawn from a sequence before its transaction commits, and transactions
-- commit in any order. When position 7 is visible, position 5 may still belong to a running transaction. A reader that
-- continued after 7 would never see 5.
--
-- Writers. Before a transaction draws its first position it takes a shared advisory lock and holds it until the
-- transaction ends. The lock's key contains the sequence's last value at that time, n (0 before the first draw). Every
-- position that the transaction draws afterwards is greater than n. Shared locks never conflict, so writers do not wait
-- for each other and their commits can share a WAL flush. The upper 16 bits of the 64-bit key are 0x5375, the lower 48
-- bits are n. No other single-number advisory lock of the service has a key that large, and locks with a pair of
-- numbers are a separate key space.
--
-- Readers. settled_position (settled_reads.sql) and the statement after it do three steps, in this order:
--   1. Read the sequence. L is the last position drawn so far.
--   2. Read pg_locks. M is the smallest n of all writer locks held, or infinity if there are none.
--   3. Read rows with notification_id <= min(L, M), in a snapshot taken after step 2.
--
-- Claim. Step 3 misses nothing: every position p <= min(L, M) was drawn by a transaction that ended before step 3 took
-- its snapshot. Its row is either visible in step 3 or will never exist (rollback, or a position left unused).
--
-- Proof. Let W be the transaction that drew p, and n the number in its lock, so n < p.
--   a. p <= L, so p was drawn before step 1. W took its lock before it drew p, so before step 2.
--   b. At step 2 W did not hold its lock: otherwise M <= n < p, which contradicts p <= M.
--   c. W holds its lock until it ends, so by a and b it had ended at step 2. PostgreSQL makes a commit visible to new
--      snapshots (ProcArrayEndTransaction) before it releases the transaction's locks.
--   d. The snapshot of step 3 is newer than step 2, so it contains the row if W committed.
--
-- A writer that takes its lock after step 2 draws all its positions after step 1, so they are greater than L, however
-- old the n in its lock is. A lock that is still listed although its transaction is visible already only lowers M.
--
-- The bound min(L, M) can decrease: a writer may be delayed between reading n and taking its lock, and then a lock with
-- an old n appears. Everything below an earlier bound remains settled. A reader continues after the last row that it
-- has read, never after the bound: a crash of the server can reset the sequence to before positions whose transactions
-- left nothing durable, and those positions are drawn again.
--
-- Assumptions:
--   - The sequence has CACHE 1. With a larger cache a session reserves positions before it needs them, and can use one
--     that is lower than the n in its lock.
--   - The last value is read with pg_sequence_last_value, which locks the sequence's page. SELECT last_value FROM the
--     sequence does not: on one of 32 draws nextval briefly writes a value that is up to 32 too high, and SELECT can
--     see it. Then n < p fails for a writer, or statement a for a reader.
--   - Readers query the primary. A standby does not show the primary's locks.
--   - The isolation level is READ COMMITTED, so that step 3 gets its own snapshot.
--   - Every insert into stored_events is made by one of the statements below.
--
-- No gaps in streams. Each statement requires the event's previous version to exist. After a restore, or the promotion
-- of a standby that lacks commits, a command may have been decided on a version that is lost; its event would leave a
-- permanent gap. The function refuse_gap() raises SQLSTATE SUGAP, which an expression in plain SQL cannot do.

-- name: append_one
-- One event. The INSERT reads from `announced`, so the lock is held before the column default draws the position.
WITH announced AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(
        (x'5375'::bigint << 48) + coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0))
)
INSERT INTO stored_events (originator_id, originator_version, topic, state)
SELECT %(originator_id)s::uuid,
       CASE WHEN %(originator_version)s::bigint <= 1 OR EXISTS (
           SELECT FROM stored_events
           WHERE originator_id = %(originator_id)s::uuid AND originator_version = %(originator_version)s::bigint - 1)
       THEN %(originator_version)s::bigint ELSE refuse_gap() END,
       %(topic)s::text, %(state)s::bytea
FROM announced
RETURNING notification_id

-- name: append_each
-- Unrelated events (group commit). An event whose version exists, or whose previous version is missing, is skipped; the
-- others are inserted. The recorder generates one row of placeholders per event: building an array per column takes
-- longer than the rest of the statement.
WITH announced AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(
        (x'5375'::bigint << 48) + coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0))
)
INSERT INTO stored_events (originator_id, originator_version, topic, state)
SELECT event.*
FROM announced, (VALUES {rows}) AS event (originator_id, originator_version, topic, state)
WHERE event.originator_version <= 1 OR EXISTS (
    SELECT FROM stored_events previous
    WHERE previous.originator_id = event.originator_id AND previous.originator_version = event.originator_version - 1)
ON CONFLICT (originator_id, originator_version) DO NOTHING
RETURNING originator_id, originator_version, notification_id

-- name: append_with_session
-- One event and the session that it opens, the transaction of every login. The recorder inserts the statement
-- OpenSession of transactional_writes.sql as `opened`.
WITH announced AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(
        (x'5375'::bigint << 48) + coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0))
), opened AS (
    {opened}
)
INSERT INTO stored_events (originator_id, originator_version, topic, state)
SELECT %(originator_id)s::uuid,
       CASE WHEN %(originator_version)s::bigint <= 1 OR EXISTS (
           SELECT FROM stored_events
           WHERE originator_id = %(originator_id)s::uuid AND originator_version = %(originator_version)s::bigint - 1)
       THEN %(originator_version)s::bigint ELSE refuse_gap() END,
       %(topic)s::text, %(state)s::bytea
FROM announced
RETURNING notification_id

-- name: append_many
-- Several events of one transaction, as one array per column. draw_positions draws their positions under an exclusive
-- lock that it releases when it returns: the positions of two such transactions do not interleave. A single event of
-- another transaction can come between them.
WITH announced AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(
        (x'5375'::bigint << 48) + coalesce(pg_sequence_last_value('stored_events_notification_id_seq'), 0))
), drawn AS MATERIALIZED (
    SELECT draw_positions(cardinality(%(originator_ids)s::uuid[])) AS positions FROM announced
)
INSERT INTO stored_events (originator_id, originator_version, topic, state, notification_id)
SELECT event.originator_id,
       CASE WHEN event.originator_version <= 1
           OR (event.originator_id, event.originator_version - 1) IN (
               SELECT * FROM unnest(%(originator_ids)s::uuid[], %(originator_versions)s::bigint[]))
           OR EXISTS (
               SELECT FROM stored_events previous
               WHERE previous.originator_id = event.originator_id
                 AND previous.originator_version = event.originator_version - 1)
       THEN event.originator_version ELSE refuse_gap() END,
       event.topic, event.state, event.notification_id
FROM drawn, unnest(%(originator_ids)s::uuid[], %(originator_versions)s::bigint[], %(topics)s::text[],
                   %(states)s::bytea[], drawn.positions)
         AS event (originator_id, originator_version, topic, state, notification_id)
RETURNING notification_id
