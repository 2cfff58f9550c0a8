-- Deleted sub-users whose key is kept for a while (SUBUSERS_ERASURE_DELAY): whoever works next after `due_at` erases
-- them, again after `again_at` should that worker die with it.
CREATE TABLE legal_holds (
    person_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    due_at timestamptz NOT NULL,
    again_at timestamptz NOT NULL
);
CREATE INDEX legal_holds_again_idx ON legal_holds (again_at);

-- The retention of the audit log goes by whole days.
CREATE INDEX audit_day_counts_day_idx ON audit_day_counts (day);
