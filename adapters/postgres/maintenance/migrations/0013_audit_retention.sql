-- Where events stand that have left the audit log by its retention (SUBUSERS_AUDIT_RETENTION): what the history of an
-- account, its feed and its webhooks are read by, as by `audit_view`, in a fraction of the space.
CREATE TABLE audit_older (
    account_id uuid NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (account_id, position)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
