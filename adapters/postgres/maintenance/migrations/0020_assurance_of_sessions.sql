-- Assurance level of each session. `restricted` remains for processes of the previous release, which still read and write
-- it while they are being replaced. A trigger derives either column from the other.
ALTER TABLE sessions
    ADD COLUMN assurance text CHECK (assurance IN ('temporary_password', 'password', 'second_factor'));
UPDATE sessions SET assurance = CASE WHEN restricted THEN 'temporary_password' ELSE 'password' END;
ALTER TABLE sessions ALTER COLUMN assurance SET NOT NULL;

CREATE FUNCTION set_assurance_and_restricted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.assurance := coalesce(NEW.assurance, CASE WHEN NEW.restricted THEN 'temporary_password' ELSE 'password' END);
    NEW.restricted := NEW.assurance = 'temporary_password';
    RETURN NEW;
END
$$;
CREATE TRIGGER set_assurance_and_restricted BEFORE INSERT ON sessions
FOR EACH ROW EXECUTE FUNCTION set_assurance_and_restricted();
