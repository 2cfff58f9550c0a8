-- name: name_events
-- The events that gave roles of some accounts their names, and their other changes, oldest first.
SELECT originator_id, originator_version, topic, state FROM stored_events
WHERE originator_id = ANY(%(account_ids)s) AND topic IN ('RoleCreated', 'RoleChanged')
ORDER BY originator_id, originator_version
