"""What must hold however many ask at the same time, in one process or in several."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from adapters.passwords import Argon2Passwords
from application.accounts import AccountChanges
from domain.refusals import AccountEmailTaken, SubUserEmailTaken, SubUserLimitReached
from tests.people import PORTAL, SUPPORT, Company, kinds
from tests.postgres import ask
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from api.bootstrap import Service
    from tests.conftest import TravelingClock


def outcomes(came_to: list[Any]) -> Counter[str]:
    return Counter(type(one).__name__ for one in came_to)


def test_sixty_four_creations_at_once_make_ten_sub_users(
    build: Callable[..., Service], company: Company, database_url: str
) -> None:
    """The limit of ten holds exactly, through two processes: no fewer and no more, and nothing is left of the rest."""
    doors = [company, company.seen_by(build())]

    came_to = at_once([partial(doors[n % 2].let_in, password="one phrase for all") for n in range(64)])

    assert outcomes(came_to) == {"Collaborator": 10, SubUserLimitReached.__name__: 54}
    assert len(company.state().sub_users) == 10
    assert kinds(company).count("SubUserCreated") == 10
    assert ask(database_url, "SELECT count(*) FROM vault") == [(11,)]


def test_who_comes_too_late_to_be_let_in_costs_no_hash(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though all were asked for at once: many such would keep the cores from those who log in."""
    hashed: list[str] = []
    hash_one = Argon2Passwords.hash

    def count(self: Argon2Passwords, password: str) -> str:
        hashed.append(password)
        return hash_one(self, password)

    monkeypatch.setattr(Argon2Passwords, "hash", count)

    came_to = at_once([company.let_in] * 32)

    assert outcomes(came_to) == {"Collaborator": 10, SubUserLimitReached.__name__: 22}
    assert len(hashed) == 10


def test_a_raised_limit_holds_as_well(service: Service, company: Company) -> None:
    """Support raises the limit to twelve, and twelve it is."""
    service.accounts.raise_sub_user_limit(company.account_id, 12, SUPPORT)

    came_to = at_once([company.let_in] * 20)

    assert outcomes(came_to) == {"Collaborator": 12, SubUserLimitReached.__name__: 8}


def test_of_two_with_one_email_one_is_let_in(build: Callable[..., Service], company: Company) -> None:
    """However the address is written, and whichever process is asked."""
    other = company.seen_by(build())
    written = ["grace@company.example", "GRACE@company.example", "Grace@Company.Example"]

    came_to = at_once([partial(door.let_in, email) for door in (company, other) for email in written])

    assert outcomes(came_to) == {"Collaborator": 1, SubUserEmailTaken.__name__: 5}


def test_of_two_accounts_with_one_email_one_is_registered(
    service: Service, build: Callable[..., Service], database_url: str
) -> None:
    """The directory decides, in the transaction; nothing is left of the others."""
    other = build()

    came_to = at_once([partial(Company.register, door, "Boss@company.example") for door in (service, other) * 4])

    assert outcomes(came_to) == {"Company": 1, AccountEmailTaken.__name__: 7}
    assert ask(database_url, "SELECT count(*) FROM stored_events") == [(1,)]


def test_two_accounts_may_swap_their_emails_only_one_after_the_other(service: Service) -> None:
    """Whatever order it comes to, no e-mail leads to two accounts, and none is lost."""
    one, other = Company.register(service, "a@company.example"), Company.register(service, "b@company.example")

    def take(company: Company, email: str) -> object:
        return service.accounts.change(company.account_id, AccountChanges(email=email), PORTAL)

    at_once([lambda: take(one, "b@company.example"), lambda: take(other, "a@company.example")])

    emails = {service.accounts.change(c.account_id, AccountChanges(), PORTAL).value.email for c in (one, other)}
    assert emails == {"a@company.example", "b@company.example"}


def test_two_processes_hammering_one_account_lose_nothing(build: Callable[..., Service], company: Company) -> None:
    """Two hundred changes through two processes, eight at a time: each is in the history once, and in the state."""
    one = company.let_in()
    doors = [one, one.seen_by(build())]
    names = [f"Name {n}" for n in range(200)]

    def rename(worker: int) -> None:
        for n in range(worker, 200, 8):
            doors[worker % 2].change(name=names[n])

    came_to = at_once([partial(rename, worker) for worker in range(8)])

    assert outcomes(came_to) == {"NoneType": 8}
    key = company.service.vault.entries([one.sub_user_id])[one.sub_user_id].key
    events: list[Any] = list(company.service.main_accounts.events.get(company.account_id))
    given = [key.open("name", event.name) for event in events if type(event).__name__ == "SubUserDetailsChanged"]
    assert sorted(given) == sorted(names)
    assert [event.originator_version for event in events] == list(range(1, len(events) + 1))
    for door in doors:
        assert key.open("name", door.state().name) == given[-1]
        assert door.state().revision == 201


def test_a_revision_can_be_changed_once(build: Callable[..., Service], company: Company) -> None:
    """Of eight who mean the same revision one succeeds, and the others are told that it has changed since."""
    one = company.let_in()
    doors = [one, one.seen_by(build())]

    came_to = at_once([partial(doors[n % 2].change, surname=f"Surname {n}", if_revision=1) for n in range(8)])

    assert outcomes(came_to) == {"Outcome": 1, "RevisionMismatch": 7}


def test_time_does_not_run_backwards_in_a_history(
    company: Company, build: Callable[..., Service], clock: TravelingClock
) -> None:
    """However far the clocks of several hosts are apart."""
    one = company.let_in()
    for n in range(20):
        clock.advance(seconds=7 if n % 2 else -6)
        one.change(name=f"Name {n}")

    times = [event.timestamp for event in company.service.main_accounts.events.get(company.account_id)]  # type: ignore[attr-defined]  # every event of an aggregate has one

    assert times == sorted(times)
