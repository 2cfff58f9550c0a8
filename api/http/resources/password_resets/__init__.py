"""Resource: resets of forgotten passwords, and invitations, by mailed links."""
