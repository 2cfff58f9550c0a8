-- name: add_row
-- Where an event stands.
INSERT INTO audit_view (position, account_id, action, sub_user_id, occurred_at)
VALUES (%(position)s, %(account_id)s, %(action)s, %(sub_user_id)s, %(occurred_at)s)
