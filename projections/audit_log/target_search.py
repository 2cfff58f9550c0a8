"""Search of an account's activities by their targets, which are encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.postgres.sql_files import statements
from domain.event_metadata import Ciphertext
from projections.audit_log.search_text import grams, search_text

if TYPE_CHECKING:
    from uuid import UUID

    from application.ports.vault import Vault
    from projections.runtime.freshness import Database

SQL = statements("projections.audit_log", "target_search")

MAX_TARGETS = 5000
"""Limit of the targets that one search decrypts, the newest first."""


@dataclass(frozen=True)
class TextMatches:
    """What a searched text is in: targets of activities, and names of sub-users."""

    target_keys: tuple[int, ...] = ()
    sub_user_ids: tuple[UUID, ...] = ()


class TargetSearch:
    """Finds the targets and the people that a text is part of, ignoring accents and case."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def find(self, account_id: UUID, text: str) -> TextMatches:
        """Return what contains a text. Erased people and their targets are not found."""
        searched = search_text(text)
        with self._database.get_connection() as connection:
            names = connection.execute(SQL["names"], {"account_id": account_id}, prepare=True).fetchall()
        entries = self._vault.entries(list(self._vault.person_ids_of(account_id)))
        keys = {person_id: entry.key for person_id, entry in entries.items()}
        searched_grams = grams(searched)
        parameters = {
            "account_id": account_id,
            "person_ids": list(keys),
            "signatures": [f"{key.search_signature(searched_grams):0256b}" for key in keys.values()],
            "limit": MAX_TARGETS,
        }
        with self._database.get_connection() as connection:
            candidates = connection.execute(SQL["candidates"], parameters, prepare=True).fetchall()
        return TextMatches(
            tuple(
                row["target_key"]
                for row in candidates
                if searched in search_text(keys[row["sub_user_id"]].decrypt("target", Ciphertext(row["sealed_target"])))
            ),
            tuple(row["sub_user_id"] for row in names if searched in search_text(row["name"])),
        )
