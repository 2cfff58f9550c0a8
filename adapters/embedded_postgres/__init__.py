"""PostgreSQL for "no database configured": the wheel's own binaries, run and looked after by us.

The wheel's Python helper is not used: it trusts every local connection, believes old pid files, and opens the
permissions of parent folders. Nothing happens on import. POSIX systems only.
"""

from __future__ import annotations

from adapters.embedded_postgres.embedded import EmbeddedPostgres
from adapters.embedded_postgres.errors import EmbeddedPostgresError

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
