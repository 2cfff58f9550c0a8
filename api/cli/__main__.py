"""Lets `python -m api.cli` run the same commands as `subusers`."""

from __future__ import annotations

from api.cli import main

main()
