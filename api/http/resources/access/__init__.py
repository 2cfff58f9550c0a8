"""Checks and reports of access."""
