-- name: grants_of_others
-- Grants of sub-users whom nobody asks about: 1,000 each, ten sub-users an account. Only the rows that checks read.
INSERT INTO role_grants (grant_id, account_id, sub_user_id, role_id, resource_type, resource_id, granted_at, version)
SELECT gen_random_uuid(), md5('account ' || number / 10000)::uuid, md5('sub-user ' || number / 1000)::uuid,
       '5b5e9ac4-3c3b-5d0e-9a55-7b6a4b0f0a01', 'assistant', (number %% 1000)::text, now(), number
FROM generate_series(1, %(grants)s) AS number

-- name: grants_of_sub_users
-- Grants of the sub-users who are asked about, in place of the one on everything.
WITH removed AS (DELETE FROM role_grants WHERE sub_user_id = ANY (%(sub_user_ids)s))
INSERT INTO role_grants (grant_id, account_id, sub_user_id, role_id, resource_type, resource_id, granted_at, version)
SELECT gen_random_uuid(), v.account_id, v.person_id, '5b5e9ac4-3c3b-5d0e-9a55-7b6a4b0f0a01', 'assistant',
       number::text, now(), number
FROM vault v, generate_series(1, %(grants)s) AS number
WHERE v.person_id = ANY (%(sub_user_ids)s)
