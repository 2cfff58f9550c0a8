-- name: take
-- The account that changed on the latest day up to this one, with all of its days: gone when the transaction commits,
-- there again if it does not. What others hold is passed over, so that no two wait for each other.
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
RETURNING c.account_id
