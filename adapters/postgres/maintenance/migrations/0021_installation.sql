-- Facts about the installation that every process and command must agree on: one row.
CREATE TABLE installation (
    is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
    source text NOT NULL  -- the attribute `source` of published events
);
