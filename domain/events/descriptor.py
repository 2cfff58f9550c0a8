"""Descriptor of an event class, from which other layers derive their tables of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.events.ocsf import UNCLASSIFIED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.events.ocsf import OcsfActivity


@dataclass(frozen=True)
class EventDescriptor:
    """Audit action, published form and OCSF classification of an event class.

    `name` is the event's action in the audit log and part of its published type: public API, as stable as the topic.
    `facts` names the fields that are published, in this order. Their annotations give the types, and `| None` makes a
    fact optional. `descriptions` and `examples` document single facts.
    If `has_own_action` is False, the action is the one that the portal reports.
    """

    name: str
    summary: str
    facts: tuple[str, ...] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)
    examples: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    ocsf: OcsfActivity = UNCLASSIFIED
    has_own_action: bool = True
    version: int = 1
