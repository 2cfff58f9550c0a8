"""Times at both ends of the calendar: refused as input, rendered if already stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from api.http.fields.times import EARLIEST_REPORT
from api.presentation import times
from api.presentation.expiry_bounds import EARLIEST_EXPIRY, LATEST_EXPIRY
from application.command_context import CommandContext
from application.commands.activities import Activity
from application.commands.sub_users import SubUserChanges
from application.commands.usage import UsageReport
from domain.event_metadata import ActorType
from tests.api.clients import OWN_PASSWORD

if TYPE_CHECKING:
    from tests.api.clients import SubUser
    from tests.console.conftest import AccountConsole

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
ZONES = ["Etc/GMT+12", "America/New_York", "UTC", "Asia/Kathmandu", "Pacific/Kiritimati"]
CONTEXT = CommandContext(ActorType.MAIN_ACCOUNT)


@pytest.fixture
def sub_user(console: AccountConsole) -> SubUser:
    """A sub-user with extreme times, as older versions could store them."""
    sub_user = console.account.create_with_own_password()
    service, account_id, sub_user_id = (
        console.clients.service,
        UUID(console.account.account_id),
        UUID(sub_user.sub_user_id),
    )
    moments = [EARLIEST, LATEST, EARLIEST + timedelta(hours=11), LATEST - timedelta(hours=13)]
    activities = [Activity(sub_user_id, "tool.used", "target", occurred_at=at) for at in moments]
    service.commands.activities.record(account_id, activities, CONTEXT)
    service.commands.usage.record(account_id, [UsageReport(sub_user_id, 60_000, 5, at) for at in moments], CONTEXT)
    for at in (EARLIEST, LATEST):
        changes = SubUserChanges(changes_expiry=True, access_expires_at=at)
        service.commands.sub_users.change(account_id, sub_user_id, changes, CONTEXT)
    for text in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):  # reading them is recorded, with these times
        assert console.clients.auditor.get(f"{console.account.path}/history?as_of={text}").status_code in {200, 422}
        assert console.clients.auditor.get(f"{console.account.path}/export?since={text}").status_code == 200
    return sub_user


@pytest.mark.parametrize("zone", ZONES)
def test_stored_extreme_times_are_rendered_in_every_time_zone(
    console: AccountConsole, sub_user: SubUser, zone: str
) -> None:
    """This holds for pages of owners and sub-users, with and without filters, and for exported files."""
    owner_browser, sub_user_browser = console.owner(), console.sub_user(sub_user, OWN_PASSWORD)
    for browser in (owner_browser, sub_user_browser):
        browser.set_cookie("__Host-subusers-time-zone", zone)
    pages = ["/monitoring", "/monitoring?action=tool.used", f"/monitoring?sub_user_id={sub_user.sub_user_id}"]
    pages += [
        "/monitoring?from=1970-01-01&until=2999-12-31",
        f"/sub-users/{sub_user.sub_user_id}",
        "/sub-users",
        "/usage",
    ]
    pages += [
        f"/sub-users/{sub_user.sub_user_id}/edit",
        "/monitoring/export.csv",
        "/monitoring/export.csv?action=tool.used",
    ]
    for path in pages:
        assert owner_browser.get(path).status == 200, path
    assert owner_browser.get("/monitoring?action=tool.used").text.count("tool.used") > 4
    for path in ("/profile", "/colleagues"):
        assert sub_user_browser.get(path).status == 200, path


def test_stored_extreme_times_can_be_exported(console: AccountConsole, sub_user: SubUser) -> None:
    """This holds for whole exports and for pages, in every format."""
    path, auditor = console.account.path, console.clients.auditor
    console.clients.sign_checkpoint()
    for accept in ("application/json", "text/csv", "application/x-ndjson"):
        assert auditor.get(f"{path}/audit-log", headers={"Accept": accept}).status_code == 200
    for export_format in ("jsonl", "csv", "ocsf"):
        response = auditor.get(f"{path}/export?format={export_format}")
        assert response.status_code == 200
        assert "0001-01-01" in response.text
        assert "9999-12-31" in response.text
    page: Any = auditor.get(f"{path}/history?limit=2").json
    while page["next_cursor"] is not None:
        page = auditor.get(f"{path}/history?limit=2&cursor={page['next_cursor']}").json
    assert console.clients.portal.get(f"{path}/usage").status_code == 200
    assert console.clients.portal.get(f"{sub_user.path}/personal-data").status_code == 200
    events = console.clients.analytics.get("/v1/events?limit=1000&event_types=subusers.sub_user.usage_recorded.v1")
    assert events.status_code == 200


@pytest.mark.parametrize(
    ("query", "row_count"),
    [
        ({"since": "0001-01-01T00:00:00Z"}, 4),
        ({"until": "0001-01-01T00:00:00Z"}, 0),
        ({"since": "9999-12-31T23:59:59.999999Z"}, 1),
        ({"until": "9999-12-31T23:59:59.999999Z"}, 3),
    ],
)
def test_stored_extreme_times_can_be_filtered(
    console: AccountConsole, sub_user: SubUser, query: dict[str, str], row_count: int
) -> None:
    """`since` is inclusive, `until` exclusive."""
    assert len(console.account.audit_log_rows(action="tool.used", **query)) == row_count


@pytest.mark.parametrize("field", ["activities", "usage"])
@pytest.mark.parametrize("offset", [timedelta(days=1), timedelta(hours=2), LATEST - datetime.now(UTC)])
def test_future_activity_and_usage_is_refused(console: AccountConsole, field: str, offset: timedelta) -> None:
    """Half an hour is accepted as clock skew."""
    sub_user = console.account.create_sub_user()
    report: dict[str, Any] = {"sub_user_id": sub_user.sub_user_id}
    report |= {"llm_tokens": 1} if field == "usage" else {"action": "tool.used"}
    portal, path = console.account.portal, f"{console.account.path}/{field}"
    accepted_time = console.clients.service.clock() + timedelta(minutes=30)
    assert (
        portal.post(path, json={field: [report, {**report, "occurred_at": accepted_time.isoformat()}]}).status_code
        == 201
    )
    refused_time = min(accepted_time, LATEST - offset) + offset
    refused = portal.post(path, json={field: [report, {**report, "occurred_at": refused_time.isoformat()}]})
    assert refused.status_code == 422
    assert refused.json["errors"] == {field: {"1": {"occurred_at": ["must not be in the future"]}}}  # type: ignore[index]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1999-12-31T23:59:59Z"])
@pytest.mark.parametrize("field", ["activities", "usage"])
def test_times_before_2000_are_refused(console: AccountConsole, field: str, moment: str) -> None:
    """Such times are zero values of programming languages. The error names the field."""
    sub_user = console.account.create_sub_user()
    report: dict[str, Any] = {"sub_user_id": sub_user.sub_user_id, "occurred_at": moment}
    report |= {"llm_tokens": 1} if field == "usage" else {"action": "tool.used"}
    refused = console.account.portal.post(f"{console.account.path}/{field}", json={field: [report]})
    assert refused.status_code == 422
    assert set(refused.json["errors"][field]["0"]) == {"occurred_at"}  # type: ignore[index]
    if field == "usage":
        single = console.account.portal.post(f"{console.account.path}/{field}", json=report)
        assert (single.status_code, set(single.json["errors"])) == (422, {"occurred_at"})  # type: ignore[index]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T00:00:00Z"])
def test_access_expiry_out_of_range_is_refused(console: AccountConsole, moment: str) -> None:
    sub_user = console.account.create_sub_user()
    refused = console.account.portal.patch(sub_user.path, json={"access_expires_at": moment})
    assert (refused.status_code, set(refused.json["errors"])) == (422, {"access_expires_at"})  # type: ignore[index]


@pytest.mark.parametrize("text", ["0001-01-01T00:00", "9999-12-31T23:59"])
@pytest.mark.parametrize("zone", ZONES)
def test_form_times_out_of_range_are_refused(text: str, zone: str) -> None:
    with pytest.raises(ValueError, match=r"^(0001|9999)-"):
        times.parse_form_value(text, ZoneInfo(zone))


@pytest.mark.parametrize("moment", [EARLIEST_EXPIRY, EARLIEST_REPORT, LATEST_EXPIRY, EARLIEST, LATEST])
@pytest.mark.parametrize("language", ["en", "it"])
def test_extreme_times_can_be_formatted_in_every_time_zone(moment: datetime, language: str) -> None:
    for zone in map(ZoneInfo, times.time_zone_names()):
        assert times.format_date_and_time(moment, language, zone)
        assert times.format_time_with_seconds(moment, language, zone)
        assert times.to_form_value(moment, zone)
        if EARLIEST < moment < LATEST:
            assert times.to_zone(moment, zone).tzinfo is zone


def test_time_bounds_are_documented_in_openapi(console: AccountConsole) -> None:
    document = json.dumps(console.clients.anonymous.get("/openapi.json").json)
    assert "From 2000 on" in document
    assert "From 1970 up to 9999-12-30T23:59:59Z" in document
