"""People are erased at once, or when a legal hold is over, with their account, and again after a restore."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from application.erasures import Erasure
from domain.refusals import AccountNotFound, LoginRefused, SubUserNotFound
from projections.audit_queries import AuditFilter
from tests.people import Company, catch_up, deliver_mails, kinds, mails
from tests.postgres import ask
from tests.test_secrets_at_rest import contents, where_is
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from api.config import Settings
    from tests.conftest import TravelingClock

CANARY = {"email": "canary@company.example", "name": "Canaryname", "surname": "Canarysurname"}


@pytest.fixture
def holding(build: Callable[..., Service], settings: Settings) -> Service:
    """Give a service that keeps the data of deleted people for 30 days."""
    return build(replace(settings, erasure_delay=timedelta(days=30)))


def told(service: Service, company: Company) -> str:
    """Return everything that the audit log shows."""
    catch_up(service)
    return str(list(service.audit_queries.stream(company.account_id, AuditFilter())))


def found(database_url: str, *more: str) -> dict[str, set[str]]:
    """Return what of the canary, and more, is held in which tables."""
    held = contents(database_url)
    return {text: tables for text in [*CANARY.values(), *more] if (tables := where_is(held, text))}


def test_somebody_held_is_gone_and_can_be_read_of(holding: Service, database_url: str) -> None:
    """From lists and access at once; their e-mail is free, no password of theirs is kept, the log still tells."""
    company = Company.register(holding)
    one = company.let_in_settled(**CANARY)

    one.delete()

    assert kinds(company)[-1] == "SubUserDeleted"
    with pytest.raises(LoginRefused):
        one.log_in()
    with pytest.raises(SubUserNotFound):
        holding.sub_users.sessions(company.account_id, one.sub_user_id)
    held = ask(database_url, "SELECT password_hash, sealed_password FROM vault WHERE person_id = %s", one.sub_user_id)
    assert held == [(None, None)]
    assert where_is(contents(database_url), CANARY["email"]) == set()
    assert CANARY["email"] in told(holding, company)
    assert company.let_in(CANARY["email"]).state().email


def test_they_are_erased_when_the_hold_is_over(holding: Service, clock: TravelingClock, database_url: str) -> None:
    """Not before, and once; whatever the delay of later deletions."""
    company = Company.register(holding)
    company.let_in(**CANARY).delete()
    clock.advance(days=29)
    assert not holding.erasures.erase_next()

    clock.advance(days=2)
    assert holding.erasures.erase_next()

    assert not holding.erasures.erase_next()
    assert kinds(company)[-2:] == ["SubUserDeleted", "PersonalDataErased"]
    assert "anary" not in told(holding, company)
    assert ask(database_url, "SELECT count(*) FROM legal_holds") == [(0,)]


def test_any_number_of_workers_erase_each_person_once(
    holding: Service, build: Callable[..., Service], clock: TravelingClock
) -> None:
    """Also one whose claim has run out meanwhile, as that of somebody who died with it does."""
    company = Company.register(holding)
    for _ in range(6):
        company.let_in().delete()
    clock.advance(days=31)
    assert holding.legal_holds.claim(clock()) is not None  # and dies
    clock.advance(seconds=31)
    workers = [holding, build(), build()]

    def erase(worker: Service) -> int:
        erased = 0
        while worker.erasures.erase_next():
            erased += 1
        return erased

    came_to = at_once([lambda worker=worker: erase(worker) for worker in workers])  # type: ignore[misc]

    assert [one for one in came_to if isinstance(one, Exception)] == []
    assert kinds(company).count("PersonalDataErased") == 6


def test_erasing_an_account(holding: Service, database_url: str) -> None:
    """Whoever lives in it, is held, or owns it: nothing of them is anywhere. What happened can still be read."""
    company = Company.register(holding, "canary.boss@company.example")
    living = company.let_in_settled(**CANARY)
    company.let_in("canary.held@company.example", name="Canaryheld").delete()
    deliver_mails(holding)
    catch_up(holding)

    assert holding.erasures.erase_account(company.account_id) == 3

    held_too = ["canary.held@company.example", "Canaryheld"]
    assert found(database_url, "canary.boss@company.example", "Winds & Waves", *held_too) == {}
    assert kinds(company).count("PersonalDataErased") == 3
    log = told(holding, company)
    assert "main_account.closed" in log
    assert "anary" not in log
    with pytest.raises(LoginRefused):
        living.log_in()
    assert Company.register(holding, "canary.boss@company.example").account_id != company.account_id
    assert holding.erasures.erase_account(company.account_id) == 0
    assert mails(holding) != []
    holding.clear_away_mails()
    assert mails(holding) == []


def test_a_stopped_follower_keeps_nobody(service: Service, company: Company, database_url: str) -> None:
    """What views hold in the clear goes with the key, not when the follower comes by; it goes on from there."""
    one = company.let_in(**CANARY)
    catch_up(service)
    one.delete()

    assert found(database_url) == {}
    company.let_in(**CANARY).delete()  # the follower has heard of nothing yet

    catch_up(service)
    assert found(database_url) == {}


def test_an_erasure_is_applied_again(service: Service, company: Company) -> None:
    """To whoever lives, or is held; of somebody erased, or of nobody there is, there is nothing to do."""
    living, deleted = company.let_in(), company.let_in()
    deleted.delete()
    again = [Erasure(company.account_id, one.sub_user_id) for one in (living, living, deleted)]

    assert [service.erasures.reapply(one) for one in again] == [True, False, False]
    assert kinds(company)[-2:] == ["SubUserDeleted", "PersonalDataErased"]
    assert not service.erasures.reapply(Erasure(living.sub_user_id, None))
    assert service.erasures.reapply(Erasure(company.account_id, None))
    assert not service.erasures.reapply(Erasure(company.account_id, None))


def test_an_account_that_is_none(service: Service, company: Company) -> None:
    """Is said to be none."""
    with pytest.raises(AccountNotFound):
        service.erasures.erase_account(company.let_in().sub_user_id)


def test_mails_of_others_stay(service: Service, company: Company) -> None:
    """Files that are no mails of ours too."""
    one, other = company.let_in_active(), company.let_in_active()
    deliver_mails(service)
    (service.settings.mail_folder / "notes.eml").write_text("no mail")
    (service.settings.mail_folder / "half.eml").write_text(f"Message-ID: <{'-' * 36}.1@x>")
    one.delete()

    assert service.clear_away_mails() == 1
    assert service.clear_away_mails() == 0
    assert [file.name for file in service.settings.mail_folder.glob("[a-z]*.eml")] != []
    mails: list[Any] = [mail for mail in deliver_mails(service) if mail["To"]]
    assert [other.email in str(mail["To"]) for mail in mails] == [True]
