-- name: grants_of_session
-- The session of a token, if it is active, with the person's grants on the resources. At least one row for an active
-- session. The revision of the catalogue is the version of its stream.
SELECT s.session_id, s.account_id, s.person_id, s.assurance, s.opened_at, s.last_used_at,
       least(s.expires_at, s.access_expires_at) AS expires_at, s.ip, s.user_agent,
       EXISTS (SELECT FROM accounts_requiring_second_factor a WHERE a.account_id = s.account_id)
           OR EXISTS (SELECT FROM second_factors f WHERE f.person_id = s.person_id) AS needs_second_factor,
       coalesce((SELECT max(originator_version) FROM stored_events WHERE originator_id = %(catalogue_id)s), 0)
           AS catalogue_revision,
       0::bigint AS account_version,
       g.grant_id, g.sub_user_id, g.role_id, g.resource_type, g.resource_id, g.expires_at AS grant_expires_at, g.version,
       r.permissions
FROM sessions s
LEFT JOIN LATERAL (
    SELECT g.* FROM unnest({asked}) AS asked (resource_type, resource_id)
    JOIN role_grants g ON g.sub_user_id = s.person_id
        AND g.resource_type = asked.resource_type AND g.resource_id = asked.resource_id
) AS g ON true
LEFT JOIN account_roles r ON r.role_id = g.role_id
WHERE s.token_hash = %(token_hash)s AND s.expires_at > %(now)s
  AND (s.access_expires_at IS NULL OR s.access_expires_at > %(now)s)
  AND s.last_used_at > %(now)s - interval '60 minutes'

-- name: grants_of_sub_user
-- A sub-user's grants on the resources. At least one row.
SELECT state.*, g.grant_id, g.sub_user_id, g.role_id, g.resource_type, g.resource_id, g.expires_at AS grant_expires_at,
       g.version, r.permissions
FROM (SELECT coalesce((SELECT max(originator_version) FROM stored_events WHERE originator_id = %(catalogue_id)s), 0)
                 AS catalogue_revision,
             coalesce((SELECT max(originator_version) FROM stored_events WHERE originator_id = %(account_id)s), 0)
                 AS account_version) AS state
LEFT JOIN LATERAL (
    SELECT g.* FROM unnest({asked}) AS asked (resource_type, resource_id)
    JOIN role_grants g ON g.sub_user_id = %(sub_user_id)s AND g.account_id = %(account_id)s
        AND g.resource_type = asked.resource_type AND g.resource_id = asked.resource_id
) AS g ON true
LEFT JOIN account_roles r ON r.role_id = g.role_id

-- name: grants_of_sub_user_by_type
-- A sub-user's grants on everything and on resources of a type. At least one row.
SELECT state.*, g.grant_id, g.sub_user_id, g.role_id, g.resource_type, g.resource_id, g.expires_at AS grant_expires_at,
       g.version, r.permissions
FROM (SELECT coalesce((SELECT max(originator_version) FROM stored_events WHERE originator_id = %(catalogue_id)s), 0)
                 AS catalogue_revision,
             coalesce((SELECT max(originator_version) FROM stored_events WHERE originator_id = %(account_id)s), 0)
                 AS account_version) AS state
LEFT JOIN role_grants g ON g.sub_user_id = %(sub_user_id)s AND g.account_id = %(account_id)s
    AND g.resource_type IN ('', %(resource_type)s)
LEFT JOIN account_roles r ON r.role_id = g.role_id

-- name: grants_of_sub_user_in_full
-- All grants of a sub-user. At least one row.
SELECT state.*, g.grant_id, g.sub_user_id, g.role_id, g.resource_type, g.resource_id, g.expires_at AS grant_expires_at,
       g.version, r.permissions
FROM (SELECT coalesce((SELECT max(originator_version) FROM stored_events WHERE originator_id = %(catalogue_id)s), 0)
                 AS catalogue_revision,
             coalesce((SELECT max(originator_version) FROM stored_events WHERE originator_id = %(account_id)s), 0)
                 AS account_version) AS state
LEFT JOIN role_grants g ON g.sub_user_id = %(sub_user_id)s AND g.account_id = %(account_id)s
LEFT JOIN account_roles r ON r.role_id = g.role_id

-- name: grants_of_account
-- The grants of all sub-users of an account on the resources. At least one row.
SELECT state.*, g.grant_id, g.sub_user_id, g.role_id, g.resource_type, g.resource_id, g.expires_at AS grant_expires_at,
       g.version, r.permissions
FROM (SELECT coalesce((SELECT max(originator_version) FROM stored_events WHERE originator_id = %(catalogue_id)s), 0)
                 AS catalogue_revision,
             coalesce((SELECT max(originator_version) FROM stored_events WHERE originator_id = %(account_id)s), 0)
                 AS account_version) AS state
LEFT JOIN LATERAL (
    SELECT g.* FROM unnest({asked}) AS asked (resource_type, resource_id)
    JOIN role_grants g ON g.account_id = %(account_id)s
        AND g.resource_type = asked.resource_type AND g.resource_id = asked.resource_id
) AS g ON true
LEFT JOIN account_roles r ON r.role_id = g.role_id

-- name: list_grants
-- All grants of a sub-user, oldest first.
SELECT grant_id, sub_user_id, role_id, resource_type, resource_id, expires_at AS grant_expires_at, granted_at, version,
       encrypted_label, encrypted_reason
FROM role_grants
WHERE sub_user_id = %(sub_user_id)s
ORDER BY version, grant_id

-- name: catalogue_revision
-- The revision of the permission catalogue: the version of its stream.
SELECT coalesce(max(originator_version), 0) AS catalogue_revision
FROM stored_events WHERE originator_id = %(catalogue_id)s

-- name: accounts_with_permissions
-- The accounts in which a role has one of the permissions, with the versions of their streams.
SELECT account_id, version
FROM (SELECT DISTINCT account_id FROM account_roles WHERE permissions && %(names)s::text[]) AS accounts,
     LATERAL (SELECT max(originator_version) AS version FROM stored_events WHERE originator_id = account_id) AS newest
ORDER BY account_id
