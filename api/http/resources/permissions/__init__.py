"""The permission catalogue."""
