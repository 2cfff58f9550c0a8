"""Which account is the demo: noted beside an embedded Postgres's data, so that every page can say that it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from pathlib import Path

    from api.config import Settings


def mark_demo(settings: Settings, account_id: UUID) -> None:
    """Note that this account is the demo."""
    _file(settings).write_text(f"{account_id}\n", encoding="ascii")


def demo_account(settings: Settings) -> UUID | None:
    """Return the account that is the demo; None if there is none, as with any database but an embedded one."""
    if not settings.embedded or not _file(settings).exists():
        return None
    return UUID(_file(settings).read_text(encoding="ascii").strip())


def _file(settings: Settings) -> Path:
    return settings.data_dir / "demo-account"
