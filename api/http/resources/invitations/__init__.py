"""Invitations of sub-users."""
