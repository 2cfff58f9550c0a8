-- name: take_due_account
-- Take the account with the latest due day up to the given one, together with all its due days. The rows are gone when
-- the transaction commits, and back if it does not. Rows that another worker has locked are skipped, so that no two
-- workers wait for each other.
WITH next AS (
    SELECT account_id FROM usage_checks
    WHERE day <= %(today)s
    ORDER BY day DESC
    LIMIT 1
    FOR UPDATE SKIP LOCKED
), its_days AS (
    SELECT c.account_id, c.day
    FROM usage_checks c
    JOIN next USING (account_id)
    WHERE c.day <= %(today)s
    FOR UPDATE OF c SKIP LOCKED
)
DELETE FROM usage_checks c
USING its_days d
WHERE c.account_id = d.account_id AND c.day = d.day
RETURNING c.account_id, c.day
