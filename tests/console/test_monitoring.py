"""Monitoring page of the console: timeline, filters, charts and CSV export."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.console.browsing import FIREFOX

if TYPE_CHECKING:
    from collections.abc import Callable

    from bs4 import Tag

    from tests.api.clients import SubUser
    from tests.conftest import TravelingClock
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
    return [sentence_of(summary) for summary in page.soup.select(".tl summary")]


def sentence_of(summary: Tag) -> str:
    """Return the sentence of an entry, without the line below it."""
    return "".join(part.get_text() for part in summary.children if getattr(part, "name", None) != "small").strip()


def summaries(page: Page) -> list[str]:
    """Return the lines below the sentences."""
    return [small.get_text() for small in page.soup.select(".tl summary small")]


def timeline_days(page: Page) -> list[str]:
    return [str(time["datetime"]) for time in page.soup.select("h3.day time")]


def entry_details(page: Page, sentence: str) -> dict[str, str]:
    """Return the details of the first entry whose text contains the sentence."""
    entry = next(entry for entry in page.soup.select(".tl > li") if sentence in entry.get_text())
    return {str(row.dt and row.dt.text): str(row.dd and row.dd.text) for row in entry.select("dl > div")}


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

    assert "Grace Hopper: failed sign-in (wrong password)" in timeline(page)
    assert entry_details(page, "failed sign-in")["Who"] == "unknown"


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

    by_person = owner.submit(page, person=sub_user.email)
    assert timeline(by_person) == ["Grace Hopper: tool.used", "Winds & Waves added Grace Hopper"]
    assert by_person.find("#person")["value"] == f"Grace Hopper ({sub_user.email})"

    by_action = owner.submit(by_person, person="", action="tool.used")
    assert timeline(by_action) == ["Ada Lovelace: tool.used", "Grace Hopper: tool.used"]

    empty_page = owner.get("/monitoring?action=tool.used&until=1999-12-31")
    assert timeline(empty_page) == []
    assert "No events match." in empty_page.text


def test_filter_options_are_the_actions_and_people_of_the_account(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    report_activities(sub_user, {})
    page = console.owner().get("/monitoring")

    groups = {
        str(group["label"]): [option.get_text() for option in group.select("option")]
        for group in page.soup.select("#action optgroup")
    }
    assert groups == {
        "Portal": ["tool.used"],
        "Sign-ins": ["Login from a new device", "Owner login"],
        "Sub-users": ["Sub-user added"],
        "Account": ["Account registered"],
    }
    assert [link.get_text() for link in page.soup.select("nav[aria-label=Events] a")] == ["All events", *groups]
    options = [option["value"] for option in page.soup.select("#people option")]
    assert options == [f"Grace Hopper ({sub_user.email})"]


def test_people_are_found_by_name_and_email_among_many(console: AccountConsole) -> None:
    """Of several people with one name, the e-mail tells which one is meant."""
    zoe = console.account.create_sub_user(email="zoe@company.example", name="Zoë", surname="Bianchi")
    twins = [console.account.create_sub_user(email=f"ada{number}@company.example", name="Ada") for number in range(2)]
    owner = console.owner()

    def found(typed: str) -> str | None:
        page = owner.get(f"/monitoring?person={quote(typed)}&action=sub_user.created")
        return page.error("person") or timeline(page)[0]

    assert found("zoe bianchi") == found("ZOE@company.example") == found("zoë") == "Winds & Waves added Zoë Bianchi"
    assert found("ada") == "Several people match. Add their email."
    assert found("nobody at all") == "Nobody has this name or email."
    for twin in twins:
        page = owner.get(f"/monitoring?person={quote(f'Ada Hopper ({twin.email})')}")
        assert len(timeline(page)) == 1
        assert page.find("#person")["value"] == f"Ada Hopper ({twin.email})"
    assert zoe.email in str(owner.get("/monitoring").find("#people"))


REGISTERED_TYPES = {
    "groups": [{"name": "assistants", "labels": {"en": "Assistants", "it": "Assistenti"}}],
    "activity_types": [
        {
            "action": "assistant.edited",
            "labels": {"en": "Assistant changed", "it": "Assistente modificato"},
            "sentences": {"en": "changed the assistant {target}", "it": "ha modificato l'assistente {target}"},
            "group": "assistants",
            "effect": "change",
        },
        {"action": "call.made", "labels": {"en": "Call", "it": "Chiamata"}},
    ],
}


def test_registered_activities_have_names_groups_and_icons(own_console: AccountConsole) -> None:
    console = own_console
    sub_user = console.account.create_sub_user()
    report_activities(
        sub_user,
        {"action": "assistant.edited", "target": "<i>Front</i> desk"},
        {"action": "call.made"},
        {"action": "other.thing"},
    )
    assert console.account.portal.put("/v1/activity-types", json=REGISTERED_TYPES).status_code == 200
    owner = console.owner()

    page = owner.get("/monitoring?group=assistants")
    assert page.error("group") == "This is not a group of events."
    page = owner.get("/monitoring?group=activity.assistants")
    assert timeline(page) == ["Grace Hopper changed the assistant <i>Front</i> desk"]
    assert [bold.get_text() for bold in page.soup.select(".tl b")] == ["Grace Hopper", "<i>Front</i> desk"]
    assert str(page.find(".tl .ev use")["href"]).endswith("#pencil")
    assert page.find("nav[aria-label=Events] [aria-current]").get_text() == "Assistants"
    assert entry_details(page, "changed")["Action"] == "Assistant changed (assistant.edited)"

    others = owner.get("/monitoring?group=activity")
    assert timeline(others) == ["Grace Hopper: other.thing", "Grace Hopper: Call"]
    owner.set_cookie("__Host-subusers-language", "it")
    assert timeline(owner.get("/monitoring?action=assistant.edited")) == [
        "Grace Hopper ha modificato l'assistente <i>Front</i> desk"
    ]


def test_events_filter_by_group(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    sub_user.change(status="inactive")
    owner = console.owner()
    people = owner.get("/monitoring?group=people")
    assert timeline(people) == [
        "Winds & Waves deactivated Grace Hopper",
        "Winds & Waves activated Grace Hopper",
        "Winds & Waves added Grace Hopper",
    ]
    sign_ins = timeline(owner.get("/monitoring?group=sign_in"))
    assert "Grace Hopper logged in" in sign_ins
    assert not set(sign_ins) & set(timeline(people))
    assert timeline(owner.get("/monitoring?group=sign_in&action=sub_user.created")) == timeline(people)[2:]


@pytest.mark.parametrize("text", ["CAFFE", "caffè gi", "già", "Zanè", "zane"])
def test_text_search_ignores_accents_and_case(console: AccountConsole, text: str) -> None:
    """It finds targets of activities and names of people."""
    sub_user = console.account.create_sub_user(name="Elena", surname="Zanè")
    other = console.account.create_sub_user(name="Ada", surname="Lovelace")
    report_activities(sub_user, {"target": "Caffè Già", "occurred_at": "2026-05-01T10:00:00Z"}, {"target": "Bar"})
    report_activities(other, {"target": "Other"})

    page = console.owner().get(f"/monitoring?action=tool.used&q={quote(text)}")

    sentences = ["Elena Zanè: tool.used · Bar", "Elena Zanè: tool.used · Caffè Già"]
    assert timeline(page) == (sentences if "z" in text.lower() else sentences[1:])
    assert page.find("#q")["value"] == text


def test_repeated_events_are_grouped(console: AccountConsole) -> None:
    """Each of them keeps its time and details."""
    sub_user = console.account.create_with_own_password()
    for _ in range(5):
        sub_user.log_in(password="not what it is")
    report_activities(sub_user, *[{"target": "Front desk", "occurred_at": "2026-05-01T10:00:00Z"}] * 3)

    page = console.owner().get("/monitoring")

    assert "Grace Hopper: 5 attempts with a wrong password" in timeline(page)
    assert "Grace Hopper: tool.used · Front desk · 3 times" in timeline(page)
    entry = next(entry for entry in page.soup.select(".tl > li") if "5 attempts" in entry.get_text())
    assert len(entry.select("ol > li dl")) == 5
    assert entry.select_one(".ev.bad") is not None
    assert any("within" in line for line in summaries(page))


def test_an_entry_says_which_browser_it_came_from(console: AccountConsole) -> None:
    owner = console.owner()
    report_activities(console.account.create_sub_user(), {"details": {"tone": "friendly"}})
    page = owner.get("/monitoring")
    assert "Firefox on Linux · 198.51.100.7" in summaries(page)
    assert "tone: friendly" in summaries(page)


def test_late_reports_keep_the_order_of_pages(console: AccountConsole) -> None:
    """A report that arrives between two pages, about an earlier time, appears at its time and shifts no page."""
    sub_user = console.account.create_sub_user()
    hours = [
        {"target": f"{hour:02}", "occurred_at": f"2026-05-{1 + hour // 24:02}T{hour % 24:02}:00:00Z"}
        for hour in range(110)
    ]
    report_activities(sub_user, *hours[1::2])
    report_activities(sub_user, *hours[::2])
    owner = console.owner()

    page = owner.get("/monitoring?action=tool.used")
    sentences = timeline(page)
    report_activities(sub_user, {"target": "late", "occurred_at": "2026-05-01T00:30:00Z"})
    for _ in range(2):
        page = owner.get(str(page.find('.pages a[rel="next"]')["href"]))
        sentences += timeline(page)

    expected = [f"{hour:02}" for hour in reversed(range(110))]
    expected.insert(109, "late")
    assert [sentence.rpartition(" ")[2] for sentence in sentences] == expected


def test_presets_are_periods_since_the_account_exists(own_console: AccountConsole, clock: TravelingClock) -> None:
    console = own_console
    owner = owner_in_rome(console)

    def offered(page: Page) -> list[str]:
        return [link.get_text(strip=True) for link in page.soup.select("nav[aria-label=Period] a")]

    assert offered(owner.get("/monitoring")) == ["All", "Today", "7 days", "This month"]
    assert not owner.get("/monitoring").soup.select(".dates a")
    clock.advance(days=40)
    page = console.owner().get("/monitoring")
    assert offered(page) == ["All", "Today", "Yesterday", "7 days", "This month", "Last month"]
    days = [link.get_text(strip=True) for link in page.soup.select(".dates a")]
    assert len(days) == 6
    today = clock().date()
    assert [day.split(",")[0] for day in days] == [f"{today - timedelta(days=number):%A}" for number in range(2, 8)]

    link = next(link for link in page.soup.select(".dates a") if "Tuesday" in link.get_text())
    tuesday = console.owner().get(str(link["href"]))
    assert tuesday.find("#from")["value"] == tuesday.find("#until")["value"]
    yesterday = console.owner().get(str(page.soup.select("nav[aria-label=Period] a")[2]["href"]))
    assert yesterday.find("nav[aria-label=Period] [aria-current]").get_text(strip=True) == "Yesterday"
    assert yesterday.find("#from")["value"] == str(today - timedelta(days=1))


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("sub_user_id", "nobody", "Choose a person from the list."),
        ("person", "a\0b", "This contains characters that can't be used."),
        ("q", "x" * 10_000, "Enter 1 to 100 characters."),
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
        if field != "sub_user_id":  # only links have it
            assert page.find(f"#{field}")["aria-invalid"] == "true"
        assert error in page.find("[role=alert]").get_text()
        assert page.find("#from")["value"] == query["from"]
        assert not page.soup.select(".tl, .chart")


@pytest.mark.parametrize("raw", ["%ff%fe", "%ed%a0%80", "%00", "'%22%3E%3Cscript%3E", "%F0%9F%98%80"])
def test_arbitrary_query_values_are_harmless(console: AccountConsole, raw: str) -> None:
    owner = console.owner()
    for name in ("sub_user_id", "person", "group", "action", "q", "from", "until", "cursor"):
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
    assert f"a deleted person ({foreign_sub_user.sub_user_id[:8]}…)" in page.text
    assert page.find("[name=sub_user_id]")["value"] == foreign_sub_user.sub_user_id


def test_names_and_targets_are_escaped(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user(name="<b>Grace", surname="{subject}</b>")
    report_activities(sub_user, {"target": "<script>alert(1)</script>", "details": {"<i>": "<img src=x>"}})

    page = console.owner().get("/monitoring")

    assert "<b>Grace {subject}</b>: tool.used · <script>alert(1)</script>" in timeline(page)
    assert not page.soup.select("main script, main i, main img")


def test_charts_count_logins_and_activities(console: AccountConsole) -> None:
    busy, idle = (
        console.account.create_with_own_password(),
        console.account.create_sub_user(name="Ada", surname="Lovelace"),
    )
    report_activities(busy, {}, {}, {})
    report_activities(idle, {})

    page = console.owner().get("/monitoring")

    assert len(page.soup.select(".day-chart g")) == 30
    assert page.soup.select(".day-chart g title")[-1].get_text().endswith("sign-ins: 2, activities: 4")
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in page.soup.select("tbody tr")]
    assert rows[29][1:] == ["2", "4"]
    assert rows[30:] == [["Grace Hopper", "2", "3"], ["Ada Lovelace", "0", "1"]]
    assert [bar.get_text() for bar in page.soup.select(".person-chart a")] == ["Grace Hopper", "Ada Lovelace"]

    person_page = console.owner().get(str(page.soup.select(".person-chart a")[1]["href"]))
    assert person_page.soup.select(".day-chart g title")[-1].get_text().endswith("sign-ins: 0, activities: 1")
    assert [bar.get_text() for bar in person_page.soup.select(".person-chart a")] == ["Ada Lovelace"]
    assert "Sign-ins and activities of Ada Lovelace" in person_page.text


@pytest.mark.parametrize("query", ["action=tool.used", "group=activity", "q=front"])
def test_charts_obey_filters_of_events(console: AccountConsole, query: str) -> None:
    busy, idle = (
        console.account.create_with_own_password(),
        console.account.create_sub_user(name="Ada", surname="Lovelace"),
    )
    report_activities(busy, *[{"target": "Front desk"}] * 3)
    report_activities(idle, {"target": "Front desk"})

    page = console.owner().get(f"/monitoring?{query}")

    assert page.soup.select(".day-chart g title")[-1].get_text().endswith("Events: 4")
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in page.soup.select("tbody tr")]
    assert rows[29][1:] == ["4"]
    assert rows[30:] == [["Grace Hopper", "3"], ["Ada Lovelace", "1"]]
    one_person = console.owner().get(f"/monitoring?{query}&sub_user_id={idle.sub_user_id}")
    assert one_person.soup.select(".day-chart g title")[-1].get_text().endswith("Events: 1")
    assert [bar.get_text() for bar in one_person.soup.select(".person-chart a")] == ["Ada Lovelace"]


def test_hidden_sub_users_are_marked_as_hidden(console: AccountConsole) -> None:
    """Monitoring includes hidden sub-users."""
    report_activities(console.account.create_sub_user(visible=False), {})
    report_activities(console.account.create_sub_user(name="Ada", surname="Lovelace"), {})

    page = console.owner().get("/monitoring")

    chart_names = [item.get_text() for item in page.soup.select(".person-chart li > div")]
    assert chart_names == ["Ada Lovelace", "Grace Hopper hidden"]
    assert "Grace Hopper hidden" in [cell.get_text() for cell in page.soup.select("tbody th")]
    assert [option.get_text() for option in page.soup.select("#people option")] == ["", "hidden"]


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
    assert empty.text.count("Nothing on these days.") == 2


@pytest.mark.parametrize(
    "path",
    [
        "/monitoring",
        *(f"/monitoring/export{name}" for name in (".csv", ".xlsx", "-codes.csv")),
        "/sub-users/3d5f5724-722c-4dd3-9cce-0dc148d2d8ba",
    ],
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
    assert page.find("h1").get_text() == "Attività"
    assert page.find("nav[aria-label=Periodo] [aria-current]").get_text() == "Tutto"
