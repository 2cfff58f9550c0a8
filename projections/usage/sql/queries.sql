-- name: set_snapshot_isolation
-- Let all statements of this transaction read one snapshot, so that totals equal the sum of their parts.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- name: find_plan
-- An account's plan.
SELECT included_minutes, included_tokens, period_start FROM usage_plans WHERE account_id = %(account_id)s

-- name: per_day
-- Usage on each day that has any, the last day included.
SELECT day, sum(conversation_ms)::bigint AS conversation_ms, sum(llm_tokens)::bigint AS llm_tokens
FROM usage_view
WHERE account_id = %(account_id)s AND day >= %(first)s AND day <= %(last)s
GROUP BY day

-- name: per_sub_user
-- The same by sub-user. Usage of all deleted sub-users is one row without an id.
SELECT s.sub_user_id, s.name, s.surname, s.visible,
       sum(u.conversation_ms)::bigint AS conversation_ms, sum(u.llm_tokens)::bigint AS llm_tokens
FROM usage_view u
LEFT JOIN sub_user_view s ON s.sub_user_id = u.sub_user_id AND s.account_id = u.account_id
WHERE u.account_id = %(account_id)s AND u.day >= %(first)s AND u.day <= %(last)s
GROUP BY s.sub_user_id
ORDER BY lower(s.name), lower(s.surname), s.sub_user_id

-- name: used
-- Usage from the first day to the day before `end`.
SELECT coalesce(sum(conversation_ms), 0)::bigint AS conversation_ms, coalesce(sum(llm_tokens), 0)::bigint AS llm_tokens
FROM usage_view
WHERE account_id = %(account_id)s AND day >= %(first)s AND day < %(end)s
