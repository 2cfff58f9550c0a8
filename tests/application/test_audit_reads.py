"""That somebody looked is recorded: apart from every command, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from application.audit_reads import Asked
from application.origin import Origin
from domain.cause import ActorType, Reading
from tests.people import PORTAL
from tests.postgres import ask

if TYPE_CHECKING:
    from api.bootstrap import Service
    from tests.conftest import TravelingClock
    from tests.people import Company

AUDITOR = Origin(ActorType.AUDITOR, "an auditor's key", "request 3", "192.0.2.7", "a script")
LOOKS = "SELECT count(*)::int FROM stored_events WHERE topic = 'AuditLogRead'"
NOON = datetime(2099, 5, 1, 12, tzinfo=UTC)


def test_the_same_question_is_one_look(service: Service, company: Company, database_url: str) -> None:
    """Of the same reader within five minutes; another question, or another reader, is another look."""
    asked = Asked(company.account_id)
    service.audit_reads._clock = lambda: NOON  # noqa: SLF001  # five minutes of the clock may end between two looks
    for _ in range(3):
        service.audit_reads.note_read(Reading.AUDIT_LOG, asked, AUDITOR)
    assert ask(database_url, LOOKS) == [(1,)]

    service.audit_reads.note_read(Reading.HISTORY, asked, AUDITOR)
    service.audit_reads.note_read(Reading.HISTORY, asked, AUDITOR, as_of=NOON)
    service.audit_reads.note_read(Reading.AUDIT_LOG, Asked(company.account_id, wanted_action="tool.used"), AUDITOR)
    service.audit_reads.note_read(Reading.AUDIT_LOG, asked, Origin(ActorType.AUDITOR, "another key"))
    assert ask(database_url, LOOKS) == [(5,)]


def test_later_it_is_another_look(service: Service, company: Company, clock: TravelingClock, database_url: str) -> None:
    for _ in range(2):
        service.audit_reads.note_read(Reading.AUDIT_LOG, Asked(company.account_id), AUDITOR)
        clock.advance(minutes=5)
    assert ask(database_url, LOOKS) == [(2,)]


def test_every_copy_is_recorded(service: Service, company: Company) -> None:
    """With what was asked for, and from where, sealed for the account's owner; and where it stands is told."""
    asked = Asked(company.account_id, since=NOON)
    positions = [service.audit_reads.note_exported("csv", asked, AUDITOR, after=7) for _ in range(2)]
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
    assert (key.open("ip", event.ip), key.open("user_agent", event.user_agent)) == (AUDITOR.ip, AUDITOR.user_agent)


def test_of_all_accounts_there_is_no_key_to_seal_with(service: Service) -> None:
    """So that where it came from is left out, not kept in the clear."""
    position = service.audit_reads.note_exported("jsonl", Asked(), PORTAL)
    notifications = service.main_accounts.notification_log.select(position, limit=1)
    event: Any = service.main_accounts.mapper.to_domain_event(notifications[0])
    assert (event.account_id, event.ip, event.user_agent, event.request_id) == (None, None, None, PORTAL.request_id)
