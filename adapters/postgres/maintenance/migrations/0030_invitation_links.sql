-- What the last credentials mail to a sub-user contained: a temporary password, or a link to choose one.
ALTER TABLE sub_user_view ADD COLUMN credentials_kind text NOT NULL DEFAULT 'password';
