"""Demo account that the first `subusers serve` creates in an embedded database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from api.bootstrap.demo_marker import demo_account
from api.bootstrap.testing.followers import running_followers
from api.demo import first_start
from api.demo.first_start import create_demo, is_incomplete_demo
from application.command_context import CommandContext
from application.commands.api_keys import Scope
from domain.event_metadata import ActorType
from projections.audit_log.conditions import AuditFilter
from projections.sub_users.queries import SubUserFilter
from tests.builders import Company

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service

ONE_DAY = timedelta(days=1)
CLIENT = CommandContext(ActorType.ANONYMOUS, ip="192.0.2.200")


@pytest.fixture
def embedded(settings: Settings) -> Settings:
    """Return the settings of a service with the test's database as its embedded one."""
    return replace(settings, embedded=True)


def require_roles(service: Service, account_id: UUID, sub_user_ids: list[UUID]) -> None:
    """Require two roles of the demo's own, given on named resources, with reasons and partly for a time."""
    roles = {role.name: role.holders for role in service.commands.roles.list(account_id)}
    assert roles == {"Operator": 5, "Viewer": 0, "Account manager": 1, "Consultant": 1}
    grants = [
        grant
        for sub_user_id in sub_user_ids
        for grant in service.commands.grants.list(account_id, sub_user_id)
        if grant.resource is not None
    ]
    assert len(grants) == 4
    assert all(grant.resource and grant.resource.label and grant.reason for grant in grants)
    assert {grant.expires_at is None for grant in grants} == {True, False}


def test_demo_has_sub_users_in_every_state_with_a_month_of_activity(
    build: Callable[..., Service], embedded: Settings
) -> None:
    """Activities and usage are dated in the past but recorded now; logins occur when they are recorded."""
    service = build(embedded)
    began = service.clock()
    demo = create_demo(service)
    assert demo
    assert demo.sub_user
    assert demo_account(embedded) == demo.account_id
    assert set(demo.keys) == set(Scope)
    with running_followers(service):
        sub_users = service.queries.sub_users.list(demo.account_id, SubUserFilter(), 200, None).items
        rows = list(service.queries.audit_log.stream(demo.account_id, AuditFilter()))
        usage = service.queries.usage.overview(demo.account_id, None, None, "all")
    states = {
        (sub_user.status, sub_user.credentials_mail, sub_user.must_change_password, bool(sub_user.last_login_at))
        for sub_user in sub_users
    }
    assert states == {
        ("active", "sent", False, True),
        ("active", "sent", True, False),
        ("inactive", "none", True, False),
        ("inactive", "sent", False, True),
    }
    require_roles(service, demo.account_id, [sub_user.sub_user_id for sub_user in sub_users])
    assert not all(sub_user.visible for sub_user in sub_users)
    assert any(sub_user.access_expires_at for sub_user in sub_users)
    assert all(began <= row.recorded_at for row in rows)
    reported = [
        row for row in rows if row.action in {"assistant.tested", "report.downloaded", "sub_user.usage_recorded"}
    ]
    assert min(row.occurred_at for row in reported) < began - 20 * ONE_DAY
    assert max(row.occurred_at for row in reported) <= began + ONE_DAY
    logins = [row for row in rows if row.action == "sub_user.logged_in"]
    assert logins
    assert all(row.occurred_at == row.recorded_at for row in logins)
    assert usage.plan
    assert 0 < usage.total.llm_tokens < usage.plan.plan.included_tokens
    assert service.commands.owner_sessions.log_in(demo.email, demo.password, CLIENT).value.token
    assert service.commands.sub_user_sessions.log_in(
        demo.email, demo.sub_user.email, demo.sub_user.password, CLIENT
    ).value.token
    assert create_demo(service) is None
    assert not is_incomplete_demo(build(embedded))


def test_interrupted_creation_is_detected(
    build: Callable[..., Service], embedded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start does not begin again; it reports an incomplete demo."""
    service = build(embedded)
    assert not is_incomplete_demo(service)

    def interrupt(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(first_start, "report_month", interrupt)
    with pytest.raises(SystemExit):
        create_demo(service)
    next_start = build(embedded)
    assert create_demo(next_start) is None
    assert is_incomplete_demo(next_start)


def test_no_demo_in_a_database_with_an_account(build: Callable[..., Service], embedded: Settings) -> None:
    service = build(embedded)
    Company.register(service)
    assert create_demo(service) is None
    assert demo_account(embedded) is None
    assert not service.commands.api_keys.list()
    assert not is_incomplete_demo(service)


def test_no_demo_sub_users_with_an_smtp_server(build: Callable[..., Service], embedded: Settings) -> None:
    """No mail goes to a made-up address."""
    service = build(replace(embedded, smtp_url="smtp://127.0.0.1:9"))
    demo = create_demo(service)
    assert demo
    assert demo.sub_user is None
    assert not service.main_accounts.load(demo.account_id).sub_users


def test_demo_marker_only_applies_to_the_embedded_database(
    build: Callable[..., Service], embedded: Settings, settings: Settings
) -> None:
    """A data folder that once had a demo does not mark an account in another database."""
    service = build(replace(embedded, smtp_url="smtp://127.0.0.1:9"))
    assert create_demo(service)
    assert demo_account(embedded) is not None
    assert demo_account(settings) is None
