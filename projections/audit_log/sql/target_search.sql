-- name: names
-- Names of the sub-users of an account.
SELECT sub_user_id, name || ' ' || surname AS name FROM sub_user_view WHERE account_id = %(account_id)s

-- name: candidates
-- Targets that may contain the searched text: they have the bits of all of its grams, under the key of their person.
SELECT t.target_key, t.sub_user_id, t.sealed_target
FROM unnest(%(person_ids)s::uuid[], %(signatures)s::text[]) AS p (sub_user_id, signature)
JOIN audit_targets t ON t.sub_user_id = p.sub_user_id AND (t.signature & p.signature::bit(256)) = p.signature::bit(256)
WHERE t.account_id = %(account_id)s
LIMIT %(limit)s
