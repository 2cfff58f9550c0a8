-- What was used of accounts' plans, by UTC day and sub-user: milliseconds of conversation, tokens of language models.
CREATE TABLE usage_view (
    account_id uuid NOT NULL,
    day date NOT NULL,
    sub_user_id uuid NOT NULL,
    conversation_ms bigint NOT NULL,
    llm_tokens bigint NOT NULL,
    PRIMARY KEY (account_id, day, sub_user_id) INCLUDE (conversation_ms, llm_tokens)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- What each account's plan includes.
CREATE TABLE usage_plans (
    account_id uuid PRIMARY KEY,
    included_minutes bigint NOT NULL,
    included_tokens bigint NOT NULL,
    period_start date NOT NULL
);

-- Accounts whose use on a day, or plan, has changed since it was last looked at what thresholds they have reached.
CREATE TABLE usage_checks (
    account_id uuid NOT NULL,
    day date NOT NULL,
    PRIMARY KEY (account_id, day)
);
CREATE INDEX usage_checks_day_idx ON usage_checks (day);
