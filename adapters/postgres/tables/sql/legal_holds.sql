-- name: claim
-- Claim a hold that has ended for one worker. If the worker dies, the hold becomes due again at again_at.
UPDATE legal_holds SET again_at = %(again_at)s
WHERE person_id = (
    SELECT person_id FROM legal_holds WHERE again_at <= %(now)s ORDER BY again_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING person_id, account_id, due_at

-- name: due_at
-- When a deleted sub-user is due to be erased.
SELECT due_at FROM legal_holds WHERE account_id = %(account_id)s AND person_id = %(person_id)s

-- name: count_held
-- The number of sub-users under legal hold.
SELECT count(*) AS held FROM legal_holds
