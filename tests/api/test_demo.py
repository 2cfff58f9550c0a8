"""What `subusers serve` makes the first time, in a database of its own: a demo that says that it is one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from api.demo import first_start
from api.demo.first_start import create_demo, is_half_made
from api.demo.mark import demo_account
from application.api_keys import Scope
from application.origin import Origin
from domain.cause import ActorType
from projections.audit_queries import AuditFilter
from projections.sub_user_queries import SubUserFilter
from tests.conftest import following
from tests.people import Company

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from api.config import Settings

A_DAY = timedelta(days=1)
CLIENT = Origin(ActorType.ANONYMOUS, ip="192.0.2.200")


@pytest.fixture
def embedded(settings: Settings) -> Settings:
    """Give the settings of a service that took the test's database for its own."""
    return replace(settings, embedded=True)


def test_people_with_a_month_behind_them(build: Callable[..., Service], embedded: Settings) -> None:
    """In every state; what they did is dated when it happened, and recorded when it was: nobody logged in before."""
    service = build(embedded)
    began = service.clock()
    demo = create_demo(service)
    assert demo
    assert demo.sub_user
    assert demo_account(embedded) == demo.account_id
    assert set(demo.keys) == set(Scope)
    with following(service):
        people = service.sub_user_queries.list(demo.account_id, SubUserFilter(), 200, None).items
        rows = list(service.audit_queries.stream(demo.account_id, AuditFilter()))
        used = service.usage_queries.overview(demo.account_id, None, None, "all")
    states = {(one.status, one.credentials_mail, one.must_change_password, bool(one.last_login_at)) for one in people}
    assert states == {
        ("active", "sent", False, True),
        ("active", "sent", True, False),
        ("inactive", "none", True, False),
        ("inactive", "sent", False, True),
    }
    assert not all(one.visible for one in people)
    assert any(one.access_expires_at for one in people)
    assert all(began <= row.recorded_at for row in rows)
    done = [row for row in rows if row.action in {"assistant.tested", "report.downloaded", "usage.recorded"}]
    assert min(row.occurred_at for row in done) < began - 20 * A_DAY
    assert max(row.occurred_at for row in done) <= began + A_DAY
    assert all(row.occurred_at == row.recorded_at for row in rows if row.action == "sub_user.logged_in")
    assert used.plan
    assert 0 < used.total.llm_tokens < used.plan.plan.included_tokens
    assert service.owner_sessions.log_in(demo.email, demo.password, CLIENT).value.token
    assert service.sessions.log_in(demo.email, demo.sub_user.email, demo.sub_user.password, CLIENT).value.token
    assert create_demo(service) is None
    assert not is_half_made(build(embedded))


def test_one_that_was_cut_off_is_known(
    build: Callable[..., Service], embedded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not begun again, among what is there of it, and whoever starts the service is to hear of it."""
    service = build(embedded)
    assert not is_half_made(service)

    def cut_off(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(first_start, "report_month", cut_off)
    with pytest.raises(SystemExit):
        create_demo(service)
    next_start = build(embedded)
    assert create_demo(next_start) is None
    assert is_half_made(next_start)


def test_none_where_there_is_anything(build: Callable[..., Service], embedded: Settings) -> None:
    """An account that somebody has made is theirs, keys or no keys."""
    service = build(embedded)
    Company.register(service)
    assert create_demo(service) is None
    assert demo_account(embedded) is None
    assert not service.api_keys.list()
    assert not is_half_made(service)


def test_no_people_where_mails_go_to_a_server(build: Callable[..., Service], embedded: Settings) -> None:
    """Nobody made up is written to."""
    service = build(replace(embedded, smtp_url="smtp://127.0.0.1:9"))
    demo = create_demo(service)
    assert demo
    assert demo.sub_user is None
    assert not service.main_accounts.load(demo.account_id).sub_users


def test_the_mark_counts_for_an_embedded_database_alone(
    build: Callable[..., Service], embedded: Settings, settings: Settings
) -> None:
    """A folder that once had a demo in it marks no account of another database."""
    service = build(replace(embedded, smtp_url="smtp://127.0.0.1:9"))
    assert create_demo(service)
    assert demo_account(embedded) is not None
    assert demo_account(settings) is None
