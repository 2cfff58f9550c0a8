-- Devices from which people have signed in, so that a sign-in from another one is announced to them. Of a device, only a
-- keyed hash is stored, which differs between people.
CREATE TABLE devices (
    person_id uuid NOT NULL,
    device_hash bytea NOT NULL,
    first_used_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, device_hash)
);
CREATE INDEX devices_last_used_at_idx ON devices (last_used_at);
