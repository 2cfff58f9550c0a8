"""Embedded PostgreSQL, used if no database is configured. It runs the binaries of a Python wheel.

The wheel's Python helper is not used: it trusts all local connections, trusts stale pid files, and loosens the
permissions of parent folders. Importing this package has no side effects. POSIX systems only.
"""

from __future__ import annotations

from adapters.embedded_postgres.embedded import EmbeddedPostgres
from adapters.embedded_postgres.errors import EmbeddedPostgresError

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
