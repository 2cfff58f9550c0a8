-- Text without accents and case, for searching and sorting names. It needs neither ICU nor the extension unaccent: the
-- embedded server has none of them. NFKD splits a letter from its accents; the letters listed here are not split.
-- Most texts are ASCII, for which `lower` is ten times as fast.
CREATE FUNCTION search_text(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN value ~ '^[\x01-\x7f]*$' THEN lower(value) ELSE replace(replace(replace(replace(
    translate(lower(regexp_replace(normalize(value, NFKD), '[\u0300-\u036f]', '', 'g')), 'øđðłħıŧ’‘ʼ', 'oddlhit'''''''),
    'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th') END;

-- chr(1) sorts before every character of a name: Anna Zanetti comes before Anna Maria Bianchi. Keys have a limited
-- length, because pagination cursors contain them, and NFKD can make eighteen characters of one.
ALTER TABLE sub_user_view
    ADD COLUMN name_key text COLLATE "C" NOT NULL
        GENERATED ALWAYS AS (left(search_text(name || chr(1) || surname), 150)) STORED,
    ADD COLUMN surname_key text COLLATE "C" NOT NULL
        GENERATED ALWAYS AS (left(search_text(surname || chr(1) || name), 150)) STORED,
    ADD COLUMN found_by text NOT NULL GENERATED ALWAYS AS (search_text(name || ' ' || surname || ' ' || email)) STORED;
CREATE INDEX sub_user_view_name_idx ON sub_user_view (account_id, name_key, sub_user_id);
