"""Ports of sign-in: links that are mailed or opened once."""
