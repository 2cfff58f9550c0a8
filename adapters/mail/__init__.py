"""Composition of mails to sub-users, and transports that send or file them."""
