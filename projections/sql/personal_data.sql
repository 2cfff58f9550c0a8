-- name: mails
-- What they were to be told by mail, and what became of it.
SELECT notice, asked_at, state, attempts, settled_at
FROM mail_queue
WHERE account_id = %(account_id)s AND sub_user_id = %(sub_user_id)s
ORDER BY caused_by

-- name: usage
-- What they used of the account's plan, by UTC day.
SELECT day, conversation_ms, llm_tokens
FROM usage_view
WHERE account_id = %(account_id)s AND sub_user_id = %(sub_user_id)s
ORDER BY day
