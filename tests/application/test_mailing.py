"""Mailing: each requested mail is sent once, retried while that makes sense, and its outcome recorded."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from email.errors import MessageError
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from adapters.mail.files import FileTransport
from adapters.mail.headers import address_field
from adapters.postgres.sign_in.mailed_links import PostgresMailedLinks
from adapters.postgres.tables.mail_queue import CLAIM_DURATION, PostgresMailQueue
from application.errors import StoreUnavailable
from application.ports.mailing import MailDelayed, MailRefused, MailThrottled
from application.workers.mail_composition import MailComposer, SignInUrls
from application.workers.mail_pacing import MailPacing
from application.workers.mailer import Mailer, delay_after
from domain.sub_user import CredentialsKind, Notice
from tests.builders import PORTAL, Company, catch_up
from tests.postgres import fetch, terminate_connections
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from email.headerregistry import Address
    from pathlib import Path

    from api.bootstrap.service import Service
    from application.mail import Mail
    from application.ports.mailing import MailTransport
    from tests.builders import SubUserHandle
    from tests.conftest import TravelingClock


class WorkerDied(BaseException):
    """Simulates the death of the worker: nothing catches it."""


class FakeTransport:
    """Mail transport that records mails and raises the queued errors."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.errors: list[BaseException] = []
        self.lock = threading.Lock()

    def send(self, mail: Mail) -> str:
        """Record a mail, then raise the next queued error, if any."""
        with self.lock:
            self.mails.append(mail)
            if self.errors:
                raise self.errors.pop(0)
        return "250 2.0.0 queued as 4711"


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


def mailer_for(service: Service, transport: MailTransport) -> Mailer:
    return Mailer(
        service.main_accounts,
        service.vault,
        PostgresMailQueue(service.database),
        transport,
        service.clock,
        MailComposer(
            service.main_accounts,
            service.vault,
            PostgresMailQueue(service.database),
            PostgresMailedLinks(service.database),
            service.clients,
            service.clock,
            SignInUrls.of_console("https://portal.example"),
            "portal.example",
        ),
    )


@pytest.fixture
def mailer(service: Service, transport: FakeTransport) -> Mailer:
    """Mailer of the test's service with the fake transport."""
    return mailer_for(service, transport)


def send_due_mails(mailer: Mailer) -> int:
    """Attempt every mail that is due, and return the number of attempts."""
    attempts = 0
    while mailer.send_next():
        attempts += 1
    return attempts


def queued_mails(database_url: str) -> list[tuple[Any, ...]]:
    return fetch(database_url, "SELECT notice, state, attempts FROM mail_queue ORDER BY account_id, caused_by")


def events_of(company: Company) -> list[Any]:
    return list(company.service.main_accounts.events.get(company.account_id))


def last_event(company: Company) -> Any:
    return events_of(company)[-1]


def password_is_stored(sub_user: SubUserHandle) -> bool:
    entry = sub_user.company.service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id]
    return entry.encrypted_password is not None


def test_mail_has_everything_its_reader_needs(
    service: Service, company: Company, mailer: Mailer, transport: FakeTransport
) -> None:
    """The mail has the recipient, the account, the password, its expiry and the login page."""
    sub_user = company.create_active("grace@company.example", password="the boss made this up")
    catch_up(service)

    send_due_mails(mailer)

    (mail,) = transport.mails
    entry = service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id]
    assert (mail.kind, mail.language, mail.to, mail.name, mail.surname) == (
        Notice.ACTIVATION,
        "en",
        "grace@company.example",
        "Grace",
        "Hopper",
    )
    assert (mail.account_email, mail.company_name) == (company.email, "Winds & Waves")
    assert (mail.password, mail.password_expires_at) == ("the boss made this up", entry.password_expires_at)
    assert mail.login_url == "https://portal.example/login?as=sub-user"
    assert mail.message_id == f"{company.account_id}.{sub_user.state().mail_version}@portal.example"


def test_acceptance_is_recorded_with_the_servers_reply(
    service: Service, company: Company, mailer: Mailer, database_url: str
) -> None:
    """The reply is encrypted for the sub-user, and the stored password is deleted in the same transaction."""
    sub_user = company.create_active()
    catch_up(service)
    assert sub_user.state().credentials_mail == "pending"
    assert password_is_stored(sub_user)

    send_due_mails(mailer)

    event = last_event(company)
    key = service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id].key
    assert type(event).__name__ == "CredentialsMailed"
    assert (event.actor_type, event.actor_id) == ("system", "mailer")
    assert key.decrypt("reply", event.reply) == "250 2.0.0 queued as 4711"
    assert sub_user.state().credentials_mail == "sent"
    assert not password_is_stored(sub_user)
    assert queued_mails(database_url) == [("activation", "sent", 1)]


def test_concurrent_workers_send_each_mail_once(
    service: Service, build: Callable[..., Service], transport: FakeTransport, database_url: str
) -> None:
    """20 mails, six workers in two processes: each mail is sent once and its outcome recorded once."""
    companies = [Company.register(service) for _ in range(4)]
    for company in companies:
        for _ in range(5):
            company.create_active(password="one phrase for all")
    catch_up(service)
    other = build()
    workers = [mailer_for((service, other)[n % 2], transport) for n in range(6)]

    attempts = run_concurrently([partial(send_due_mails, worker) for worker in workers])

    assert sum(n for n in attempts if isinstance(n, int)) == 20
    assert Counter(Counter(mail.message_id for mail in transport.mails).values()) == {1: 20}
    outcomes = fetch(
        database_url, "SELECT topic, count(*) FROM stored_events WHERE topic LIKE 'Credentials%' GROUP BY 1"
    )
    assert outcomes == [("CredentialsMailed", 20)]


def test_delayed_mail_is_retried_at_growing_intervals(
    service: Service, company: Company, mailer: Mailer, transport: FakeTransport, clock: TravelingClock
) -> None:
    """It is retried after 15 seconds, then after twice as long each time, with unchanged content."""
    sub_user = company.create_active()
    catch_up(service)
    clock.freeze()
    clock.advance(seconds=1)

    for seconds in [15, 30, 60, 120, 240]:
        transport.errors = [MailDelayed("451 4.7.1 try again later")]
        assert send_due_mails(mailer) == 1
        assert password_is_stored(sub_user)
        assert sub_user.state().credentials_mail == "pending"
        clock.advance(seconds=seconds - 1)
        assert send_due_mails(mailer) == 0
        clock.advance(seconds=1)
    assert send_due_mails(mailer) == 1

    assert len(set(transport.mails)) == 1
    assert len(transport.mails) == 6
    assert sub_user.state().credentials_mail == "sent"


def test_mails_slow_down_for_a_throttling_server(
    service: Service,
    company: Company,
    mailer: Mailer,
    transport: FakeTransport,
    clock: TravelingClock,
    database_url: str,
) -> None:
    """Ten mails to a server that accepts one per second: none is lost."""
    for _ in range(10):
        company.create_active(password="one phrase for all")
    catch_up(service)
    clock.freeze()
    accepted_at: list[datetime] = []

    class OnePerSecond(FakeTransport):
        def send(self, mail: Mail) -> str:
            if accepted_at and clock() - accepted_at[-1] < timedelta(seconds=1):
                raise MailThrottled("550 too fast")
            accepted_at.append(clock())
            return super().send(mail)

    mailer = mailer_for(service, OnePerSecond())
    attempts = 0
    for _ in range(600):
        while mailer.send_next():
            attempts += 1
        clock.advance(seconds=0.5)

    assert len(accepted_at) == 10
    assert attempts < 40
    assert {state for _, state, _ in queued_mails(database_url)} == {"sent"}


def test_pacing_grows_and_shrinks(clock: TravelingClock) -> None:
    """The pause grows from nothing to a minute, and back. A clock that is set back does not stop sending."""
    pacing, now = MailPacing(), clock()
    assert pacing.try_to_start(now)
    assert pacing.try_to_start(now)
    for seconds in (1, 2, 4, 8, 16, 32, 60, 60):
        pacing.slow_down(now)
        assert not pacing.try_to_start(now + timedelta(seconds=seconds - 0.01))
        now += timedelta(seconds=seconds)
        assert pacing.try_to_start(now)
        assert not pacing.try_to_start(now)
    assert pacing.try_to_start(now - timedelta(hours=1))
    for _ in range(8):
        pacing.speed_up()
    now += timedelta(minutes=1)
    assert pacing.try_to_start(now)
    assert pacing.try_to_start(now)


def test_retry_delay_is_limited_to_an_hour() -> None:
    assert [delay_after(n).total_seconds() for n in (1, 2, 3, 8, 9, 100, 100_000)] == [
        15,
        30,
        60,
        1920,
        3600,
        3600,
        3600,
    ]


def test_mail_is_abandoned_after_two_days(
    service: Service,
    company: Company,
    mailer: Mailer,
    transport: FakeTransport,
    clock: TravelingClock,
    database_url: str,
) -> None:
    """The failure is recorded with the last reply, and the stored password is deleted."""
    sub_user = company.create_active()
    catch_up(service)
    clock.advance(hours=47)
    transport.errors = [MailDelayed("451 try again later")]
    send_due_mails(mailer)
    assert sub_user.state().credentials_mail == "pending"
    clock.advance(hours=1.1)
    transport.errors = [MailDelayed("451 still not")]

    send_due_mails(mailer)

    event = last_event(company)
    key = service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id].key
    assert (type(event).__name__, key.decrypt("reply", event.reply)) == ("CredentialsMailFailed", "451 still not")
    assert sub_user.state().credentials_mail == "failed"
    assert not password_is_stored(sub_user)
    clock.advance(days=3)
    assert send_due_mails(mailer) == 0
    assert queued_mails(database_url) == [("activation", "failed", 2)]


def test_rejected_mail_is_not_retried(
    service: Service, company: Company, mailer: Mailer, transport: FakeTransport, clock: TravelingClock
) -> None:
    """The rejection is recorded with the server's reply; sending again issues new credentials."""
    sub_user = company.create_active()
    catch_up(service)
    transport.errors = [MailRefused("550 5.1.1 no such user")]

    assert send_due_mails(mailer) == 1

    event = last_event(company)
    key = service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id].key
    assert (type(event).__name__, key.decrypt("reply", event.reply)) == (
        "CredentialsMailFailed",
        "550 5.1.1 no such user",
    )
    assert sub_user.state().credentials_mail == "failed"
    assert not password_is_stored(sub_user)
    clock.advance(days=1)
    assert send_due_mails(mailer) == 0

    service.commands.sub_users.send_credentials_again(company.account_id, sub_user.sub_user_id, PORTAL)
    catch_up(service)
    assert send_due_mails(mailer) == 1
    assert sub_user.state().credentials_mail == "sent"


def test_access_data_is_not_sent_once_access_has_expired(
    service: Service, company: Company, mailer: Mailer, transport: FakeTransport, clock: TravelingClock
) -> None:
    """The mail would say that access is active. The owner sees that it failed, and the password is deleted."""
    sub_user = company.create_active(access_expires_at=clock() + timedelta(hours=1))
    catch_up(service)
    clock.advance(hours=1)

    send_due_mails(mailer)

    assert transport.mails == []
    assert sub_user.state().credentials_mail == "failed"
    assert not password_is_stored(sub_user)


@pytest.mark.parametrize(("hours", "ends_with_access"), [(1, True), (24 * 30, False)])
def test_invitation_names_the_earlier_end(  # fixtures
    service: Service,
    company: Company,
    mailer: Mailer,
    transport: FakeTransport,
    clock: TravelingClock,
    hours: int,
    ends_with_access: bool,
) -> None:
    ends_at = clock() + timedelta(hours=hours)
    company.create_sub_user(access_expires_at=ends_at).change(active=True, credentials_kind=CredentialsKind.LINK)
    catch_up(service)

    send_due_mails(mailer)

    (mail,) = transport.mails
    assert mail.link is not None
    assert (mail.link.expires_at == ends_at) is ends_with_access


def test_superseded_mail_is_not_sent(
    service: Service, company: Company, mailer: Mailer, transport: FakeTransport, database_url: str
) -> None:
    """Of three requested mails only the last is sent, with the valid password."""
    sub_user = company.create_active()
    service.commands.sub_users.send_credentials_again(company.account_id, sub_user.sub_user_id, PORTAL)
    sub_user.change(password="a phrase from the boss")
    catch_up(service)

    send_due_mails(mailer)

    assert [(mail.kind, mail.password) for mail in transport.mails] == [(Notice.RESET, "a phrase from the boss")]
    assert [row[:2] for row in queued_mails(database_url)] == [
        ("activation", "superseded"),
        ("send_again", "superseded"),
        ("reset", "sent"),
    ]
    assert sub_user.state().credentials_mail == "sent"


def test_superseded_mail_keeps_the_newer_password(
    service: Service, company: Company, mailer: Mailer, transport: FakeTransport
) -> None:
    """Discarding the older mail must not delete the password that the newer one needs."""
    sub_user = company.create_active()
    catch_up(service)
    transport.errors = [MailDelayed("451 try again later")]
    send_due_mails(mailer)
    service.commands.sub_users.send_credentials_again(company.account_id, sub_user.sub_user_id, PORTAL)
    catch_up(service)

    send_due_mails(mailer)

    assert [mail.kind for mail in transport.mails] == [Notice.ACTIVATION, Notice.SEND_AGAIN]
    assert sub_user.state().credentials_mail == "sent"


def deactivate(sub_user: SubUserHandle) -> None:
    sub_user.change(active=False)


def delete(sub_user: SubUserHandle) -> None:
    sub_user.delete()


def close_account(sub_user: SubUserHandle) -> None:
    sub_user.company.service.commands.accounts.close(sub_user.company.account_id, PORTAL)


def choose_a_password(sub_user: SubUserHandle) -> None:
    sub_user.choose_password("a password of my own")


@pytest.mark.parametrize("invalidate", [deactivate, delete, close_account, choose_a_password])
def test_invalid_credentials_are_not_sent(
    service: Service,
    company: Company,
    mailer: Mailer,
    transport: FakeTransport,
    invalidate: Callable[[SubUserHandle], None],
    database_url: str,
) -> None:
    """The command runs between the request for the mail and its delivery."""
    sub_user = company.create_active()
    catch_up(service)
    invalidate(sub_user)

    send_due_mails(mailer)

    assert transport.mails == []
    assert queued_mails(database_url) == [("activation", "superseded", 1)]
    assert fetch(database_url, "SELECT count(*) FROM vault WHERE sealed_password IS NOT NULL") == [(0,)]


def test_sub_user_deleted_during_delivery_gets_no_outcome(
    service: Service, company: Company, transport: FakeTransport, database_url: str
) -> None:
    """The outcome is not recorded, but the mail leaves the queue."""
    sub_user = company.create_active()
    catch_up(service)

    class DeletingTransport(FakeTransport):
        def send(self, mail: Mail) -> str:
            sub_user.delete()
            return super().send(mail)

    assert send_due_mails(mailer_for(service, DeletingTransport())) == 1

    assert type(last_event(company)).__name__ == "PersonalDataErased"
    assert queued_mails(database_url) == [("activation", "sent", 1)]


def test_outcome_of_an_older_mail_does_not_affect_a_newer_one(
    service: Service, company: Company, transport: FakeTransport
) -> None:
    """The state is that of the newer mail, and its password is kept."""
    sub_user = company.create_active()
    catch_up(service)

    class ResendingTransport(FakeTransport):
        def send(self, mail: Mail) -> str:
            if mail.kind is Notice.ACTIVATION:
                service.commands.sub_users.send_credentials_again(company.account_id, sub_user.sub_user_id, PORTAL)
            return super().send(mail)

    mailer = mailer_for(service, ResendingTransport())
    assert mailer.send_next()
    assert sub_user.state().credentials_mail == "pending"
    assert password_is_stored(sub_user)
    catch_up(service)
    assert mailer.send_next()

    assert sub_user.state().credentials_mail == "sent"


def test_mail_of_a_dead_worker_is_sent_again_after_its_lease(
    service: Service,
    company: Company,
    mailer: Mailer,
    transport: FakeTransport,
    clock: TravelingClock,
    database_url: str,
) -> None:
    """The repeated mail has the same Message-ID, so that mail servers can recognize it."""
    sub_user = company.create_active()
    catch_up(service)
    transport.errors = [WorkerDied()]
    with pytest.raises(WorkerDied):
        mailer.send_next()

    clock.advance(minutes=9.9)
    assert send_due_mails(mailer) == 0
    clock.advance(minutes=0.2)
    assert send_due_mails(mailer) == 1

    first, second = transport.mails
    assert first == second
    assert sub_user.state().credentials_mail == "sent"
    assert queued_mails(database_url) == [("activation", "sent", 2)]


def test_mail_whose_outcome_is_not_stored_is_sent_again(
    service: Service,
    company: Company,
    build: Callable[..., Service],
    transport: FakeTransport,
    clock: TravelingClock,
    database_url: str,
) -> None:
    """The connection breaks after sending; another process repeats the identical mail."""
    company.create_active()
    catch_up(service)

    class DisconnectingTransport(FakeTransport):
        def send(self, mail: Mail) -> str:
            terminate_connections(database_url)
            return transport.send(mail)

    with pytest.raises(StoreUnavailable):
        mailer_for(service, DisconnectingTransport()).send_next()

    clock.advance(seconds=CLAIM_DURATION.total_seconds())
    assert send_due_mails(mailer_for(build(), transport)) == 1

    assert len(transport.mails) == 2
    assert len(set(transport.mails)) == 1


def test_unexpected_failure_does_not_block_other_mails(
    service: Service, company: Company, mailer: Mailer, transport: FakeTransport
) -> None:
    """The failed mail becomes due again after its lease."""
    company.create_active()
    company.create_active()
    catch_up(service)
    transport.errors = [RuntimeError("a bug")]
    with pytest.raises(RuntimeError):
        mailer.send_next()

    assert send_due_mails(mailer) == 1


def test_mail_that_always_fails_unexpectedly_is_abandoned(
    service: Service,
    company: Company,
    mailer: Mailer,
    transport: FakeTransport,
    clock: TravelingClock,
    database_url: str,
) -> None:
    """It is abandoned after two days, so that its password is not kept forever."""
    sub_user = company.create_active()
    catch_up(service)
    for _ in range(3):
        transport.errors = [RuntimeError("a bug")]
        with pytest.raises(RuntimeError):
            mailer.send_next()
        clock.advance(hours=24)

    assert send_due_mails(mailer) == 1

    assert len(transport.mails) == 3
    assert queued_mails(database_url) == [("activation", "failed", 4)]
    assert sub_user.state().credentials_mail == "failed"
    assert not password_is_stored(sub_user)


def test_mail_that_cannot_be_composed_fails_permanently(
    service: Service,
    company: Company,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    database_url: str,
) -> None:
    """The failure is recorded immediately, without personal data, and other mails are sent."""
    broken, valid = company.create_active("ada@company.example"), company.create_active("grace@company.example")
    catch_up(service)

    def refuse_address(name: str, address: Address) -> bytes:
        if address.username == "ada":
            raise MessageError(f"Header value appears to contain an embedded header: {address}")
        return address_field(name, address)

    monkeypatch.setattr("adapters.mail.message.address_field", refuse_address)

    assert send_due_mails(mailer_for(service, FileTransport(tmp_path))) == 2

    key = service.vault.entries([broken.sub_user_id])[broken.sub_user_id].key
    failed = [event for event in events_of(company) if type(event).__name__ == "CredentialsMailFailed"]
    assert [key.decrypt("reply", event.reply) for event in failed] == ["the mail could not be composed"]
    assert (broken.state().credentials_mail, valid.state().credentials_mail) == ("failed", "sent")
    assert [row[1:] for row in queued_mails(database_url)] == [("failed", 1), ("sent", 1)]
    assert not password_is_stored(broken)
    assert "ada@" not in "".join(capsys.readouterr())


def test_replay_sends_no_mail_twice(
    service: Service, company: Company, mailer: Mailer, transport: FakeTransport, database_url: str
) -> None:
    """Replaying the history finds that every mail was already requested."""
    company.create_with_own_password().change(password="a phrase from the boss")
    catch_up(service)
    send_due_mails(mailer)
    before = queued_mails(database_url)
    sent = len(transport.mails)
    fetch(database_url, "UPDATE followers SET position = 0 WHERE name = 'mail-queue'")

    catch_up(service)

    assert send_due_mails(mailer) == 0
    assert queued_mails(database_url) == before
    assert len(transport.mails) == sent > 0


def test_mails_are_sent_in_order_of_request(
    service: Service, company: Company, mailer: Mailer, transport: FakeTransport
) -> None:
    emails = [company.create_active(f"number-{n}@company.example").email for n in range(5)]
    catch_up(service)

    send_due_mails(mailer)

    assert [mail.to for mail in transport.mails] == emails


def test_queued_mails_are_counted(service: Service, company: Company, mailer: Mailer, transport: FakeTransport) -> None:
    """The counts are of all mails, and of those that were attempted before."""
    company.create_active()
    company.create_active()
    catch_up(service)
    assert service.queries.progress.queued_mails() == (2, 0)
    transport.errors = [MailDelayed("451 try again later")]
    mailer.send_next()

    assert service.queries.progress.queued_mails() == (2, 1)
