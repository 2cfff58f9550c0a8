-- How the publisher gets on with the broker, one row at most. Its position is in `followers`, under the name `publisher`.
CREATE TABLE publisher_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    available boolean NOT NULL,
    since timestamptz NOT NULL,
    reason text,
    published bigint NOT NULL DEFAULT 0,
    returned bigint NOT NULL DEFAULT 0
);
