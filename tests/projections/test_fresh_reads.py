"""A read never shows less than what was recorded before it was asked for; where it cannot, it says so."""

from __future__ import annotations

import random
import threading
import time
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.activities import Activity
from application.errors import InvalidValue, ViewBehind
from domain.refusals import AccountNotFound
from projections import freshness
from projections.audit_queries import AuditFilter
from projections.sub_user_queries import SubUserFilter
from tests.people import PORTAL, Company, catch_up
from tests.postgres import connect
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from tests.people import Collaborator


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have reads give up soon."""
    monkeypatch.setattr(freshness, "LONGEST_WAIT", 0.1)


def write_and_list(company: Company, times: int, seed: int) -> None:
    """Do one thing after the other, and after each look whether the list shows it."""
    chance = random.Random(seed)
    service = company.service
    expected: dict[str, tuple[str, bool]] = {}
    people: dict[str, Collaborator] = {}
    for n in range(times):
        email = f"number-{n}@company.example"
        if len(people) < 3:
            people[email] = company.let_in(email, name=f"Name {n}", password="one phrase for all")
            expected[email] = (f"Name {n}", True)
        else:
            email = chance.choice(list(people))
            what = chance.choices(["rename", "show or hide", "delete"], [8, 4, 1])[0]
            name, visible = expected[email]
            if what == "rename":
                people[email].change(name=f"Name {n}")
                expected[email] = (f"Name {n}", visible)
            elif what == "show or hide":
                people[email].change(visible=not visible)
                expected[email] = (name, not visible)
            else:
                people.pop(email).delete()
                del expected[email]
        listed = service.sub_user_queries.list(company.account_id, SubUserFilter(), 20, None).items
        assert {one.email: (one.name, one.visible) for one in listed} == expected, f"round {n}, seed {seed}"


def test_a_list_shows_what_was_just_written(company: Company, followers: None) -> None:
    """Two hundred times, whatever was written: created, renamed, hidden, deleted."""
    write_and_list(company, 200, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_list_shows_what_was_just_written_ten_thousand_times(service: Service, followers: None) -> None:
    """In four accounts at the same time."""
    came_to = at_once([partial(write_and_list, Company.register(service), 2500, seed=n) for n in range(4)])

    assert came_to == [None] * 4


def test_one_process_reads_what_another_wrote(company: Company, build: Callable[..., Service], followers: None) -> None:
    """No follower runs in this one."""
    one = company.let_in()
    elsewhere = build()
    for n in range(30):
        one.change(name=f"Name {n}")
        assert elsewhere.sub_user_queries.sub_user(company.account_id, one.sub_user_id).name == f"Name {n}"


def test_the_audit_log_shows_what_was_just_reported(service: Service, company: Company, followers: None) -> None:
    """Activities too, which are no part of the account's own stream."""
    one = company.let_in()
    for n in range(40):
        service.activities.record(company.account_id, [Activity(one.sub_user_id, f"action.{n}")], PORTAL)
        (newest,), _ = service.audit_queries.page(company.account_id, AuditFilter(), 1, None)
        assert newest.action == f"action.{n}"


def test_other_writers_do_not_hold_a_read_up(service: Service, company: Company, followers: None) -> None:
    """It waits for what was there when it was asked, not for what comes after."""
    other, enough = Company.register(service).let_in(), threading.Event()

    def keep_writing() -> None:
        n = 0
        while not enough.is_set():
            other.change(name=f"Name {(n := n + 1)}")

    def read() -> None:
        try:
            for _ in range(10):
                service.sub_user_queries.list(company.account_id, SubUserFilter(), 10, None)
                service.audit_queries.page(company.account_id, AuditFilter(), 10, None)
        finally:
            enough.set()

    assert at_once([keep_writing, keep_writing, read]) == [None] * 3


READS: dict[str, Callable[[Service, Company], object]] = {
    "account": lambda service, company: service.sub_user_queries.account(company.account_id),
    "list": lambda service, company: service.sub_user_queries.list(company.account_id, SubUserFilter(), 10, None),
    "sub-user": lambda service, company: service.sub_user_queries.sub_user(company.account_id, uuid4()),
    "audit log": lambda service, company: service.audit_queries.page(company.account_id, AuditFilter(), 10, None),
    "audit stream": lambda service, company: service.audit_queries.stream(company.account_id, AuditFilter()),
}


@pytest.mark.parametrize("read", READS)
def test_a_view_that_nobody_keeps_up_is_not_passed_off_as_current(
    service: Service, company: Company, impatient: None, read: str
) -> None:
    """Where no follower runs, a read says so, after the time allowed and not much later."""
    began = time.monotonic()

    with pytest.raises(ViewBehind):
        READS[read](service, company)

    assert 0.1 <= time.monotonic() - began < 3


def test_a_view_that_was_current_once_is_not_current_for_ever(
    service: Service, company: Company, impatient: None
) -> None:
    """What was recorded since is missed."""
    one = company.let_in()
    catch_up(service)
    assert len(service.sub_user_queries.list(company.account_id, SubUserFilter(), 10, None).items) == 1

    one.change(name="Ada")

    with pytest.raises(ViewBehind):
        service.sub_user_queries.list(company.account_id, SubUserFilter(), 10, None)


def test_only_the_account_that_is_read_must_be_current(service: Service, company: Company, impatient: None) -> None:
    """What happened elsewhere since is nothing to this list."""
    catch_up(service)
    Company.register(service).let_in()

    assert service.sub_user_queries.account(company.account_id).email == company.email


def test_a_reader_may_demand_a_position(service: Service, company: Company, impatient: None) -> None:
    """That of an earlier answer, from whatever account; one that the view has not come to is waited for in vain."""
    catch_up(service)
    reached = service.progress.settled_position()
    Company.register(service)
    demanded = service.progress.settled_position()
    assert demanded > reached

    service.sub_user_queries.account(company.account_id, at_least=reached)
    with pytest.raises(ViewBehind):
        service.sub_user_queries.account(company.account_id, at_least=demanded)
    catch_up(service)
    service.sub_user_queries.account(company.account_id, at_least=demanded)
    service.audit_queries.page(company.account_id, AuditFilter(), 10, None, at_least=demanded)


def test_a_position_that_there_never_was_is_not_waited_for(service: Service, company: Company, impatient: None) -> None:
    """Nobody can have been answered that: it is refused at once."""
    catch_up(service)
    settled = service.progress.settled_position()
    service.sub_user_queries.account(company.account_id, at_least=settled)

    for never in (settled + 1, 2**62):
        with pytest.raises(InvalidValue, match="Event-Position"):
            service.sub_user_queries.account(company.account_id, at_least=never)


def test_what_is_no_account_is_not_waited_for(service: Service, company: Company, followers: None) -> None:
    """Neither an id that nobody has, nor an activity's, nor a sub-user's."""
    one = company.let_in()
    (activity,) = service.activities.record(company.account_id, [Activity(one.sub_user_id, "x.y")], PORTAL).value
    began = time.monotonic()

    for wrong in (uuid4(), activity, one.sub_user_id):
        with pytest.raises(AccountNotFound):
            service.sub_user_queries.account(wrong)
        with pytest.raises(AccountNotFound):
            service.sub_user_queries.list(wrong, SubUserFilter(), 10, None)
        with pytest.raises(AccountNotFound):
            service.audit_queries.page(wrong, AuditFilter(), 10, None)
    assert time.monotonic() - began < 3


def test_an_uncommitted_write_is_not_waited_for(
    service: Service, company: Company, database_url: str, followers: None
) -> None:
    """Somebody else's open transaction holds no read up."""
    company.let_in()
    with connect(database_url) as rival, rival.transaction(force_rollback=True):
        rival.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
        rival.execute("INSERT INTO stored_events VALUES (%s, 999, 'SubUserDeactivated', '')", [company.account_id])

        assert len(service.sub_user_queries.list(company.account_id, SubUserFilter(), 10, None).items) == 1
