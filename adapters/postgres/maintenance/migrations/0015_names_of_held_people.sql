-- What a deleted sub-user is called while a legal hold lasts, encrypted under their key as in the history: the audit log
-- shows either all that is held of a person, or nothing.
ALTER TABLE legal_holds ADD COLUMN sealed_name text, ADD COLUMN sealed_surname text;

WITH named AS (
    SELECT h.person_id, e.originator_version AS version, convert_from(e.state, 'UTF8')::json AS state
    FROM legal_holds h
    JOIN stored_events e ON e.originator_id = h.account_id
    WHERE e.topic IN ('SubUserCreated', 'SubUserDetailsChanged')
), own AS (
    SELECT person_id, version, state ->> 'name' AS name, state ->> 'surname' AS surname
    FROM named
    WHERE state ->> 'sub_user_id' = person_id::text
), latest AS (
    SELECT person_id,
           (array_agg(name ORDER BY version DESC) FILTER (WHERE name IS NOT NULL))[1] AS name,
           (array_agg(surname ORDER BY version DESC) FILTER (WHERE surname IS NOT NULL))[1] AS surname
    FROM own
    GROUP BY person_id
)
UPDATE legal_holds h SET sealed_name = latest.name, sealed_surname = latest.surname
FROM latest
WHERE latest.person_id = h.person_id;
