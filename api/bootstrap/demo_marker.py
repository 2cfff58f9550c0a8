"""Marker file with the id of the demo account, which lets every page show that it is a demo."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from pathlib import Path

    from api.bootstrap.config import Settings


def mark_demo(settings: Settings, account_id: UUID) -> None:
    """Record that an account is the demo."""
    _marker_file(settings).write_text(f"{account_id}\n", encoding="ascii")


def demo_account(settings: Settings) -> UUID | None:
    """Return the id of the demo account; None without one, and always without embedded PostgreSQL."""
    if not settings.embedded or not _marker_file(settings).exists():
        return None
    return UUID(_marker_file(settings).read_text(encoding="ascii").strip())


def _marker_file(settings: Settings) -> Path:
    return settings.data_dir / "demo-account"
