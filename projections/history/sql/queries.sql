-- name: stream_version
-- The current version of an account's own stream.
SELECT coalesce(max(originator_version), 0) AS version FROM stored_events WHERE originator_id = %(account_id)s

-- name: version_at_time
-- The version of an account's own stream at a moment. Times never go backwards in it, so a binary search finds the last
-- event recorded by then.
WITH RECURSIVE halved (low, high) AS (
    SELECT 0::bigint, coalesce(max(originator_version), 0) FROM stored_events WHERE originator_id = %(account_id)s
    UNION ALL
    SELECT CASE WHEN recorded_by_then THEN middle ELSE low END, CASE WHEN recorded_by_then THEN high ELSE middle - 1 END
    FROM (
        SELECT low, high, middle,
               (convert_from(e.state, 'UTF8')::json ->> 'timestamp')::timestamptz <= %(at)s AS recorded_by_then
        FROM (SELECT low, high, (low + high + 1) / 2 AS middle FROM halved WHERE low < high) AS between
        JOIN stored_events e ON e.originator_id = %(account_id)s AND e.originator_version = middle
    ) AS middle_event
)
SELECT low AS version FROM halved WHERE low = high

-- name: position_of
-- The position of an event of an account's own stream.
SELECT notification_id AS position FROM stored_events
WHERE originator_id = %(account_id)s AND originator_version = %(version)s

-- name: stream
-- The next events of an account's own stream.
SELECT originator_id, originator_version, topic, state
FROM stored_events
WHERE originator_id = %(account_id)s
  AND originator_version > %(after_version)s AND originator_version <= %(max_version)s
ORDER BY originator_version
LIMIT %(limit)s

-- name: entries
-- The next events of an account in the order of positions: those of its own stream, and those of other streams, which
-- the audit view lists. Each half uses its own index, so that a page costs the same however long the history is.
WITH page AS (
    (SELECT notification_id AS position FROM stored_events
     WHERE originator_id = %(account_id)s
       AND originator_version > %(after_version)s AND originator_version <= %(max_version)s
     ORDER BY originator_version LIMIT %(limit)s)
    UNION
    (SELECT position
     FROM (SELECT account_id, position FROM audit_view UNION ALL SELECT account_id, position FROM audit_older) AS a
     WHERE account_id = %(account_id)s AND position > %(after_position)s AND position <= %(max_position)s
     ORDER BY position LIMIT %(limit)s)
)
SELECT page.position, e.originator_id, e.originator_version, e.topic, e.state
FROM page
JOIN stored_events e ON e.notification_id = page.position
ORDER BY page.position
LIMIT %(limit)s

-- name: entries_about
-- The next events about or by one sub-user, which the audit view lists.
WITH page AS MATERIALIZED (
    SELECT position
    FROM (SELECT account_id, sub_user_id, position FROM audit_view
          UNION ALL SELECT account_id, sub_user_id, position FROM audit_older) AS a
    WHERE account_id = %(account_id)s AND sub_user_id = %(sub_user_id)s
      AND position > %(after_position)s AND position <= %(max_position)s
    ORDER BY position
    LIMIT %(limit)s
)
SELECT page.position, e.originator_id, e.originator_version, e.topic, e.state
FROM page
JOIN stored_events e ON e.notification_id = page.position
ORDER BY page.position

-- name: first_about
-- An event about or by a sub-user, if the account has or had this one. Events that left the audit log count.
(SELECT position FROM audit_view WHERE account_id = %(account_id)s AND sub_user_id = %(sub_user_id)s LIMIT 1)
UNION ALL
(SELECT position FROM audit_older WHERE account_id = %(account_id)s AND sub_user_id = %(sub_user_id)s LIMIT 1)
LIMIT 1

-- name: state_events
-- The next events of an account's own stream that change its state, other than logins and mails.
SELECT notification_id AS position, originator_id, originator_version, topic, state
FROM stored_events
WHERE originator_id = %(account_id)s AND notification_id > %(after_position)s AND notification_id <= %(max_position)s
  AND topic IN (
          'MainAccountRegistered', 'MainAccountDetailsChanged', 'MainAccountExternalIdSet', 'MainAccountClosed',
          'SubUserLimitRaised', 'MainAccountPlanSet', 'SubUserCreated', 'SubUserDetailsChanged', 'SubUserEmailChanged',
          'SubUserVisibilityChanged', 'SubUserAccessExpirySet', 'SubUserActivated', 'SubUserDeactivated',
          'SubUserPasswordReset', 'SubUserPasswordChanged', 'SubUserLockedOut', 'SubUserUnlocked', 'SubUserDeleted',
          'RoleCreated', 'RoleChanged', 'RoleDeleted', 'RoleGranted', 'RoleRevoked',
          'SecondFactorAdded', 'SecondFactorRemoved', 'SecondFactorsReset', 'SecondFactorPolicySet')
ORDER BY notification_id
LIMIT %(limit)s

-- name: state_events_about
-- The same, and all events about one sub-user.
WITH page AS MATERIALIZED (
    (SELECT notification_id AS position
     FROM stored_events
     WHERE originator_id = %(account_id)s
       AND notification_id > %(after_position)s AND notification_id <= %(max_position)s
       AND topic IN (
          'MainAccountRegistered', 'MainAccountDetailsChanged', 'MainAccountExternalIdSet', 'MainAccountClosed',
          'SubUserLimitRaised', 'MainAccountPlanSet', 'SubUserCreated', 'SubUserDetailsChanged', 'SubUserEmailChanged',
          'SubUserVisibilityChanged', 'SubUserAccessExpirySet', 'SubUserActivated', 'SubUserDeactivated',
          'SubUserPasswordReset', 'SubUserPasswordChanged', 'SubUserLockedOut', 'SubUserUnlocked', 'SubUserDeleted',
          'RoleCreated', 'RoleChanged', 'RoleDeleted', 'RoleGranted', 'RoleRevoked',
          'SecondFactorAdded', 'SecondFactorRemoved', 'SecondFactorsReset', 'SecondFactorPolicySet')
     ORDER BY notification_id
     LIMIT %(limit)s)
    UNION
    (SELECT position
     FROM (SELECT account_id, sub_user_id, position FROM audit_view
           UNION ALL SELECT account_id, sub_user_id, position FROM audit_older) AS a
     JOIN stored_events e ON e.notification_id = a.position AND e.originator_id = a.account_id
     WHERE a.account_id = %(account_id)s AND sub_user_id = %(sub_user_id)s
       AND position > %(after_position)s AND position <= %(max_position)s
     ORDER BY position
     LIMIT %(limit)s)
)
SELECT page.position, e.originator_id, e.originator_version, e.topic, e.state
FROM page
JOIN stored_events e ON e.notification_id = page.position
ORDER BY page.position
LIMIT %(limit)s

-- name: version_at_position
-- The version of an account's own stream at a position.
SELECT originator_version AS version FROM stored_events
WHERE originator_id = %(account_id)s AND notification_id <= %(position)s
ORDER BY originator_version DESC
LIMIT 1

-- name: view_position
-- The position that the audit log has reached: it lists events up to there.
SELECT position FROM followers WHERE name = 'audit-log'

-- name: api_key_names
-- Names of the API keys that may act in other companies' accounts.
SELECT api_key_id::text AS id, name FROM api_keys WHERE scope IN ('support', 'auditor')

-- name: access_events
-- The events of an account's own stream, up to a version, that decide who has access to what.
SELECT originator_id, originator_version, topic, state
FROM stored_events
WHERE originator_id = %(account_id)s AND originator_version <= %(max_version)s
  AND topic IN (
          'MainAccountRegistered', 'MainAccountDetailsChanged', 'MainAccountExternalIdSet', 'MainAccountClosed',
          'SubUserLimitRaised', 'MainAccountPlanSet', 'SubUserCreated', 'SubUserDetailsChanged', 'SubUserEmailChanged',
          'SubUserVisibilityChanged', 'SubUserAccessExpirySet', 'SubUserActivated', 'SubUserDeactivated',
          'SubUserPasswordReset', 'SubUserPasswordChanged', 'SubUserLockedOut', 'SubUserUnlocked', 'SubUserDeleted',
          'RoleCreated', 'RoleChanged', 'RoleDeleted', 'RoleGranted', 'RoleRevoked',
          'SecondFactorAdded', 'SecondFactorRemoved', 'SecondFactorsReset', 'SecondFactorPolicySet')
ORDER BY notification_id

-- name: positions_of
-- The positions of events of an account's own stream.
SELECT originator_version AS version, notification_id AS position FROM stored_events
WHERE originator_id = %(account_id)s AND originator_version = ANY(%(versions)s)
