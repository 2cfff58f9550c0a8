"""Roles of an account, and the grants of its sub-users."""
