"""Recording access to the audit log: apart from the account's stream, and bounded in number."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from application.command_context import CommandContext
from application.commands.audit_access import AuditAccess
from domain.event_metadata import ActorType, ReadTarget
from tests.builders import PORTAL
from tests.postgres import fetch

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from tests.builders import Company
    from tests.conftest import TravelingClock

AUDITOR = CommandContext(ActorType.AUDITOR, "an auditor's key", "request 3", "192.0.2.7", "a script")
ACCESS_COUNT = "SELECT count(*)::int FROM stored_events WHERE topic = 'AuditLogRead'"
NOON = datetime(2099, 5, 1, 12, tzinfo=UTC)


def test_repeated_access_is_recorded_once(service: Service, company: Company, database_url: str) -> None:
    """Within five minutes, each reader is recorded once per query."""
    access = AuditAccess(company.account_id)
    service.commands.audit_access._clock = lambda: NOON  # noqa: SLF001  # a five-minute window could end between two calls
    for _ in range(3):
        service.commands.audit_access.record_access(ReadTarget.AUDIT_LOG, access, AUDITOR)
    assert fetch(database_url, ACCESS_COUNT) == [(1,)]

    service.commands.audit_access.record_access(ReadTarget.HISTORY, access, AUDITOR)
    service.commands.audit_access.record_access(ReadTarget.HISTORY, access, AUDITOR, as_of=NOON)
    service.commands.audit_access.record_access(
        ReadTarget.AUDIT_LOG, AuditAccess(company.account_id, actions=("tool.used",)), AUDITOR
    )
    service.commands.audit_access.record_access(
        ReadTarget.AUDIT_LOG, access, CommandContext(ActorType.AUDITOR, "another key")
    )
    assert fetch(database_url, ACCESS_COUNT) == [(5,)]


def test_access_is_recorded_again_after_five_minutes(
    service: Service, company: Company, clock: TravelingClock, database_url: str
) -> None:
    for _ in range(2):
        service.commands.audit_access.record_access(ReadTarget.AUDIT_LOG, AuditAccess(company.account_id), AUDITOR)
        clock.advance(minutes=5)
    assert fetch(database_url, ACCESS_COUNT) == [(2,)]


def test_every_export_is_recorded(service: Service, company: Company) -> None:
    """The event has the query, the start position, and the origin, encrypted for the account's owner."""
    access = AuditAccess(company.account_id, since=NOON)
    positions = [service.commands.audit_access.record_export("csv", access, AUDITOR, after=7) for _ in range(2)]
    assert positions[1] > positions[0]

    notifications = service.main_accounts.notification_log.select(positions[0], limit=1)
    event: Any = service.main_accounts.mapper.to_domain_event(notifications[0])
    key = service.person_key(company.account_id)
    assert key is not None
    assert (event.actor_type, event.actor_id, event.format, event.after) == (
        ActorType.AUDITOR,
        AUDITOR.actor_id,
        "csv",
        7,
    )
    assert (event.account_id, event.since, event.until) == (company.account_id, NOON, None)
    assert (key.decrypt("ip", event.ip), key.decrypt("user_agent", event.user_agent)) == (
        AUDITOR.ip,
        AUDITOR.user_agent,
    )


def test_export_of_all_accounts_has_no_origin(service: Service) -> None:
    """Without an account there is no key to encrypt the origin, so the event has none."""
    position = service.commands.audit_access.record_export("jsonl", AuditAccess(), PORTAL)
    notifications = service.main_accounts.notification_log.select(position, limit=1)
    event: Any = service.main_accounts.mapper.to_domain_event(notifications[0])
    assert (event.account_id, event.ip, event.user_agent, event.request_id) == (None, None, None, PORTAL.request_id)
