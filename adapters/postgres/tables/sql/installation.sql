-- name: source
-- The `source` of published events.
SELECT source FROM installation

-- name: set_source
-- Store the `source` of published events.
INSERT INTO installation (source) VALUES (%(source)s)
ON CONFLICT (is_only_row) DO UPDATE SET source = excluded.source

-- name: add_source
-- Store the `source` of published events unless one is stored.
INSERT INTO installation (source) VALUES (%(source)s) ON CONFLICT DO NOTHING
