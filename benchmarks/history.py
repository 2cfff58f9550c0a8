"""Synthetic event history, written straight into the store. Its encrypted fields are random and cannot be decrypted."""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from rich.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNTS = 1000
SUB_USERS = 10
"""Sub-users per account."""

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = "originator_id, originator_version, topic, state"


class HistoryGenerator:
    """Generates events: six in ten are activities, the others the most frequent ones of accounts with ten sub-users."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._accounts = [self._id() for _ in range(ACCOUNTS)]
        self.sub_users = {account_id: [str(self._id()) for _ in range(SUB_USERS)] for account_id in self._accounts}
        self._versions = dict.fromkeys(self._accounts, 0)
        self._ciphertexts = {size: [self._random_ciphertext(size) for _ in range(1000)] for size in (12, 60, 120)}

    def rows(self, events: int) -> Iterator[tuple[UUID, int, str, bytes]]:
        """Yield `events` rows, in the order of recording."""
        for number in range(events):
            account_id = self._random.choice(self._accounts)
            sub_user_id = self._random.choice(self.sub_users[account_id])
            timestamp = (BEGINNING + timedelta(seconds=3 * number)).isoformat(timespec="microseconds")
            if self._random.random() < 0.6:
                yield self._id(), 1, "SubUserActivityRecorded", self._activity(timestamp, account_id, sub_user_id)
            else:
                topic, fields = self._random.choice(self._account_events())
                self._versions[account_id] += 1
                state = self._account_event(timestamp, sub_user_id, fields)
                yield account_id, self._versions[account_id], topic, state

    def _account_events(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        return (
            ("SubUserLoggedIn", {"session_id": str(self._id()), "with_temporary_password": False}),
            ("SubUserLoggedOut", {"session_id": str(self._id())}),
            ("SubUserLoginRefused", {"why": "wrong_password", "failures": 1}),
            ("SubUserVisibilityChanged", {"visible": False}),
            ("SubUserDetailsChanged", {"name": self._ciphertext(12), "surname": self._ciphertext(12)}),
        )

    def _activity(self, timestamp: str, account_id: UUID, sub_user_id: str) -> bytes:
        return _json(
            timestamp=timestamp,
            account_id=str(account_id),
            sub_user_id=sub_user_id,
            action="assistant.edited",
            target=self._ciphertext(12),
            occurred_at=timestamp,
            **self._request_fields(),
        )

    def _account_event(self, timestamp: str, sub_user_id: str, fields: dict[str, Any]) -> bytes:
        actor = {"actor_type": "sub_user", "actor_id": sub_user_id}
        return _json(timestamp=timestamp, **actor, **self._request_fields(), sub_user_id=sub_user_id, **fields)

    def _request_fields(self) -> dict[str, str]:
        return {"request_id": str(self._id()), "ip": self._ciphertext(12), "user_agent": self._ciphertext(120)}

    def _ciphertext(self, size: int) -> str:
        return self._random.choice(self._ciphertexts[size])

    def _random_ciphertext(self, size: int) -> str:
        """Return a random value of the length that an encrypted text of `size` bytes has, with nonce and tag."""
        return "1." + base64.urlsafe_b64encode(self._random.randbytes(12 + size + 16)).decode().rstrip("=")

    def _id(self) -> UUID:
        return UUID(bytes=self._random.randbytes(16), version=4)


def write_history(url: str, events: int) -> None:
    """Write events into the store of a migrated database."""
    rows = track(HistoryGenerator().rows(events), f"{events:,} events", total=events)
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.cursor() as cursor, cursor.copy(f"COPY stored_events ({COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        connection.execute("VACUUM ANALYZE stored_events")


def _json(**state: Any) -> bytes:
    return json.dumps(state, separators=(",", ":")).encode()
