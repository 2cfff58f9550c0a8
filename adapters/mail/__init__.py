"""Mails to sub-users: what they look like, and how they are handed over."""
