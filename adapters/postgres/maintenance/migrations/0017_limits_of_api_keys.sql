-- What an API key may be limited to, and when it was last used, to the minute. `version` counts the events of its
-- stream; keys made before there were any have 0.
ALTER TABLE api_keys
    ADD COLUMN version bigint NOT NULL DEFAULT 0,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN allowed_addresses cidr[],
    ADD COLUMN accounts uuid[],
    ADD COLUMN last_used_at timestamptz;

-- A webhook ends with the key that it belongs to; webhooks made before this belong to none. `slow` tells whether the
-- last attempt took long: such receivers share some of the places for deliveries.
ALTER TABLE webhooks
    ADD COLUMN api_key_id uuid,
    ADD COLUMN slow boolean NOT NULL DEFAULT false;
CREATE INDEX webhooks_api_key_idx ON webhooks (api_key_id);
