-- name: find_device
-- A device of a person.
SELECT device_hash FROM devices WHERE person_id = %(person_id)s AND device_hash = %(device_hash)s

-- name: find_any_device
-- One of the devices of a person.
SELECT device_hash FROM devices WHERE person_id = %(person_id)s LIMIT 1
