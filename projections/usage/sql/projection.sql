-- Statements that keep usage_view, usage_plans and usage_checks up to date.

-- name: add_usage
-- Add the usage of a batch: one array per column, one element per account, day and sub-user.
INSERT INTO usage_view AS u (account_id, day, sub_user_id, conversation_ms, llm_tokens)
SELECT * FROM unnest(%(account_ids)s::uuid[], %(days)s::date[], %(sub_user_ids)s::uuid[],
                     %(conversation_ms)s::bigint[], %(llm_tokens)s::bigint[])
ON CONFLICT (account_id, day, sub_user_id)
DO UPDATE SET conversation_ms = u.conversation_ms + excluded.conversation_ms,
              llm_tokens = u.llm_tokens + excluded.llm_tokens

-- name: set_plan
-- Set the current plan.
INSERT INTO usage_plans (account_id, included_minutes, included_tokens, period_start)
VALUES (%(account_id)s, %(included_minutes)s, %(included_tokens)s, %(period_start)s)
ON CONFLICT (account_id)
DO UPDATE SET included_minutes = excluded.included_minutes, included_tokens = excluded.included_tokens,
              period_start = excluded.period_start

-- name: schedule_checks
-- Mark days of accounts as due for a check. The update locks a row that exists already: a worker that takes it later
-- sees what this transaction adds, and if a worker has taken it, this waits for that worker.
INSERT INTO usage_checks (account_id, day)
SELECT * FROM unnest(%(account_ids)s::uuid[], %(days)s::date[])
ON CONFLICT (account_id, day) DO UPDATE SET day = excluded.day
