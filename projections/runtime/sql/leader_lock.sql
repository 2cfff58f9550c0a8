-- name: try_leader_lock
-- Acquire the leader lock of a follower, unless another connection holds it. It ends with the connection.
SELECT pg_try_advisory_lock(723981, hashtext(%(name)s))
