"""Invariants under concurrent commands, in one service and in two services on the same database."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from adapters.passwords import Argon2Passwords
from application.commands.accounts import AccountChanges
from domain.refusals import AccountEmailTaken, SubUserEmailTaken, SubUserLimitReached
from tests.builders import PORTAL, SUPPORT, Company, event_types
from tests.postgres import fetch
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock


def outcome_counts(results: list[Any]) -> Counter[str]:
    return Counter(type(result).__name__ for result in results)


def test_64_concurrent_creations_make_ten_sub_users(
    build: Callable[..., Service], company: Company, database_url: str
) -> None:
    """The limit holds exactly in two services, and refused creations leave no rows."""
    companies = [company, company.with_service(build())]

    results = run_concurrently(
        [partial(companies[n % 2].create_sub_user, password="one phrase for all") for n in range(64)]
    )

    assert outcome_counts(results) == {"SubUserHandle": 10, SubUserLimitReached.__name__: 54}
    assert len(company.state().sub_users) == 10
    assert event_types(company).count("SubUserCreated") == 10
    data_keys_of_owner_and_sub_users = 11
    assert fetch(database_url, "SELECT count(*) FROM vault") == [(data_keys_of_owner_and_sub_users,)]


def test_refused_creations_hash_no_password(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even 32 concurrent creations hash only ten passwords. Hashing more would take the cores from logins."""
    hashed_passwords: list[str] = []
    original_hash = Argon2Passwords.hash

    def record_and_hash(self: Argon2Passwords, password: str) -> str:
        hashed_passwords.append(password)
        return original_hash(self, password)

    monkeypatch.setattr(Argon2Passwords, "hash", record_and_hash)

    results = run_concurrently([company.create_sub_user] * 32)

    assert outcome_counts(results) == {"SubUserHandle": 10, SubUserLimitReached.__name__: 22}
    assert len(hashed_passwords) == 10


def test_raised_limit_holds_under_concurrency(service: Service, company: Company) -> None:
    service.commands.accounts.raise_sub_user_limit(company.account_id, 12, SUPPORT)

    results = run_concurrently([company.create_sub_user] * 20)

    assert outcome_counts(results) == {"SubUserHandle": 12, SubUserLimitReached.__name__: 8}


def test_concurrent_creations_with_one_email_create_one_sub_user(
    build: Callable[..., Service], company: Company
) -> None:
    """The e-mails differ in upper and lower case, and two services get the commands."""
    other = company.with_service(build())
    emails = ["grace@company.example", "GRACE@company.example", "Grace@Company.Example"]

    results = run_concurrently(
        [partial(target.create_sub_user, email) for target in (company, other) for email in emails]
    )

    assert outcome_counts(results) == {"SubUserHandle": 1, SubUserEmailTaken.__name__: 5}


def test_concurrent_registrations_with_one_email_create_one_account(
    service: Service, build: Callable[..., Service], database_url: str
) -> None:
    """The directory decides within the transaction; refused registrations leave no events."""
    other = build()

    results = run_concurrently(
        [partial(Company.register, target, "Boss@company.example") for target in (service, other) * 4]
    )

    assert outcome_counts(results) == {"Company": 1, AccountEmailTaken.__name__: 7}
    assert fetch(database_url, "SELECT count(*) FROM stored_events") == [(1,)]


def test_concurrent_swap_of_emails_keeps_them_unique(service: Service) -> None:
    """Each account wants the other's e-mail, which is taken. No e-mail is lost or belongs to two accounts."""
    first, second = Company.register(service, "a@company.example"), Company.register(service, "b@company.example")

    def change_email(company: Company, email: str) -> object:
        return service.commands.accounts.change(company.account_id, AccountChanges(email=email), PORTAL)

    results = run_concurrently(
        [partial(change_email, first, "b@company.example"), partial(change_email, second, "a@company.example")]
    )

    assert outcome_counts(results) == {AccountEmailTaken.__name__: 2}
    emails = {
        service.commands.accounts.change(company.account_id, AccountChanges(), PORTAL).value.email
        for company in (first, second)
    }
    assert emails == {"a@company.example", "b@company.example"}


def test_concurrent_changes_in_two_services_are_all_recorded(build: Callable[..., Service], company: Company) -> None:
    """Of 200 changes, eight at a time, each is in the history once, and the state is that of the last."""
    sub_user = company.create_sub_user()
    sub_users = [sub_user, sub_user.with_service(build())]
    names = [f"Name {n}" for n in range(200)]

    def rename(worker: int) -> None:
        for n in range(worker, 200, 8):
            sub_users[worker % 2].change(name=names[n])

    results = run_concurrently([partial(rename, worker) for worker in range(8)])

    assert outcome_counts(results) == {"NoneType": 8}
    key = company.service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id].key
    events: list[Any] = list(company.service.main_accounts.events.get(company.account_id))
    recorded_names = [
        key.decrypt("name", event.name) for event in events if type(event).__name__ == "SubUserDetailsChanged"
    ]
    assert sorted(recorded_names) == sorted(names)
    assert [event.originator_version for event in events] == list(range(1, len(events) + 1))
    for sub_user in sub_users:
        assert key.decrypt("name", sub_user.state().name) == recorded_names[-1]
        assert sub_user.state().revision == 201


def test_one_of_several_changes_of_a_revision_succeeds(build: Callable[..., Service], company: Company) -> None:
    """Of eight concurrent changes of one revision, seven are refused."""
    sub_user = company.create_sub_user()
    sub_users = [sub_user, sub_user.with_service(build())]

    results = run_concurrently(
        [partial(sub_users[n % 2].change, surname=f"Surname {n}", if_revisions={1}) for n in range(8)]
    )

    assert outcome_counts(results) == {"Outcome": 1, "RevisionMismatch": 7}


def test_time_never_runs_backwards_within_a_stream(
    company: Company, build: Callable[..., Service], clock: TravelingClock
) -> None:
    """The commands alternate between two services, of which one has a clock six seconds behind."""
    sub_user = company.create_sub_user()
    sub_users = [sub_user.with_service(build()), sub_user]
    for n in range(20):
        clock.advance(seconds=7 if n % 2 else -6)
        sub_users[n % 2].change(name=f"Name {n}")

    times = [event.timestamp for event in company.service.main_accounts.events.get(company.account_id)]  # type: ignore[attr-defined]  # every event of an aggregate has one

    assert times == sorted(times)
