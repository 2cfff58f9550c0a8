-- Raises unless a key is good, and keeps it so until the transaction ends: revoking it waits.
CREATE FUNCTION require_good_api_key(wanted uuid, at timestamptz) RETURNS SETOF void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM api_keys
    WHERE api_key_id = wanted AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > at)
    FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'API key % is not good', wanted
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'good_api_key';
    END IF;
END
$$;

-- Raises if an active webhook still belongs to a key: it was made after the key's webhooks were looked up.
CREATE FUNCTION require_no_active_webhook(wanted uuid) RETURNS SETOF void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM webhooks WHERE api_key_id = wanted AND disabled_at IS NULL) THEN
        RAISE EXCEPTION 'API key % has an active webhook', wanted
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'no_active_webhook';
    END IF;
END
$$;
