"""Tables of second factors, recovery codes and challenges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.postgres.prepared_statements import fetch_all
from adapters.postgres.sql_files import statements
from application.sign_in.second_factors.ports import Challenge, ChallengePurpose, PublicKeyCredential, StoredFactor
from domain.second_factor import SecondFactorKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.sign_in", "second_factors")


class PostgresSecondFactors:
    """Reads the tables, and adds challenges. Transactional writes change everything else."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def of_person(self, person_id: UUID) -> Sequence[StoredFactor]:
        """Return the second factors of a person, oldest first."""
        return [_factor(row) for row in self._fetch("find_factors", person_id=person_id)]

    def find_passkey(self, credential_id: bytes) -> StoredFactor | None:
        """Return the passkey with this credential id."""
        return next(map(_factor, self._fetch("find_passkey", credential_id=credential_id)), None)

    def recovery_code_hashes(self, person_id: UUID) -> Sequence[bytes]:
        """Return the hashes of a person's unused recovery codes."""
        return [row.code_hash for row in self._fetch("find_recovery_codes", person_id=person_id)]

    def add_challenge(self, challenge: Challenge) -> None:
        """Store a challenge."""
        with self._database.get_connection() as connection:
            connection.execute(SQL["add_challenge"], vars(challenge))

    def find_challenge(self, challenge_id: UUID, now: datetime) -> Challenge | None:
        """Return a challenge, unless it has been used or has expired."""
        rows = self._fetch("find_challenge", challenge_id=challenge_id, now=now)
        return next(map(_challenge, rows), None)

    def _fetch(self, name: str, **parameters: Any) -> Sequence[Any]:
        with self._database.get_connection() as connection:
            return fetch_all(connection, SQL[name], parameters)


def _factor(row: Any) -> StoredFactor:
    return StoredFactor(
        factor_id=row.factor_id,
        account_id=row.account_id,
        person_id=row.person_id,
        kind=SecondFactorKind(row.kind),
        name=row.encrypted_name,
        secret=row.encrypted_secret,
        last_step=row.last_step,
        credential=_credential(row) if row.credential_id is not None else None,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


def _credential(row: Any) -> PublicKeyCredential:
    return PublicKeyCredential(row.credential_id, row.public_key, row.sign_count, row.transports, row.is_verifying)


def _challenge(row: Any) -> Challenge:
    return Challenge(
        challenge_id=row.challenge_id,
        purpose=ChallengePurpose(row.purpose),
        person_id=row.person_id,
        expires_at=row.expires_at,
        secret=row.encrypted_secret,
        challenge=row.challenge,
    )
