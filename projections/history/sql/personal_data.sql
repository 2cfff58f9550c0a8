-- name: mails
-- Mails queued for the sub-user, and their outcome.
SELECT notice, asked_at, state, attempts, settled_at
FROM mail_queue
WHERE account_id = %(account_id)s AND sub_user_id = %(sub_user_id)s
ORDER BY caused_by

-- name: usage
-- The sub-user's usage of the account's plan, by UTC day.
SELECT day, conversation_ms, llm_tokens
FROM usage_view
WHERE account_id = %(account_id)s AND sub_user_id = %(sub_user_id)s
ORDER BY day
