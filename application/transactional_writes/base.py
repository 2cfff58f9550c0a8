"""Base class of transactional writes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TransactionalWrite:
    """Base class of all transactional writes."""
