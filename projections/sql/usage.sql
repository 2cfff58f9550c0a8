-- How the tables usage_view, usage_plans and usage_checks follow events.

-- name: add_usage
-- What a batch adds, a column an array, each day of a sub-user once.
INSERT INTO usage_view AS u (account_id, day, sub_user_id, conversation_ms, llm_tokens)
SELECT * FROM unnest(%(account_ids)s::uuid[], %(days)s::date[], %(sub_user_ids)s::uuid[],
                     %(conversation_ms)s::bigint[], %(llm_tokens)s::bigint[])
ON CONFLICT (account_id, day, sub_user_id)
DO UPDATE SET conversation_ms = u.conversation_ms + excluded.conversation_ms,
              llm_tokens = u.llm_tokens + excluded.llm_tokens

-- name: set_plan
-- The plan there is now.
INSERT INTO usage_plans (account_id, included_minutes, included_tokens, period_start)
VALUES (%(account_id)s, %(included_minutes)s, %(included_tokens)s, %(period_start)s)
ON CONFLICT (account_id)
DO UPDATE SET included_minutes = excluded.included_minutes, included_tokens = excluded.included_tokens,
              period_start = excluded.period_start

-- name: have_checked
-- Days of accounts to look at. A row that is there is locked by being written again: whoever takes it later sees what
-- this transaction adds, and whoever has taken it is waited for.
INSERT INTO usage_checks (account_id, day)
SELECT * FROM unnest(%(account_ids)s::uuid[], %(days)s::date[])
ON CONFLICT (account_id, day) DO UPDATE SET day = excluded.day
