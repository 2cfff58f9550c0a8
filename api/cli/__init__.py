"""The command line. `main` reports a damaged installation, so this module imports nothing but the standard library."""

from __future__ import annotations

import sys

INTERNAL_ERROR = 70
"""Exit code of a fault of the program itself (EX_SOFTWARE of sysexits.h): not to be taken for a result of `verify`."""


def main() -> None:
    """Run the command in `sys.argv`, and exit with its code."""
    try:
        from api.cli.program import run  # noqa: PLC0415  # so that errors of any import are reported
    except Exception as error:  # noqa: BLE001  # Python would exit with 1, which means "tampered" from `verify`
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        sys.stderr.write(f"subusers: the program cannot be loaded ({reason}): install it again\n")
        sys.exit(INTERNAL_ERROR)
    sys.exit(run())
