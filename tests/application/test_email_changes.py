"""Changes of a sub-user's e-mail: who can log in with what, and who is mailed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from adapters.mail.files import FileTransport
from adapters.passwords import Argon2Passwords
from adapters.postgres.tables.throttle import PostgresThrottle
from application.errors import InvalidValue
from application.throttle_keys import sub_user_keys
from domain.events import CredentialsMailed
from domain.main_account import LOCKING_FAILURES
from domain.refusals import LoginRefused, RevisionMismatch, SubUserEmailTaken, TooManyMails
from tests.builders import (
    Company,
    SubUserHandle,
    catch_up,
    context_from,
    deliver_mails,
    event_types,
    mailed_password,
    mails_in_folder,
    plain_text,
)
from tests.postgres import fetch
from tests.throttling import fail_as_sub_user
from tests.waiting import inject_after, run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

    from api.bootstrap.service import Service
    from application.mail import Mail

OLD = "grace@old.example"
NEW = "grace@new.example"


def change_email(sub_user: SubUserHandle, email: str = NEW, **changes: Any) -> SubUserHandle:
    """Change the e-mail, and return the sub-user with it."""
    sub_user.change(email=email, **changes)
    return replace(sub_user, email=email)


def sent_mails(service: Service) -> list[tuple[str, str]]:
    """Send every mail that is due, and return the recipient and the subject of all mails so far."""
    return sorted((address_of(mail), str(mail["Subject"])) for mail in deliver_mails(service))


def address_of(mail: EmailMessage) -> str:
    (address,) = mail["To"].addresses
    return str(address.addr_spec)


def newest_mail_to(service: Service, address: str) -> EmailMessage:
    return next(mail for mail in reversed(deliver_mails(service)) if address_of(mail) == address)


ACTIVATED = (OLD, "Your access to the Winds & Waves account is active")
CREDENTIALS = (NEW, "New access data for the Winds & Waves account")
NOTICE = (OLD, "Your email address for the Winds & Waves account has been changed")


def test_new_email_logs_in_with_the_mailed_password(service: Service, company: Company) -> None:
    """The old e-mail, the old password and the old sessions do not work any more."""
    old = company.create_with_own_password(OLD)
    token = old.log_in().token

    new = change_email(old)

    assert not old.has_session(token)
    for handle in (old, new):
        with pytest.raises(LoginRefused):
            handle.log_in()
    password = mailed_password(newest_mail_to(service, NEW))
    with pytest.raises(LoginRefused):
        old.log_in(password)
    assert new.log_in(password).must_change_password


def test_credentials_go_to_the_new_address_and_a_notice_to_the_old_one(service: Service, company: Company) -> None:
    """The notice contains neither the new address nor a password."""
    sub_user = company.create_active(OLD)
    deliver_mails(service)

    change_email(sub_user)

    assert sent_mails(service) == sorted([ACTIVATED, CREDENTIALS, NOTICE])
    notice = plain_text(newest_mail_to(service, OLD))
    assert NEW not in notice
    assert mailed_password(newest_mail_to(service, NEW)) not in notice
    for expected in (OLD, "Grace Hopper", "Winds & Waves", company.email):
        assert expected in notice
    assert sub_user.state().credentials_mail == "sent"


def test_notice_has_the_names_from_before_the_change(service: Service, company: Company) -> None:
    """One edit can give the place of one person to another."""
    sub_user = company.create_active(OLD)
    deliver_mails(service)

    change_email(sub_user, name="Edith", surname="Clarke")

    assert newest_mail_to(service, OLD)["To"].addresses[0].display_name == "Grace Hopper"
    assert newest_mail_to(service, NEW)["To"].addresses[0].display_name == "Edith Clarke"


def test_first_activation_mails_the_new_address(service: Service, company: Company) -> None:
    """The old address, which never got a mail, gets none. The password was never mailed, so it stays (rule 3)."""
    sub_user = change_email(company.create_sub_user(OLD, password="the boss made this up"))
    assert sent_mails(service) == []

    sub_user.change(active=True)

    assert sent_mails(service) == [(NEW, ACTIVATED[1])]
    assert "the boss made this up" in plain_text(newest_mail_to(service, NEW))
    assert sub_user.log_in().must_change_password


def test_inactive_sub_user_is_mailed_with_the_next_activation(service: Service, company: Company) -> None:
    """Until then only the old address is informed. The reactivation issues another password."""
    sub_user = company.create_active(OLD)
    deliver_mails(service)
    sub_user = sub_user.choose_password("a password of my own")
    sub_user.change(active=False)

    sub_user = change_email(sub_user)

    mails_of_old = [ACTIVATED, NOTICE, (OLD, "Your password for the Winds & Waves account has been changed")]
    assert sent_mails(service) == sorted(mails_of_old)
    assert sub_user.state().credentials_mail == "none"
    sub_user.change(active=True)
    with pytest.raises(LoginRefused):
        sub_user.log_in()
    assert sub_user.log_in(mailed_password(newest_mail_to(service, NEW))).must_change_password


def test_pending_credentials_mail_to_the_old_address_is_cancelled(
    service: Service, company: Company, database_url: str
) -> None:
    """Its reader has never heard of the account, and gets no notice either."""
    sub_user = company.create_active(OLD)
    change_email(sub_user)

    assert sent_mails(service) == [CREDENTIALS]
    assert fetch(database_url, "SELECT notice, state FROM mail_queue ORDER BY caused_by") == [
        ("activation", "superseded"),
        ("email_changed", "superseded"),
        ("send_again", "sent"),
    ]


def test_pending_mail_of_an_inactive_sub_user_is_cancelled(service: Service, company: Company) -> None:
    """A mail about a chosen password goes to the address at which it was chosen."""
    sub_user = company.create_active(OLD).choose_password("a password of my own")
    sub_user.change(active=False)
    change_email(sub_user)

    assert sent_mails(service) == [(OLD, "Your password for the Winds & Waves account has been changed")]


def test_notice_waits_for_credentials_that_are_being_sent(
    service: Service, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The e-mail changes while the activation is sent to the old one: its reader is informed."""
    sub_user = company.create_active(OLD)
    catch_up(service, "mail-queue")
    mailer = service.workers.mailer
    original = FileTransport.send

    def change_and_send(transport: FileTransport, mail: Mail) -> str:
        monkeypatch.setattr(FileTransport, "send", original)
        change_email(sub_user)
        catch_up(service, "mail-queue")
        while mailer.send_next():  # as another worker does
            pass
        assert [address_of(other) for other in mails_in_folder(service)] == [NEW]
        return original(transport, mail)

    monkeypatch.setattr(FileTransport, "send", change_and_send)

    assert sent_mails(service) == sorted([ACTIVATED, CREDENTIALS, NOTICE])


def test_only_mailed_credentials_cause_a_notice(service: Service, company: Company) -> None:
    """Changing the e-mail of an inactive sub-user back and forth causes no further mail."""
    sub_user = company.create_active(OLD)
    deliver_mails(service)
    sub_user.change(active=False)
    for _ in range(3):
        change_email(sub_user)
        change_email(sub_user, OLD)

    assert sent_mails(service) == sorted([ACTIVATED, NOTICE])


def test_outcome_of_the_notice_is_recorded(service: Service, company: Company) -> None:
    """It does not change the state of the credentials mail."""
    sub_user = company.create_active(OLD)
    deliver_mails(service)
    change_email(sub_user)
    assert sub_user.state().credentials_mail == "pending"
    deliver_mails(service)

    events = service.main_accounts.events.get(company.account_id)
    notices = [str(event.notice) for event in events if isinstance(event, CredentialsMailed)]
    assert sorted(notices) == ["activation", "email_changed", "send_again"]
    assert sub_user.state().credentials_mail == "sent"


@pytest.mark.parametrize("email", [OLD, OLD.upper(), f" {OLD} "])
def test_another_spelling_is_no_change(company: Company, email: str) -> None:
    """No event is recorded, and sessions continue."""
    sub_user = company.create_with_own_password(OLD)
    token, before = sub_user.log_in().token, event_types(company)

    assert sub_user.change(email=email).position is None

    assert event_types(company) == before
    assert sub_user.has_session(token)


def test_repeated_change_is_no_change(service: Service, company: Company) -> None:
    sub_user = company.create_active(OLD)
    change_email(sub_user)
    assert sub_user.change(email=NEW).position is None
    assert sent_mails(service) == [CREDENTIALS]


def test_changed_email_needs_the_right_revision(company: Company) -> None:
    sub_user = company.create_active(OLD)
    with pytest.raises(RevisionMismatch):
        sub_user.change(email=NEW, if_revisions={1})
    assert sub_user.state().revision == 2


def test_email_of_another_sub_user_is_refused(company: Company) -> None:
    """In any spelling. A released e-mail is free at once."""
    first, second = company.create_active(OLD), company.create_sub_user(NEW)
    with pytest.raises(SubUserEmailTaken):
        first.change(email=NEW.upper())
    change_email(second, "someone@else.example")
    change_email(first)
    assert company.create_sub_user(OLD).state().email


def test_refused_change_costs_no_password_hash(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing takes most of the time of a command."""
    sub_user = company.create_active(OLD)
    company.create_sub_user(NEW)
    monkeypatch.delattr(Argon2Passwords, "hash")
    with pytest.raises(SubUserEmailTaken):
        sub_user.change(email=NEW)


def test_mails_to_new_addresses_are_limited(company: Company) -> None:
    sub_user = company.create_active(OLD)
    for number in range(4):
        change_email(sub_user, f"grace-{number}@new.example")
    with pytest.raises(TooManyMails):
        change_email(sub_user)
    assert change_email(sub_user, active=False).state().active is False


def test_password_is_checked_against_the_new_email(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the same edit, or one that another command set meanwhile."""
    sub_user = company.create_active(OLD)
    with pytest.raises(InvalidValue):
        sub_user.change(email="marmalade@new.example", password="marmalade marmalade")
    inject_after(monkeypatch, Argon2Passwords, "hash", lambda: change_email(sub_user, "marmalade@new.example"))
    with pytest.raises(InvalidValue):
        sub_user.change(password="marmalade marmalade")


def test_concurrent_changes_to_one_email_succeed_once(build: Callable[[], Service]) -> None:
    """Ten sub-users, two services: exactly one gets the e-mail."""
    services = build(), build()
    company = Company.register(services[0])
    sub_users = [company.create_sub_user().with_service(services[number % 2]) for number in range(10)]

    results = run_concurrently([partial(sub_user.change, email=NEW) for sub_user in sub_users])

    refusals = [result for result in results if isinstance(result, Exception)]
    assert [type(refusal) for refusal in refusals] == [SubUserEmailTaken] * 9
    assert event_types(company).count("SubUserEmailChanged") == 1


def test_change_and_creation_with_one_email_succeed_once(build: Callable[[], Service]) -> None:
    services = build(), build()
    company = Company.register(services[0])
    sub_user = company.create_sub_user(OLD)

    results = run_concurrently(
        [
            lambda: sub_user.change(email=NEW),
            lambda: company.with_service(services[1]).create_sub_user(NEW.upper()),
        ]
    )

    assert [type(result) for result in results if isinstance(result, Exception)] == [SubUserEmailTaken]


def change_email_only(sub_user: SubUserHandle) -> None:
    change_email(sub_user)


def change_email_and_activate(sub_user: SubUserHandle) -> None:
    """Only here, the password stays the same: it is the first activation."""
    change_email(sub_user, active=True)


@pytest.mark.parametrize(
    ("create", "change"),
    [(Company.create_with_own_password, change_email_only), (Company.create_sub_user, change_email_and_activate)],
    ids=["active", "first activation"],
)
def test_login_that_a_change_overtakes_is_refused(
    build: Callable[[], Service],
    monkeypatch: pytest.MonkeyPatch,
    create: Callable[[Company, str], SubUserHandle],
    change: Callable[[SubUserHandle], None],
) -> None:
    """The e-mail changes in another process after the login has verified the right password."""
    services = build(), build()
    sub_user = create(Company.register(services[0]), OLD)
    inject_after(monkeypatch, Argon2Passwords, "verify", lambda: change(sub_user.with_service(services[1])))

    with pytest.raises(LoginRefused):
        sub_user.log_in()

    assert fetch(services[0].settings.database_url or "", "SELECT count(*) FROM sessions") == [(0,)]


def test_concurrent_logins_with_the_old_email_end_with_the_change(build: Callable[[], Service]) -> None:
    """Whichever logins come first: once the change is answered, no session is left and no login succeeds."""
    services = build(), build()
    sub_user = Company.register(services[0]).create_with_own_password(OLD)
    logins = [
        partial(sub_user.with_service(services[number % 2]).log_in, context=context_from(f"198.51.{number}.1"))
        for number in range(8)
    ]
    sessions_after: list[Any] = []

    def change() -> None:
        change_email(sub_user)
        sessions_after.extend(fetch(services[0].settings.database_url or "", "SELECT session_id FROM sessions"))

    tasks: list[Callable[[], object]] = [*logins, change]

    results = run_concurrently(tasks)

    assert {type(result) for result in results if isinstance(result, Exception)} <= {LoginRefused}
    assert sessions_after == []
    assert fetch(services[0].settings.database_url or "", "SELECT count(*) FROM sessions") == [(0,)]
    for service in services:
        with pytest.raises(LoginRefused):
            sub_user.with_service(service).log_in()


def test_failed_logins_with_the_old_email_do_not_follow(service: Service, company: Company) -> None:
    """The old e-mail is locked; the new one is not."""
    sub_user = company.create_active(OLD)
    fail_as_sub_user(service, company.email, OLD, LOCKING_FAILURES)
    with pytest.raises(LoginRefused):
        sub_user.log_in()

    new = change_email(sub_user)

    assert new.log_in(mailed_password(newest_mail_to(service, NEW))).must_change_password


@pytest.mark.parametrize("is_generated", [True, False])
def test_exemption_of_a_generated_password_follows_the_email(
    service: Service, company: Company, *, is_generated: bool
) -> None:
    """Guesses cannot hit a generated password, so they do not lock it: also under the new e-mail."""
    sub_user = company.create_sub_user(OLD, password=None if is_generated else "first phrase for now")
    sub_user = change_email(sub_user)
    sub_user.change(active=True)
    fail_as_sub_user(service, company.email, NEW, LOCKING_FAILURES)

    hasher = service.keyed_hasher
    keys = sub_user_keys(hasher, hasher.email(company.email), hasher.email(NEW), "198.51.100.7")
    admission = PostgresThrottle(service.database).reserve(keys, service.clock())
    assert admission.is_locked is not is_generated


def test_lists_show_the_new_email(service: Service, company: Company) -> None:
    """The view and the aggregate agree."""
    sub_user = change_email(company.create_active(OLD))
    catch_up(service)
    listed = service.queries.sub_users.sub_user(company.account_id, sub_user.sub_user_id)
    assert (listed.email, listed.credentials_mail) == (NEW, "pending")
