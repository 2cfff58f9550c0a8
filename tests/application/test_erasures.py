"""Erasure of personal data: at deletion, after a legal hold, with the account, and again after a restore."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from application.workers.erasure import Erasure
from domain.refusals import AccountNotFound, LoginRefused, SubUserNotFound
from projections.audit_log.conditions import AuditFilter
from tests.builders import Company, catch_up, deliver_mails, event_types, mails_in_folder
from tests.postgres import fetch
from tests.table_contents import contents, tables_containing
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock

CANARY = {"email": "canary@company.example", "name": "Canaryname", "surname": "Canarysurname"}


@pytest.fixture
def holding_service(build: Callable[..., Service], settings: Settings) -> Service:
    """Service that keeps the data of deleted sub-users for 30 days."""
    return build(replace(settings, erasure_delay=timedelta(days=30)))


def audit_log_text(service: Service, company: Company) -> str:
    """Return the whole audit log as text."""
    catch_up(service)
    return str(list(service.queries.audit_log.stream(company.account_id, AuditFilter())))


def tables_with_canary(database_url: str, *texts: str) -> dict[str, set[str]]:
    """Return the tables that contain the canary data, or the additional texts, by text."""
    contents_by_table = contents(database_url)
    return {
        text: tables for text in [*CANARY.values(), *texts] if (tables := tables_containing(contents_by_table, text))
    }


def test_held_sub_user_has_no_access_but_stays_readable(holding_service: Service, database_url: str) -> None:
    """They leave lists, their e-mail is free and their password is deleted; the audit log still shows their data."""
    company = Company.register(holding_service)
    sub_user = company.create_with_own_password(**CANARY)

    sub_user.delete()

    assert event_types(company)[-1] == "SubUserDeleted"
    with pytest.raises(LoginRefused):
        sub_user.log_in()
    with pytest.raises(SubUserNotFound):
        holding_service.commands.sub_users.sessions(company.account_id, sub_user.sub_user_id)
    rows = fetch(
        database_url, "SELECT password_hash, sealed_password FROM vault WHERE person_id = %s", sub_user.sub_user_id
    )
    assert rows == [(None, None)]
    assert tables_containing(contents(database_url), CANARY["email"]) == set()
    assert CANARY["email"] in audit_log_text(holding_service, company)
    assert company.create_sub_user(CANARY["email"]).state().email


def test_held_sub_user_is_erased_after_the_hold(
    holding_service: Service, clock: TravelingClock, database_url: str
) -> None:
    """The sub-user is not erased earlier, and only once."""
    company = Company.register(holding_service)
    company.create_sub_user(**CANARY).delete()
    clock.advance(days=29)
    assert not holding_service.commands.erasures.erase_next()

    clock.advance(days=2)
    assert holding_service.commands.erasures.erase_next()

    assert not holding_service.commands.erasures.erase_next()
    assert event_types(company)[-2:] == ["SubUserDeleted", "PersonalDataErased"]
    assert "anary" not in audit_log_text(holding_service, company)
    assert fetch(database_url, "SELECT count(*) FROM legal_holds") == [(0,)]


def test_concurrent_workers_erase_each_sub_user_once(
    holding_service: Service, build: Callable[..., Service], clock: TravelingClock
) -> None:
    """One of them was claimed by a dead worker, and the claim has expired."""
    company = Company.register(holding_service)
    for _ in range(6):
        company.create_sub_user().delete()
    clock.advance(days=31)
    assert holding_service.commands.legal_holds.claim(clock()) is not None  # and the worker dies
    clock.advance(seconds=31)
    workers = [holding_service, build(), build()]

    def erase(worker: Service) -> int:
        erased = 0
        while worker.commands.erasures.erase_next():
            erased += 1
        return erased

    results = run_concurrently([lambda worker=worker: erase(worker) for worker in workers])  # type: ignore[misc]

    assert sum(count for count in results if isinstance(count, int)) == 6, results
    assert event_types(company).count("PersonalDataErased") == 6


def test_account_erasure_erases_everyone(holding_service: Service, database_url: str) -> None:
    """It erases existing and held sub-users and the owner. The audit log keeps the events without personal data."""
    company = Company.register(holding_service, "canary.boss@company.example")
    existing = company.create_with_own_password(**CANARY)
    company.create_sub_user("canary.held@company.example", name="Canaryheld").delete()
    deliver_mails(holding_service)
    catch_up(holding_service)

    assert holding_service.commands.erasures.erase_account(company.account_id) == 3

    held_texts = ["canary.held@company.example", "Canaryheld"]
    assert tables_with_canary(database_url, "canary.boss@company.example", "Winds & Waves", *held_texts) == {}
    assert event_types(company).count("PersonalDataErased") == 3
    log = audit_log_text(holding_service, company)
    assert "main_account.closed" in log
    assert "anary" not in log
    with pytest.raises(LoginRefused):
        existing.log_in()
    assert Company.register(holding_service, "canary.boss@company.example").account_id != company.account_id
    assert holding_service.commands.erasures.erase_account(company.account_id) == 0
    assert mails_in_folder(holding_service) != []
    holding_service.delete_mails_of_erased()
    assert mails_in_folder(holding_service) == []


def test_stopped_projection_retains_no_personal_data(service: Service, company: Company, database_url: str) -> None:
    """The erasure removes plaintext rows in its own transaction; the projection later continues from there."""
    sub_user = company.create_sub_user(**CANARY)
    catch_up(service)
    sub_user.delete()

    assert tables_with_canary(database_url) == {}
    company.create_sub_user(**CANARY).delete()  # the follower has not seen any of these events

    catch_up(service)
    assert tables_with_canary(database_url) == {}


def test_erasure_can_be_reapplied(service: Service, company: Company) -> None:
    """It is reapplied to an existing sub-user. Reapplying it to an erased one does nothing."""
    existing, erased = company.create_sub_user(), company.create_sub_user()
    erased.delete()
    erasures = [Erasure(company.account_id, sub_user.sub_user_id) for sub_user in (existing, existing, erased)]

    assert [service.commands.erasures.reapply(erasure) for erasure in erasures] == [True, False, False]
    assert event_types(company)[-2:] == ["SubUserDeleted", "PersonalDataErased"]


def test_erasure_of_a_held_sub_user_can_be_reapplied(holding_service: Service, database_url: str) -> None:
    """The legal hold ends."""
    company = Company.register(holding_service)
    held = company.create_sub_user()
    held.delete()
    erasure = Erasure(company.account_id, held.sub_user_id)

    assert [holding_service.commands.erasures.reapply(erasure) for _ in range(2)] == [True, False]
    assert event_types(company)[-2:] == ["SubUserDeleted", "PersonalDataErased"]
    assert fetch(database_url, "SELECT count(*) FROM legal_holds") == [(0,)]


def test_erasure_of_an_account_can_be_reapplied(service: Service, company: Company) -> None:
    """It is reapplied once. Reapplying it to an unknown account does nothing."""
    assert service.commands.erasures.reapply(Erasure(company.account_id, None))
    assert not service.commands.erasures.reapply(Erasure(company.account_id, None))
    assert not service.commands.erasures.reapply(Erasure(uuid4(), None))


def test_erasing_an_unknown_account_is_refused(service: Service) -> None:
    with pytest.raises(AccountNotFound):
        service.commands.erasures.erase_account(uuid4())


def test_mails_to_others_remain(service: Service, company: Company) -> None:
    """Unrelated files remain as well."""
    sub_user, other = company.create_active(), company.create_active()
    deliver_mails(service)
    (service.settings.mail_folder / "notes.eml").write_text("no mail")
    (service.settings.mail_folder / "half.eml").write_text(f"Message-ID: <{'-' * 36}.1@x>")
    sub_user.delete()

    assert service.delete_mails_of_erased() == 1
    assert service.delete_mails_of_erased() == 0
    assert {file.name for file in service.settings.mail_folder.iterdir()} >= {"notes.eml", "half.eml"}
    mails: list[Any] = [mail for mail in deliver_mails(service) if mail["To"]]
    assert [other.email in str(mail["To"]) for mail in mails] == [True]
