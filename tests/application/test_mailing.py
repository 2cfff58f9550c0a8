"""A mail that an event asks for goes out once, is tried again while that makes sense, and its outcome is recorded."""

from __future__ import annotations

import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from adapters.postgres.mail_queue import CLAIMED_FOR, PostgresMailQueue
from application.errors import StoreUnavailable
from application.mail import Mail, MailDelayed, MailKind, MailRefused
from application.mailing import Mailing, delay_after
from tests.people import PORTAL, Company, catch_up
from tests.postgres import ask, cut_off
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from tests.conftest import TravelingClock
    from tests.people import Collaborator


class Died(BaseException):
    """The process was killed: nobody catches this."""


class Post:
    """A mail server that does what it is told to, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[Mail] = []
        self.next: list[BaseException] = []
        self.lock = threading.Lock()

    def send(self, mail: Mail) -> str:
        """Take a mail, unless something is to go wrong."""
        with self.lock:
            self.given.append(mail)
            if self.next:
                raise self.next.pop(0)
        return "250 2.0.0 queued as 4711"


@pytest.fixture
def post() -> Post:
    """Give a mail server."""
    return Post()


def mailing_of(service: Service, post: Post) -> Mailing:
    return Mailing(
        service.main_accounts,
        service.vault,
        PostgresMailQueue(service.database),
        post,
        service.clock,
        login_url="https://portal.example/login",
        mail_domain="portal.example",
    )


@pytest.fixture
def mailing(service: Service, post: Post) -> Mailing:
    """Give what sends the mails of the test's service to that mail server."""
    return mailing_of(service, post)


def work_off(mailing: Mailing) -> int:
    """Attempt every mail that is due, and return how many that were."""
    attempts = 0
    while mailing.send_next():
        attempts += 1
    return attempts


def state_of_mail(database_url: str) -> list[tuple[Any, ...]]:
    return ask(database_url, "SELECT notice, state, attempts FROM mail_queue ORDER BY account_id, caused_by")


def last_event(company: Company) -> Any:
    return list(company.service.main_accounts.events.get(company.account_id))[-1]


def plaintext_is_kept(one: Collaborator) -> bool:
    entry = one.company.service.vault.entries([one.sub_user_id])[one.sub_user_id]
    return entry.sealed_password is not None


def test_a_mail_says_what_its_reader_needs(service: Service, company: Company, mailing: Mailing, post: Post) -> None:
    """To whom, from which account, with which password, until when."""
    one = company.let_in_active("grace@company.example", password="the boss made this up")
    catch_up(service)

    work_off(mailing)

    (mail,) = post.given
    entry = service.vault.entries([one.sub_user_id])[one.sub_user_id]
    assert (mail.kind, mail.language, mail.to, mail.name, mail.surname) == (
        MailKind.ACTIVATION,
        "en",
        "grace@company.example",
        "Grace",
        "Hopper",
    )
    assert (mail.account_email, mail.company_name) == (company.email, "Winds & Waves")
    assert (mail.password, mail.password_expires_at) == ("the boss made this up", entry.password_expires_at)
    assert mail.login_url == "https://portal.example/login"
    assert mail.message_id == f"{company.account_id}.{one.state().mail_version}@portal.example"


def test_acceptance_is_recorded_with_what_the_server_answered(
    service: Service, company: Company, mailing: Mailing, database_url: str
) -> None:
    """By an event, sealed for the person; the password is forgotten in the same moment."""
    one = company.let_in_active()
    catch_up(service)
    assert one.state().credentials_mail == "pending"
    assert plaintext_is_kept(one)

    work_off(mailing)

    event = last_event(company)
    key = service.vault.entries([one.sub_user_id])[one.sub_user_id].key
    assert type(event).__name__ == "CredentialsMailed"
    assert (event.actor_type, event.actor_id) == ("system", "mailer")
    assert key.open("reply", event.reply) == "250 2.0.0 queued as 4711"
    assert one.state().credentials_mail == "sent"
    assert not plaintext_is_kept(one)
    assert state_of_mail(database_url) == [("activation", "sent", 1)]


def test_several_workers_send_each_mail_once(
    service: Service, build: Callable[..., Service], post: Post, database_url: str
) -> None:
    """Twenty mails, six workers in two processes: every mail goes out, none twice, each outcome is recorded once."""
    companies = [Company.register(service) for _ in range(4)]
    for company in companies:
        for _ in range(5):
            company.let_in_active(password="one phrase for all")
    catch_up(service)
    other = build()
    workers = [mailing_of((service, other)[n % 2], post) for n in range(6)]

    attempts = at_once([partial(work_off, worker) for worker in workers])

    assert sum(n for n in attempts if isinstance(n, int)) == 20
    assert Counter(Counter(mail.message_id for mail in post.given).values()) == {1: 20}
    outcomes = ask(database_url, "SELECT topic, count(*) FROM stored_events WHERE topic LIKE 'Credentials%' GROUP BY 1")
    assert outcomes == [("CredentialsMailed", 20)]


def test_a_delayed_mail_is_tried_again_ever_later(
    service: Service, company: Company, mailing: Mailing, post: Post, clock: TravelingClock
) -> None:
    """After 15 seconds, then twice as long each time; unchanged, and with the password still at hand."""
    one = company.let_in_active()
    catch_up(service)
    clock.stand_still()
    clock.advance(seconds=1)

    for seconds in [15, 30, 60, 120, 240]:
        post.next = [MailDelayed("451 4.7.1 try again later")]
        assert work_off(mailing) == 1
        assert plaintext_is_kept(one)
        assert one.state().credentials_mail == "pending"
        clock.advance(seconds=seconds - 1)
        assert work_off(mailing) == 0
        clock.advance(seconds=1)
    assert work_off(mailing) == 1

    assert len(set(post.given)) == 1
    assert len(post.given) == 6
    assert one.state().credentials_mail == "sent"


def test_the_pause_between_attempts_has_a_limit() -> None:
    """An hour, however many there were."""
    assert [delay_after(n).total_seconds() for n in (1, 2, 3, 8, 9, 100, 100_000)] == [
        15,
        30,
        60,
        1920,
        3600,
        3600,
        3600,
    ]


def test_a_mail_that_cannot_be_delivered_for_two_days_is_given_up(
    service: Service, company: Company, mailing: Mailing, post: Post, clock: TravelingClock, database_url: str
) -> None:
    """The failure is recorded with the last answer, and the password forgotten."""
    one = company.let_in_active()
    catch_up(service)
    clock.advance(hours=47)
    post.next = [MailDelayed("451 try again later")]
    work_off(mailing)
    assert one.state().credentials_mail == "pending"
    clock.advance(hours=1.1)
    post.next = [MailDelayed("451 still not")]

    work_off(mailing)

    event = last_event(company)
    key = service.vault.entries([one.sub_user_id])[one.sub_user_id].key
    assert (type(event).__name__, key.open("reply", event.reply)) == ("CredentialsMailFailed", "451 still not")
    assert one.state().credentials_mail == "failed"
    assert not plaintext_is_kept(one)
    clock.advance(days=3)
    assert work_off(mailing) == 0
    assert state_of_mail(database_url) == [("activation", "failed", 2)]


def test_a_refused_mail_is_not_tried_again(
    service: Service, company: Company, mailing: Mailing, post: Post, clock: TravelingClock
) -> None:
    """The refusal is recorded with what the server said; sending again issues new access data."""
    one = company.let_in_active()
    catch_up(service)
    post.next = [MailRefused("550 5.1.1 no such user")]

    assert work_off(mailing) == 1

    event = last_event(company)
    key = service.vault.entries([one.sub_user_id])[one.sub_user_id].key
    assert (type(event).__name__, key.open("reply", event.reply)) == ("CredentialsMailFailed", "550 5.1.1 no such user")
    assert one.state().credentials_mail == "failed"
    assert not plaintext_is_kept(one)
    clock.advance(days=1)
    assert work_off(mailing) == 0

    service.sub_users.send_credentials_again(company.account_id, one.sub_user_id, PORTAL)
    catch_up(service)
    assert work_off(mailing) == 1
    assert one.state().credentials_mail == "sent"


def test_a_superseded_mail_is_not_sent(
    service: Service, company: Company, mailing: Mailing, post: Post, database_url: str
) -> None:
    """Of three that were asked for before any went out, the last goes out, with the password that is good."""
    one = company.let_in_active()
    service.sub_users.send_credentials_again(company.account_id, one.sub_user_id, PORTAL)
    one.change(password="a phrase from the boss")
    catch_up(service)

    work_off(mailing)

    assert [(mail.kind, mail.password) for mail in post.given] == [(MailKind.RESET, "a phrase from the boss")]
    assert [row[:2] for row in state_of_mail(database_url)] == [
        ("activation", "superseded"),
        ("send_again", "superseded"),
        ("reset", "sent"),
    ]
    assert one.state().credentials_mail == "sent"


def test_a_superseded_mail_does_not_take_the_newer_password_with_it(
    service: Service, company: Company, mailing: Mailing, post: Post
) -> None:
    """Setting the old one aside leaves what the new one needs."""
    one = company.let_in_active()
    catch_up(service)
    post.next = [MailDelayed("451 try again later")]
    work_off(mailing)
    service.sub_users.send_credentials_again(company.account_id, one.sub_user_id, PORTAL)
    catch_up(service)

    work_off(mailing)

    assert [mail.kind for mail in post.given] == [MailKind.ACTIVATION, MailKind.SEND_AGAIN]
    assert one.state().credentials_mail == "sent"


def deactivate(one: Collaborator) -> None:
    one.change(active=False)


def delete(one: Collaborator) -> None:
    one.delete()


def close_account(one: Collaborator) -> None:
    one.company.service.accounts.close(one.company.account_id, PORTAL)


def choose_a_password(one: Collaborator) -> None:
    one.choose_password("a password of my own")


@pytest.mark.parametrize("happening", [deactivate, delete, close_account, choose_a_password])
def test_access_data_that_is_good_for_nothing_is_not_sent(
    service: Service,
    company: Company,
    mailing: Mailing,
    post: Post,
    happening: Callable[[Collaborator], None],
    database_url: str,
) -> None:
    """Whatever happened between the command and the mail."""
    one = company.let_in_active()
    catch_up(service)
    happening(one)

    work_off(mailing)

    assert post.given == []
    assert state_of_mail(database_url) == [("activation", "superseded", 1)]
    assert ask(database_url, "SELECT count(*) FROM vault WHERE sealed_password IS NOT NULL") == [(0,)]


def test_a_person_deleted_while_their_mail_is_being_sent_leaves_no_trace(
    service: Service, company: Company, post: Post, database_url: str
) -> None:
    """The outcome of a mail that nobody can be told of is not recorded, and the mail is settled all the same."""
    one = company.let_in_active()
    catch_up(service)

    class Meanwhile(Post):
        def send(self, mail: Mail) -> str:
            one.delete()
            return super().send(mail)

    assert work_off(mailing_of(service, Meanwhile())) == 1

    assert type(last_event(company)).__name__ == "PersonalDataErased"
    assert state_of_mail(database_url) == [("activation", "sent", 1)]


def test_the_outcome_of_an_older_mail_says_nothing_of_a_newer(service: Service, company: Company, post: Post) -> None:
    """Asked for again while the first was being sent: the state is that of the last, and its password is kept."""
    one = company.let_in_active()
    catch_up(service)

    class Meanwhile(Post):
        def send(self, mail: Mail) -> str:
            if mail.kind is MailKind.ACTIVATION:
                service.sub_users.send_credentials_again(company.account_id, one.sub_user_id, PORTAL)
            return super().send(mail)

    mailing = mailing_of(service, Meanwhile())
    assert mailing.send_next()
    assert one.state().credentials_mail == "pending"
    assert plaintext_is_kept(one)
    catch_up(service)
    assert mailing.send_next()

    assert one.state().credentials_mail == "sent"


def test_a_worker_that_dies_after_the_server_took_the_mail_sends_the_same_again(
    service: Service, company: Company, mailing: Mailing, post: Post, clock: TravelingClock, database_url: str
) -> None:
    """With the same Message-ID, so that it can be recognized; not before the dead worker's time is up."""
    one = company.let_in_active()
    catch_up(service)
    post.next = [Died()]
    with pytest.raises(Died):
        mailing.send_next()

    clock.advance(minutes=9.9)
    assert work_off(mailing) == 0
    clock.advance(minutes=0.2)
    assert work_off(mailing) == 1

    first, second = post.given
    assert first == second
    assert one.state().credentials_mail == "sent"
    assert state_of_mail(database_url) == [("activation", "sent", 2)]


def test_a_mail_that_cannot_be_settled_is_sent_the_same_again(
    service: Service,
    company: Company,
    build: Callable[..., Service],
    post: Post,
    clock: TravelingClock,
    database_url: str,
) -> None:
    """When the connection was lost in between: by another process, if need be."""
    company.let_in_active()
    catch_up(service)

    class Meanwhile(Post):
        def send(self, mail: Mail) -> str:
            cut_off(database_url)
            return post.send(mail)

    with pytest.raises(StoreUnavailable):
        mailing_of(service, Meanwhile()).send_next()

    clock.advance(seconds=CLAIMED_FOR.total_seconds())
    assert work_off(mailing_of(build(), post)) == 1

    assert len(post.given) == 2
    assert len(set(post.given)) == 1


def test_one_that_fails_unexpectedly_does_not_hold_up_the_others(
    service: Service, company: Company, mailing: Mailing, post: Post
) -> None:
    """It comes due again by itself."""
    company.let_in_active()
    company.let_in_active()
    catch_up(service)
    post.next = [RuntimeError("a bug")]
    with pytest.raises(RuntimeError):
        mailing.send_next()

    assert work_off(mailing) == 1


def test_one_that_always_fails_unexpectedly_is_given_up_too(
    service: Service, company: Company, mailing: Mailing, post: Post, clock: TravelingClock, database_url: str
) -> None:
    """Some time after two days, so that nobody waits for it for ever and its password is not kept."""
    one = company.let_in_active()
    catch_up(service)
    for _ in range(3):
        post.next = [RuntimeError("a bug")]
        with pytest.raises(RuntimeError):
            mailing.send_next()
        clock.advance(hours=24)

    assert work_off(mailing) == 1

    assert len(post.given) == 3
    assert state_of_mail(database_url) == [("activation", "failed", 4)]
    assert one.state().credentials_mail == "failed"
    assert not plaintext_is_kept(one)


def test_a_replay_sends_nothing_again(
    service: Service, company: Company, mailing: Mailing, post: Post, database_url: str
) -> None:
    """Following the whole history anew finds every mail asked for already."""
    company.let_in_settled().change(password="a phrase from the boss")
    catch_up(service)
    work_off(mailing)
    before = state_of_mail(database_url)
    sent = len(post.given)
    ask(database_url, "UPDATE followers SET position = 0 WHERE name = 'mail-queue'")

    catch_up(service)

    assert work_off(mailing) == 0
    assert state_of_mail(database_url) == before
    assert len(post.given) == sent > 0


def test_mails_go_out_in_the_order_in_which_they_were_asked_for(
    service: Service, company: Company, mailing: Mailing, post: Post
) -> None:
    """Who waited longest comes first."""
    emails = [company.let_in_active(f"number-{n}@company.example").email for n in range(5)]
    catch_up(service)

    work_off(mailing)

    assert [mail.to for mail in post.given] == emails


def test_waiting_mails_are_counted(service: Service, company: Company, mailing: Mailing, post: Post) -> None:
    """How many wait, and how many of them have been tried before."""
    company.let_in_active()
    company.let_in_active()
    catch_up(service)
    assert service.progress.queued_mails() == (2, 0)
    post.next = [MailDelayed("451 try again later")]
    mailing.send_next()

    assert service.progress.queued_mails() == (2, 1)
