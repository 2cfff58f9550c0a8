"""Monitoring page of the console: timeline, filters, charts and CSV export."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.console.browsing import FIREFOX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.clients import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole


def report_activities(sub_user: SubUser, *activities: dict[str, Any]) -> None:
    """Report activities of a sub-user through the portal's API."""
    body = {
        "activities": [
            {"sub_user_id": sub_user.sub_user_id, "action": "tool.used", **activity} for activity in activities
        ]
    }
    assert sub_user.account.portal.post(f"{sub_user.account.path}/activities", json=body).status_code == 201


def timeline(page: Page) -> list[str]:
    """Return the sentences of the timeline, from the top down."""
    return [span.get_text(strip=True) for span in page.soup.select(".timeline summary > span")]


def timeline_days(page: Page) -> list[str]:
    return [str(time["datetime"]) for time in page.soup.select("h3.day time")]


def entry_details(page: Page, sentence: str) -> dict[str, str]:
    """Return the details of the first entry whose text contains the sentence."""
    entry = next(entry for entry in page.soup.select(".timeline li") if sentence in entry.get_text())
    return {str(row.dt and row.dt.text): str(row.dd and row.dd.text) for row in entry.select("dl > div")}


def csv_rows(page: Page) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(page.response.text, newline="")))


def owner_in_rome(console: AccountConsole) -> Browser:
    browser = console.owner()
    browser.set_cookie("__Host-subusers-time-zone", "Europe/Rome")
    return browser


def test_timeline_has_one_sentence_per_event_newest_first(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    sub_user.change(status="inactive")
    report_activities(sub_user, {"target": "Front desk"})

    page = console.owner().get("/monitoring")

    assert page.status == 200
    assert timeline(page) == [
        "Winds & Waves logged in from a new device",
        "Winds & Waves logged in",
        "Grace Hopper: tool.used · Front desk",
        "Winds & Waves deactivated Grace Hopper",
        "Grace Hopper logged in",
        "Grace Hopper chose their own password",
        "Grace Hopper logged in with a temporary password",
        "Winds & Waves activated Grace Hopper",
        "Winds & Waves added Grace Hopper",
        "Winds & Waves registered the account",
    ]
    assert len(timeline_days(page)) == 1


def test_timeline_entry_includes_all_details(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    report_activities(sub_user, {"details": {"times": 3, "of": {"a": ["list"]}}})

    page = console.owner().get("/monitoring")
    login, activity, creation = (
        entry_details(page, "Owner login"),
        entry_details(page, "tool.used"),
        entry_details(page, "added"),
    )

    assert login["Who"] == "Winds & Waves (main account)"
    assert login["IP address"] == "198.51.100.7"
    assert login["Browser"] == FIREFOX
    assert login["Action"] == "Owner login (main_account.logged_in)"
    assert login["Login method"] == "password"
    assert login["Position in the log"].isdigit()
    assert login["When"].endswith("(UTC)")
    assert activity["times"] == "3"
    assert json.loads(activity["of"]) == {"a": ["list"]}
    assert activity["Action"] == "tool.used"
    assert creation["Email"] == sub_user.email
    assert creation["Visible"] == "Yes"
    assert page.soup.select(f'a[href="/sub-users/{sub_user.sub_user_id}"]')


def test_activity_details_may_be_any_json(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    report_activities(sub_user, {"details": "a text"}, {"action": "other.used", "details": [1, None]})

    page = console.owner().get("/monitoring")

    assert entry_details(page, "tool.used")["Details"] == "a text"
    assert entry_details(page, "other.used")["Details"] == "[1, null]"


def test_limit_change_shows_the_reason_from_support(console: AccountConsole) -> None:
    body = {"sub_user_limit": 12, "reason": "They opened a second office."}
    console.clients.support.put(f"{console.account.path}/sub-user-limit", json=body)

    page = console.owner().get("/monitoring")

    assert "Support (the support's key) raised the limit to 12 sub-users" in timeline(page)
    assert entry_details(page, "raised the limit")["Reason"] == "They opened a second office."


def test_refused_login_shows_reason_and_unknown_actor(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    sub_user.log_in(password="not what it is")

    page = console.owner().get("/monitoring")

    assert "Grace Hopper: failed login (wrong password)" in timeline(page)
    assert entry_details(page, "failed login")["Who"] == "unknown"


def test_erased_sub_user_is_shown_without_personal_data(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    report_activities(sub_user, {"target": "Front desk", "details": {"times": 3}})
    console.account.portal.delete(sub_user.path)

    page = console.owner().get("/monitoring")

    assert timeline(page)[2:6] == [
        "The personal data of a deleted person was erased",
        "Winds & Waves deleted a sub-user",
        "A deleted person: tool.used · [erased]",
        "Winds & Waves added a deleted person",
    ]
    assert "Hopper" not in page.text
    assert entry_details(page, "tool.used")["Details"] == "[erased]"
    assert not page.soup.select('main a[href^="/sub-users/"]')
    bar = page.find(".person-chart a")
    assert bar.get_text(strip=True) == "A deleted person"
    assert timeline(console.owner().get(str(bar["href"])))[2] == "A deleted person: tool.used · [erased]"


def test_events_are_grouped_by_day_in_the_viewers_time_zone(console: AccountConsole) -> None:
    report_activities(
        console.account.create_sub_user(),
        {"occurred_at": "2026-05-01T22:30:00Z"},
        {"occurred_at": "2026-05-01T21:30:00Z"},
    )

    assert timeline_days(owner_in_rome(console).get("/monitoring"))[1:] == ["2026-05-02", "2026-05-01"]
    assert timeline_days(console.owner().get("/monitoring"))[1:] == ["2026-05-01"]


def test_date_filter_includes_the_last_day(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    times = ("2026-04-30T21:59:59Z", "2026-04-30T22:00:00Z", "2026-05-02T21:59:59Z", "2026-05-02T22:00:00Z")
    report_activities(sub_user, *[{"occurred_at": time, "target": str(number)} for number, time in enumerate(times)])

    page = owner_in_rome(console).get("/monitoring?from=2026-05-01&until=2026-05-02")

    assert [sentence[-1] for sentence in timeline(page)] == ["2", "1"]
    assert timeline_days(page) == ["2026-05-02", "2026-05-01"]


def test_timeline_filters_by_person_action_and_date(console: AccountConsole) -> None:
    sub_user, other = console.account.create_sub_user(), console.account.create_sub_user(name="Ada", surname="Lovelace")
    report_activities(sub_user, {})
    report_activities(other, {})
    owner = console.owner()
    page = owner.get("/monitoring")

    by_person = owner.submit(page, sub_user_id=sub_user.sub_user_id)
    assert timeline(by_person) == ["Grace Hopper: tool.used", "Winds & Waves added Grace Hopper"]
    assert by_person.find("#sub_user_id option[selected]").get_text() == "Grace Hopper"

    by_action = owner.submit(by_person, sub_user_id="", action="tool.used")
    assert timeline(by_action) == ["Ada Lovelace: tool.used", "Grace Hopper: tool.used"]
    assert "always count all logins" in by_action.text

    empty_page = owner.submit(by_action, until="1999-12-31")
    assert timeline(empty_page) == []
    assert "No events match." in empty_page.text


def test_filter_options_are_the_actions_and_people_of_the_account(console: AccountConsole) -> None:
    report_activities(console.account.create_sub_user(), {})
    page = console.owner().get("/monitoring")

    groups = {
        str(group["label"]): [option.get_text() for option in group.select("option")]
        for group in page.soup.select("#action optgroup")
    }
    assert groups == {
        "Main account": ["Account registered", "Owner login"],
        "Sub-users": ["Sub-user added"],
        "Sign-in security": ["Login from a new device"],
        "Portal activities": ["tool.used"],
    }
    assert [option.get_text() for option in page.soup.select("#sub_user_id option")] == ["Everyone", "Grace Hopper"]


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("sub_user_id", "nobody", "Choose a person from the list."),
        ("action", "a\0b", "This contains characters that can't be used."),
        ("action", "x" * 10_000, "This value can't be used."),
        ("from", "2026-02-30", "Enter a date such as 2026-05-31."),
        ("from", "x" * 10_000, "Enter a date such as 2026-05-31."),
        ("from", "0001-01-01", "Choose a day from 1970 to 2999."),
        ("until", "9999-12-31", "Choose a day from 1970 to 2999."),
        ("until", "2026-04-30", "This is before the first day."),
    ],
)
def test_invalid_filter_value_is_reported_at_its_field(
    console: AccountConsole, field: str, value: str, error: str
) -> None:
    query = {"from": "2026-05-01", field: value}
    for path in ("/monitoring", "/monitoring/export.csv"):
        page = console.owner().get(f"{path}?{'&'.join(f'{name}={quote(query[name])}' for name in query)}")

        assert page.status == 422
        assert page.error(field) == error
        assert page.find(f"#{field}")["aria-invalid"] == "true"
        assert page.find("[role=alert]").get_text() == "Check the marked field."
        assert page.find("#from")["value"] == query["from"]
        assert not page.soup.select(".timeline, .chart")


@pytest.mark.parametrize("raw", ["%ff%fe", "%ed%a0%80", "%00", "'%22%3E%3Cscript%3E", "%F0%9F%98%80"])
def test_arbitrary_query_values_are_harmless(console: AccountConsole, raw: str) -> None:
    owner = console.owner()
    for name in ("sub_user_id", "action", "from", "until", "cursor"):
        page = owner.get(f"/monitoring?{name}={raw}")
        assert page.status in {200, 422}
        assert not page.soup.select("main script")


def test_invalid_cursor_links_back_to_the_first_page(console: AccountConsole) -> None:
    page = console.owner().get("/monitoring?cursor=AAAA")

    assert page.status == 422
    assert page.find("[role=alert] a")["href"] == "/monitoring"


def test_pagination_keeps_the_filter(console: AccountConsole) -> None:
    report_activities(console.account.create_sub_user(), *[{"target": str(number)} for number in range(120)])
    owner = console.owner()

    page = owner.get("/monitoring?action=tool.used")
    sentences = timeline(page)
    assert len(sentences) == 50
    assert not page.soup.select('.pages a[href="/monitoring?action=tool.used"]')
    for _ in range(2):
        page = owner.get(str(page.find('.pages a[rel="next"]')["href"]))
        sentences += timeline(page)
    assert [sentence.rpartition(" ")[2] for sentence in sentences] == [str(number) for number in reversed(range(120))]
    assert not page.soup.select('.pages a[rel="next"]')
    assert len(timeline(owner.get(str(page.find(".pages a")["href"])))) == 50


def test_monitoring_excludes_other_accounts(
    console: AccountConsole, new_console: Callable[..., AccountConsole]
) -> None:
    foreign_sub_user = new_console().account.create_sub_user(name="Not", surname="Yours")
    page = console.owner().get(f"/monitoring?sub_user_id={foreign_sub_user.sub_user_id}")

    assert timeline(page) == []
    assert "Yours" not in page.text
    assert (
        page.find("#sub_user_id option[selected]").get_text()
        == f"A deleted person ({foreign_sub_user.sub_user_id[:8]}…)"
    )


def test_names_and_targets_are_escaped(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user(name="<b>Grace", surname="{subject}</b>")
    report_activities(sub_user, {"target": "<script>alert(1)</script>", "details": {"<i>": "<img src=x>"}})

    page = console.owner().get("/monitoring")

    assert "<b>Grace {subject}</b>: tool.used · <script>alert(1)</script>" in timeline(page)
    assert not page.soup.select("main b, main script, main i, main img")


def test_charts_count_logins_and_activities(console: AccountConsole) -> None:
    busy, idle = (
        console.account.create_with_own_password(),
        console.account.create_sub_user(name="Ada", surname="Lovelace"),
    )
    report_activities(busy, {}, {}, {})
    report_activities(idle, {})

    page = console.owner().get("/monitoring")

    assert len(page.soup.select(".day-chart g")) == 30
    assert page.soup.select(".day-chart g title")[-1].get_text().endswith("logins: 2, activities: 4")
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in page.soup.select("tbody tr")]
    assert rows[29][1:] == ["2", "4"]
    assert rows[30:] == [["Grace Hopper", "2", "3"], ["Ada Lovelace", "0", "1"]]
    assert [bar.get_text() for bar in page.soup.select(".person-chart a")] == ["Grace Hopper", "Ada Lovelace"]

    person_page = console.owner().get(str(page.soup.select(".person-chart a")[1]["href"]))
    assert person_page.soup.select(".day-chart g title")[-1].get_text().endswith("logins: 0, activities: 1")
    assert person_page.find(".person-chart a[aria-current]").get_text() == "Ada Lovelace"
    assert "Logins and activities of Ada Lovelace" in person_page.text


def test_hidden_sub_users_are_marked_as_hidden(console: AccountConsole) -> None:
    """Monitoring includes hidden sub-users."""
    report_activities(console.account.create_sub_user(visible=False), {})
    report_activities(console.account.create_sub_user(name="Ada", surname="Lovelace"), {})

    page = console.owner().get("/monitoring")

    chart_names = [item.get_text() for item in page.soup.select(".person-chart li > div")]
    assert chart_names == ["Ada Lovelace", "Grace Hopper hidden"]
    assert "Grace Hopper hidden" in [cell.get_text() for cell in page.soup.select("tbody th")]
    option_names = [option.get_text() for option in page.soup.select("#sub_user_id option")]
    assert option_names[1:] == ["Ada Lovelace", "Grace Hopper (hidden)"]


def test_charts_cover_the_filtered_days_up_to_92(console: AccountConsole) -> None:
    report_activities(console.account.create_sub_user(), {"occurred_at": "2026-05-02T12:00:00Z"})
    owner = console.owner()

    page = owner.get("/monitoring?from=2026-05-01&until=2026-05-03")
    assert [title.get_text()[-1] for title in page.soup.select(".day-chart g title")] == ["0", "1", "0"]

    year = owner.get("/monitoring?from=2025-05-04&until=2026-05-03")
    assert len(year.soup.select(".day-chart g")) == 92
    assert "The charts show the last 92 days of this period." in year.text

    empty = owner.get("/monitoring?from=2990-05-01")
    assert empty.status == 200
    assert empty.text.count("No logins or activities on these days.") == 2


def test_csv_export_applies_the_filter_and_is_audited(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    report_activities(sub_user, {"target": "=1+1", "occurred_at": "2026-05-01T22:30:00Z"}, {"action": "other"})
    owner = owner_in_rome(console)

    page = owner.get(str(owner.get("/monitoring?action=tool.used&from=2026-05-02").find("a[href*='.csv']")["href"]))

    assert page.response.content_type == "text/csv; charset=utf-8"
    name = f"audit-log-{console.account.account_id}.csv"
    assert page.response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert page.response.headers["Cache-Control"] == "no-store"
    assert [(row["action"], row["target"], row["sub_user_id"]) for row in csv_rows(page)] == [
        ("tool.used", "'=1+1", sub_user.sub_user_id)
    ]
    row_count = len(console.account.audit_log_rows())
    assert console.account.audit_log_rows()[0]["action"] == "audit_log.exported"
    assert len(csv_rows(owner.get("/monitoring/export.csv"))) == row_count


@pytest.mark.parametrize(
    "path", ["/monitoring", "/monitoring/export.csv", "/sub-users/3d5f5724-722c-4dd3-9cce-0dc148d2d8ba"]
)
def test_monitoring_is_restricted_to_owners(console: AccountConsole, path: str) -> None:
    assert console.browser().get(path).path.startswith("/login")
    refused = console.sub_user().get(path)
    assert refused.status == 403
    assert "Only for the main account" in refused.text


def test_monitoring_is_translated_into_italian(console: AccountConsole) -> None:
    report_activities(console.account.create_sub_user(), {})
    owner = console.owner()
    owner.set_cookie("__Host-subusers-language", "it")

    page = owner.get("/monitoring?from=x")
    assert page.error("from") == "Non è una data come 2026-05-31."
    page = owner.get("/monitoring")
    assert "Winds & Waves ha aggiunto Grace Hopper" in timeline(page)
    assert page.find("h1").get_text() == "Monitoraggio"
