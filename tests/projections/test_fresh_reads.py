"""Read-your-writes: a read includes all earlier events of the account, or fails."""

from __future__ import annotations

import random
import threading
import time
from functools import partial
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.commands.activities import Activity
from application.errors import InvalidValue, ProjectionBehind
from domain.refusals import AccountNotFound
from projections.audit_log.conditions import AuditFilter
from projections.history.exports import ExportFilter
from projections.runtime import freshness
from projections.sub_users.queries import SubUserFilter
from tests.builders import PORTAL, Company, catch_up
from tests.postgres import connect
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from tests.builders import SubUserHandle


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time that reads wait for their view."""
    monkeypatch.setattr(freshness, "MAX_WAIT_SECONDS", 0.1)


def write_and_list(company: Company, times: int, seed: int) -> None:
    """Make random changes, and require that the list shows each one immediately."""
    rng = random.Random(seed)
    service = company.service
    expected: dict[str, tuple[str, bool]] = {}
    sub_users: dict[str, SubUserHandle] = {}
    for n in range(times):
        email = f"number-{n}@company.example"
        if len(sub_users) < 3:
            sub_users[email] = company.create_sub_user(email, name=f"Name {n}", password="one phrase for all")
            expected[email] = (f"Name {n}", True)
        else:
            email = rng.choice(list(sub_users))
            change = rng.choices(["rename", "show or hide", "delete"], [8, 4, 1])[0]
            name, visible = expected[email]
            if change == "rename":
                sub_users[email].change(name=f"Name {n}")
                expected[email] = (f"Name {n}", visible)
            elif change == "show or hide":
                sub_users[email].change(visible=not visible)
                expected[email] = (name, not visible)
            else:
                sub_users.pop(email).delete()
                del expected[email]
        listed = service.queries.sub_users.list(company.account_id, SubUserFilter(), 20, None).items
        assert {sub_user.email: (sub_user.name, sub_user.visible) for sub_user in listed} == expected, (
            f"round {n}, seed {seed}"
        )


def test_list_includes_the_latest_change(company: Company, followers: None) -> None:
    """Sub-users are created, renamed, hidden and deleted."""
    write_and_list(company, 200, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_list_includes_ten_thousand_latest_changes(service: Service, followers: None) -> None:
    """The changes are made in four accounts concurrently."""
    results = run_concurrently([partial(write_and_list, Company.register(service), 2500, seed=n) for n in range(4)])

    assert results == [None] * 4


def test_process_without_followers_reads_the_writes_of_another(
    company: Company, build: Callable[..., Service], followers: None
) -> None:
    sub_user = company.create_sub_user()
    other_service = build()
    for n in range(30):
        sub_user.change(name=f"Name {n}")
        assert other_service.queries.sub_users.sub_user(company.account_id, sub_user.sub_user_id).name == f"Name {n}"


def test_audit_log_includes_the_latest_activity(service: Service, company: Company, followers: None) -> None:
    """Activities are not in the account's stream."""
    sub_user = company.create_sub_user()
    for n in range(40):
        service.commands.activities.record(company.account_id, [Activity(sub_user.sub_user_id, f"action.{n}")], PORTAL)
        (newest,), _ = service.queries.audit_log.page(company.account_id, AuditFilter(), 1, None)
        assert newest.action == f"action.{n}"


def test_reads_do_not_wait_for_concurrent_writers(service: Service, company: Company, followers: None) -> None:
    """A read waits only for events recorded before it began."""
    other, done = Company.register(service).create_sub_user(), threading.Event()

    def keep_writing() -> None:
        for number in count():
            if done.is_set():
                return
            other.change(name=f"Name {number}")

    def read() -> None:
        try:
            for _ in range(10):
                service.queries.sub_users.list(company.account_id, SubUserFilter(), 10, None)
                service.queries.audit_log.page(company.account_id, AuditFilter(), 10, None)
        finally:
            done.set()

    assert run_concurrently([keep_writing, keep_writing, read]) == [None] * 3


READS: dict[str, Callable[[Service, Company], object]] = {
    "account": lambda service, company: service.queries.sub_users.account(company.account_id),
    "list": lambda service, company: service.queries.sub_users.list(company.account_id, SubUserFilter(), 10, None),
    "sub-user": lambda service, company: service.queries.sub_users.sub_user(company.account_id, uuid4()),
    "audit log": lambda service, company: service.queries.audit_log.page(company.account_id, AuditFilter(), 10, None),
    "audit stream": lambda service, company: service.queries.audit_log.stream(company.account_id, AuditFilter()),
    "export of an account": lambda service, company: service.queries.exports.begin(
        ExportFilter(company.account_id), "csv", has_proofs=False
    ),
    "export of all accounts": lambda service, _: service.queries.exports.begin(ExportFilter(), "csv", has_proofs=False),
}


@pytest.mark.parametrize("read", READS)
def test_read_fails_when_no_follower_runs(service: Service, company: Company, short_wait: None, read: str) -> None:
    """The read fails soon after the maximum wait."""
    began = time.monotonic()

    with pytest.raises(ProjectionBehind):
        READS[read](service, company)

    assert 0.1 <= time.monotonic() - began < 3


def test_read_fails_when_the_view_lacks_later_events(service: Service, company: Company, short_wait: None) -> None:
    sub_user = company.create_sub_user()
    catch_up(service)
    assert len(service.queries.sub_users.list(company.account_id, SubUserFilter(), 10, None).items) == 1

    sub_user.change(name="Ada")

    with pytest.raises(ProjectionBehind):
        service.queries.sub_users.list(company.account_id, SubUserFilter(), 10, None)


def test_read_does_not_wait_for_events_of_other_accounts(service: Service, company: Company, short_wait: None) -> None:
    catch_up(service)
    Company.register(service).create_sub_user()

    assert service.queries.sub_users.account(company.account_id).email == company.email


def test_read_waits_for_a_requested_position(service: Service, company: Company, short_wait: None) -> None:
    """The position may come from a response about any account."""
    catch_up(service)
    reached = service.queries.progress.settled_position()
    Company.register(service)
    requested = service.queries.progress.settled_position()
    assert requested > reached

    service.queries.sub_users.account(company.account_id, min_position=reached)
    with pytest.raises(ProjectionBehind):
        service.queries.sub_users.account(company.account_id, min_position=requested)
    catch_up(service)
    service.queries.sub_users.account(company.account_id, min_position=requested)
    service.queries.audit_log.page(company.account_id, AuditFilter(), 10, None, min_position=requested)


def test_position_beyond_the_end_of_the_store_is_refused(service: Service, company: Company, short_wait: None) -> None:
    """The read is refused without waiting."""
    catch_up(service)
    settled = service.queries.progress.settled_position()
    service.queries.sub_users.account(company.account_id, min_position=settled)

    for position in (settled + 1, 2**62):
        with pytest.raises(InvalidValue, match="Event-Position"):
            service.queries.sub_users.account(company.account_id, min_position=position)


def test_unknown_account_is_refused_without_waiting(service: Service, company: Company, followers: None) -> None:
    """Ids of an activity and of a sub-user are no account ids, either."""
    sub_user = company.create_sub_user()
    (activity_id,) = service.commands.activities.record(
        company.account_id, [Activity(sub_user.sub_user_id, "x.y")], PORTAL
    ).value.event_ids
    began = time.monotonic()

    for account_id in (uuid4(), activity_id, sub_user.sub_user_id):
        with pytest.raises(AccountNotFound):
            service.queries.sub_users.account(account_id)
        with pytest.raises(AccountNotFound):
            service.queries.sub_users.list(account_id, SubUserFilter(), 10, None)
        with pytest.raises(AccountNotFound):
            service.queries.audit_log.page(account_id, AuditFilter(), 10, None)
    assert time.monotonic() - began < 3


def test_reads_do_not_wait_for_open_transactions(
    service: Service, company: Company, database_url: str, followers: None
) -> None:
    company.create_sub_user()
    with connect(database_url) as other_connection, other_connection.transaction(force_rollback=True):
        other_connection.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
        other_connection.execute(
            "INSERT INTO stored_events VALUES (%s, 999, 'SubUserDeactivated', '')", [company.account_id]
        )

        assert len(service.queries.sub_users.list(company.account_id, SubUserFilter(), 10, None).items) == 1
