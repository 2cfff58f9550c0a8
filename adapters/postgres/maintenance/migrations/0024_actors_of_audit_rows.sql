-- Who acted, for the filters of the audit log: without an index, a rare actor among a million events took seconds. The
-- actor of a report by the portal is the sub-user. A copy of the table costs less than an update of all its rows. A
-- process of an earlier version writes no actor, so its follower stops until it is replaced.
LOCK TABLE audit_view IN SHARE MODE;
CREATE TABLE audit_view_with_actors (
    position bigint NOT NULL,
    account_id uuid NOT NULL,
    action text NOT NULL,
    sub_user_id uuid,
    occurred_at timestamptz NOT NULL,
    actor_type text NOT NULL,
    actor_id text
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

INSERT INTO audit_view_with_actors
SELECT a.position, a.account_id, a.action, a.sub_user_id, a.occurred_at,
       CASE WHEN e.topic IN ('SubUserActivityRecorded', 'UsageRecorded') THEN 'sub_user' ELSE decoded.state ->> 'actor_type' END,
       CASE WHEN e.topic IN ('SubUserActivityRecorded', 'UsageRecorded') THEN a.sub_user_id::text
            ELSE decoded.state ->> 'actor_id' END
FROM audit_view a
JOIN stored_events e ON e.notification_id = a.position,
LATERAL (SELECT convert_from(e.state, 'UTF8')::json AS state) AS decoded
ORDER BY a.position;

DROP TABLE audit_view;
ALTER TABLE audit_view_with_actors RENAME TO audit_view;
ALTER TABLE audit_view ADD CONSTRAINT audit_view_pkey PRIMARY KEY (position);
CREATE INDEX audit_view_account_idx ON audit_view (account_id, position) INCLUDE (occurred_at);
CREATE INDEX audit_view_sub_user_idx ON audit_view (account_id, sub_user_id, position) INCLUDE (action, occurred_at);
CREATE INDEX audit_view_action_idx ON audit_view (account_id, action, position) INCLUDE (occurred_at);
CREATE INDEX audit_view_occurred_idx ON audit_view (account_id, occurred_at, position);
CREATE INDEX audit_view_actor_type_idx ON audit_view (account_id, actor_type, position);
CREATE INDEX audit_view_actor_id_idx ON audit_view (account_id, actor_id, position);
