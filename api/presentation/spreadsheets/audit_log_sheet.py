"""Audit log rows for people's spreadsheets, in their language and time zone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from api.presentation import times
from application.commands.resources import ERASED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from api.presentation.event_descriptions import EventDescriptions
    from api.presentation.spreadsheets.files import Cell
    from application.ports.sign_in.client_details import ClientDetails
    from projections.audit_log.rows import AuditRow

COLUMNS = (
    *("when", "who", "what", "event", "person", "target", "reason"),
    *("details", "ip", "device", "user_agent", "position"),
)


@dataclass(frozen=True)
class AuditLogSheet:
    """Cells of audit log rows. `client_of` describes a user agent."""

    descriptions: EventDescriptions
    name_by_id: Mapping[str, str]
    client_of: Callable[[str], ClientDetails]
    devices: dict[str, str] = field(default_factory=dict)
    """Devices by user agent: most rows have one of a few, and parsing one takes long."""

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns. The zone of the times is in the first one."""
        translate = partial(self.descriptions.translate, zone=str(self.descriptions.zone))
        return tuple(translate(f"actions.column.{name}") for name in COLUMNS)

    def cells(self, row: AuditRow) -> tuple[Cell, ...]:
        """Return the cells of a row, in the order of `COLUMNS`."""
        descriptions = self.descriptions
        return (
            times.to_zone(row.occurred_at, descriptions.zone).replace(tzinfo=None, microsecond=0),
            descriptions.actor(row),
            descriptions.describe(row, self.name_by_id),
            descriptions.label(row.action),
            descriptions.subject(row, self.name_by_id) if row.sub_user_id is not None else None,
            self._text(row.target),
            self._text(row.reason),
            " · ".join([f"{label}: {value}" for label, value in descriptions.action_details(row)]),
            self._text(row.ip),
            self._device(row.user_agent),
            self._text(row.user_agent),
            row.position,
        )

    def _text(self, value: str | None) -> str | None:
        return self.descriptions.translate("actions.erased_data") if value == ERASED else value

    def _device(self, user_agent: str | None) -> str | None:
        if user_agent is None or user_agent == ERASED:
            return None
        if user_agent not in self.devices:
            client = self.client_of(user_agent)
            self.devices[user_agent] = " · ".join(part for part in (client.browser, client.device) if part)
        return self.devices[user_agent]
