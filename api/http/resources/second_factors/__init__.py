"""Second factors of sub-users and owners."""
