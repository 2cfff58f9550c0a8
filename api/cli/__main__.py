"""Makes `python -m api.cli` the same as `subusers`."""

from __future__ import annotations

from api.cli import main

main()
