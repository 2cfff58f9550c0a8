-- Targets of activities, to search them without plaintext: one row for each person and target. `target_key` and
-- `signature` are computed with the person's data key, so erasing the key makes them useless, as it does the encrypted
-- target. Activities that the view already contains are found once it has been rebuilt.
CREATE TABLE audit_targets (
    account_id uuid NOT NULL,
    target_key bigint NOT NULL,
    sub_user_id uuid NOT NULL,
    signature bit(256) NOT NULL,
    sealed_target text NOT NULL,
    PRIMARY KEY (account_id, target_key)
);

ALTER TABLE audit_view ADD COLUMN target_key bigint;
CREATE INDEX audit_view_target_idx ON audit_view (account_id, target_key, occurred_at, position)
    WHERE target_key IS NOT NULL;

-- Pages of the console are ordered by time of occurrence: an index-only scan applies the usual filters.
DROP INDEX audit_view_occurred_idx;
CREATE INDEX audit_view_occurred_idx ON audit_view (account_id, occurred_at, position) INCLUDE (sub_user_id, action);
