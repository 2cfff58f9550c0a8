"""Tables of roles and grants."""
