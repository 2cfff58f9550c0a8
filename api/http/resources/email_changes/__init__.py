"""Confirmation and undoing of changes of the account's e-mail."""
