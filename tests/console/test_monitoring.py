"""Monitoring: what happened in an account, as its owner reads it."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.callers import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import House


def report(one: SubUser, *activities: dict[str, Any]) -> None:
    """Have the portal report that they did something."""
    body = {"activities": [{"sub_user_id": one.sub_user_id, "action": "tool.used", **each} for each in activities]}
    assert one.account.portal.post(f"{one.account.path}/activities", json=body).status_code == 201


def told(page: Page) -> list[str]:
    """Return the sentences of the time line, from the top down."""
    return [span.get_text(strip=True) for span in page.soup.select(".time-line summary > span")]


def days(page: Page) -> list[str]:
    return [str(time["datetime"]) for time in page.soup.select(".day h3 time")]


def facts(page: Page, sentence: str) -> dict[str, str]:
    """Return the details of the first entry that says this."""
    entry = next(entry for entry in page.soup.select(".time-line li") if sentence in entry.get_text())
    return {str(row.dt and row.dt.text): str(row.dd and row.dd.text) for row in entry.select("dl > div")}


def table(page: Page) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(page.response.text, newline="")))


def in_rome(house: House) -> Browser:
    browser = house.owner()
    browser.set_cookie("__Host-subusers-time-zone", "Europe/Rome")
    return browser


def test_what_happened_is_told_in_sentences_newest_first(house: House) -> None:
    one = house.account.let_in_settled()
    one.change(active=False)
    report(one, {"target": "Front desk"})

    page = house.owner().get("/monitoring")

    assert page.status == 200
    assert told(page) == [
        "Winds & Waves logged in",
        "Grace Hopper: tool.used · Front desk",
        "Winds & Waves deactivated Grace Hopper",
        "Grace Hopper logged in",
        "Grace Hopper chose a password of their own",
        "Grace Hopper logged in with a temporary password",
        "Winds & Waves activated Grace Hopper",
        "Winds & Waves added Grace Hopper",
        "Winds & Waves registered the account",
    ]
    assert len(days(page)) == 1


def test_an_entry_has_all_details_at_hand(house: House) -> None:
    one = house.account.let_in()
    report(one, {"details": {"times": 3, "of": {"a": ["list"]}}})

    page = house.owner().get("/monitoring")
    login, activity, made = facts(page, "logged in"), facts(page, "tool.used"), facts(page, "added")

    assert login["Who"] == "Winds & Waves (main account)"
    assert login["IP address"] == "198.51.100.7"
    assert login["Browser"] == "Mozilla/5.0 (X11) Firefox/140"
    assert login["Action"] == "Login of the owner (main_account.logged_in)"
    assert login["Through"] == "password"
    assert login["Position in the history"].isdigit()
    assert login["When"].endswith("(UTC)")
    assert activity["times"] == "3"
    assert json.loads(activity["of"]) == {"a": ["list"]}
    assert activity["Action"] == "tool.used"
    assert made["Email"] == one.email
    assert made["Visible"] == "Yes"
    assert page.soup.select(f'a[href="/sub-users/{one.sub_user_id}"]')


def test_details_of_an_activity_may_be_anything(house: House) -> None:
    one = house.account.let_in()
    report(one, {"details": "a text"}, {"action": "other.used", "details": [1, None]})

    page = house.owner().get("/monitoring")

    assert facts(page, "tool.used")["Details"] == "a text"
    assert facts(page, "other.used")["Details"] == "[1, null]"


def test_support_says_why(house: House) -> None:
    body = {"limit": 12, "reason": "They opened a second office."}
    house.doors.support.put(f"{house.account.path}/sub-user-limit", json=body)

    page = house.owner().get("/monitoring")

    assert "Support (the support's key) raised the limit to 12 sub-users" in told(page)
    assert facts(page, "raised the limit")["Reason"] == "They opened a second office."


def test_a_refused_login_says_why_and_comes_from_somebody_unknown(house: House) -> None:
    one = house.account.let_in_settled()
    one.log_in(password="not what it is")

    page = house.owner().get("/monitoring")

    assert "A login as Grace Hopper was refused: the password was wrong" in told(page)
    assert facts(page, "was refused")["Who"] == "nobody who is known"


def test_a_deleted_person_is_told_of_in_words(house: House) -> None:
    one = house.account.let_in()
    report(one, {"target": "Front desk", "details": {"times": 3}})
    house.account.portal.delete(one.path)

    page = house.owner().get("/monitoring")

    assert told(page)[1:5] == [
        "The personal data of a deleted person was erased",
        "Winds & Waves deleted a sub-user",
        "A deleted person: tool.used · [erased]",
        "Winds & Waves added a deleted person",
    ]
    assert "Hopper" not in page.text
    assert facts(page, "tool.used")["Details"] == "[erased]"
    assert not page.soup.select('main a[href^="/sub-users/"]')
    bar = page.find(".person-chart a")
    assert bar.get_text(strip=True) == "A deleted person"
    assert told(house.owner().get(str(bar["href"])))[2] == "A deleted person: tool.used · [erased]"


def test_days_are_those_of_the_viewer(house: House) -> None:
    report(house.account.let_in(), {"occurred_at": "2026-05-01T22:30:00Z"}, {"occurred_at": "2026-05-01T21:30:00Z"})

    assert days(in_rome(house).get("/monitoring"))[1:] == ["2026-05-02", "2026-05-01"]
    assert days(house.owner().get("/monitoring"))[1:] == ["2026-05-01"]


def test_the_last_day_is_included(house: House) -> None:
    one = house.account.let_in()
    times = ("2026-04-30T21:59:59Z", "2026-04-30T22:00:00Z", "2026-05-02T21:59:59Z", "2026-05-02T22:00:00Z")
    report(one, *[{"occurred_at": time, "target": str(number)} for number, time in enumerate(times)])

    page = in_rome(house).get("/monitoring?from=2026-05-01&until=2026-05-02")

    assert [sentence[-1] for sentence in told(page)] == ["2", "1"]
    assert days(page) == ["2026-05-02", "2026-05-01"]


def test_the_time_line_can_be_narrowed_with_the_form(house: House) -> None:
    one, other = house.account.let_in(), house.account.let_in(name="Ada", surname="Lovelace")
    report(one, {})
    report(other, {})
    owner = house.owner()
    page = owner.get("/monitoring")

    of_one = owner.submit(page, sub_user_id=one.sub_user_id)
    assert told(of_one) == ["Grace Hopper: tool.used", "Winds & Waves added Grace Hopper"]
    assert of_one.find("#sub_user_id option[selected]").get_text() == "Grace Hopper"

    of_both = owner.submit(of_one, sub_user_id="", action="tool.used")
    assert told(of_both) == ["Ada Lovelace: tool.used", "Grace Hopper: tool.used"]
    assert "whatever else you ask for" in of_both.text

    nothing = owner.submit(of_both, until="1999-12-31")
    assert told(nothing) == []
    assert "Nothing matches." in nothing.text


def test_what_can_be_chosen_is_what_there_is(house: House) -> None:
    report(house.account.let_in(), {})
    page = house.owner().get("/monitoring")

    groups = {
        str(group["label"]): [option.get_text() for option in group.select("option")]
        for group in page.soup.select("#action optgroup")
    }
    assert groups == {
        "Main account": ["Account registered", "Login of the owner"],
        "Sub-users": ["Sub-user added"],
        "Activities in the portal": ["tool.used"],
    }
    assert [option.get_text() for option in page.soup.select("#sub_user_id option")] == ["Everybody", "Grace Hopper"]


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("sub_user_id", "nobody", "This is nobody from the list."),
        ("action", "a\0b", "This contains characters that cannot be used."),
        ("action", "x" * 10_000, "This value cannot be used."),
        ("from", "2026-02-30", "This is not a date such as 2026-05-31."),
        ("from", "x" * 10_000, "This is not a date such as 2026-05-31."),
        ("from", "0001-01-01", "Choose a day from 1970 to 2999."),
        ("until", "9999-12-31", "Choose a day from 1970 to 2999."),
        ("until", "2026-04-30", "This is before the first day."),
    ],
)
def test_a_bad_value_is_refused_at_its_field(house: House, field: str, value: str, error: str) -> None:
    query = {"from": "2026-05-01", field: value}
    for path in ("/monitoring", "/monitoring/export.csv"):
        page = house.owner().get(f"{path}?{'&'.join(f'{name}={quote(query[name])}' for name in query)}")

        assert page.status == 422
        assert page.error(field) == error
        assert page.find(f"#{field}")["aria-invalid"] == "true"
        assert page.find("[role=alert]").get_text() == "One field needs another look."
        assert page.find("#from")["value"] == query["from"]
        assert not page.soup.select(".time-line, .chart")


@pytest.mark.parametrize("raw", ["%ff%fe", "%ed%a0%80", "%00", "'%22%3E%3Cscript%3E", "%F0%9F%98%80"])
def test_whatever_an_address_holds_does_no_harm(house: House, raw: str) -> None:
    owner = house.owner()
    for name in ("sub_user_id", "action", "from", "until", "cursor"):
        page = owner.get(f"/monitoring?{name}={raw}")
        assert page.status in {200, 422}
        assert not page.soup.select("main script")


def test_a_cursor_of_another_list_leads_back_to_the_newest(house: House) -> None:
    page = house.owner().get("/monitoring?cursor=AAAA")

    assert page.status == 422
    assert page.find("[role=alert] a")["href"] == "/monitoring"


def test_older_pages_follow_with_the_same_filter(house: House) -> None:
    report(house.account.let_in(), *[{"target": str(number)} for number in range(120)])
    owner = house.owner()

    page = owner.get("/monitoring?action=tool.used")
    shown = told(page)
    assert len(shown) == 50
    assert not page.soup.select('.pages a[href="/monitoring?action=tool.used"]')
    for _ in range(2):
        page = owner.get(str(page.find('.pages a[rel="next"]')["href"]))
        shown += told(page)
    assert [sentence.rpartition(" ")[2] for sentence in shown] == [str(number) for number in reversed(range(120))]
    assert not page.soup.select('.pages a[rel="next"]')
    assert len(told(owner.get(str(page.find(".pages a")["href"])))) == 50


def test_nothing_of_another_account_is_shown(house: House, new_house: Callable[..., House]) -> None:
    theirs = new_house().account.let_in(name="Not", surname="Yours")
    page = house.owner().get(f"/monitoring?sub_user_id={theirs.sub_user_id}")

    assert told(page) == []
    assert "Yours" not in page.text
    assert page.find("#sub_user_id option[selected]").get_text() == f"A deleted person ({theirs.sub_user_id[:8]}…)"


def test_names_and_targets_are_text_and_nothing_else(house: House) -> None:
    one = house.account.let_in(name="<b>Grace", surname="{whom}</b>")
    report(one, {"target": "<script>alert(1)</script>", "details": {"<i>": "<img src=x>"}})

    page = house.owner().get("/monitoring")

    assert "<b>Grace {whom}</b>: tool.used · <script>alert(1)</script>" in told(page)
    assert not page.soup.select("main b, main script, main i, main img")


def test_charts_count_logins_and_activities(house: House) -> None:
    busy, idle = house.account.let_in_settled(), house.account.let_in(name="Ada", surname="Lovelace")
    report(busy, {}, {}, {})
    report(idle, {})

    page = house.owner().get("/monitoring")

    assert len(page.soup.select(".day-chart g")) == 30
    assert page.soup.select(".day-chart g title")[-1].get_text().endswith("logins: 2, activities: 4")
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in page.soup.select("tbody tr")]
    assert rows[29][1:] == ["2", "4"]
    assert rows[30:] == [["Grace Hopper", "2", "3"], ["Ada Lovelace", "0", "1"]]
    assert [bar.get_text() for bar in page.soup.select(".person-chart a")] == ["Grace Hopper", "Ada Lovelace"]

    of_one = house.owner().get(str(page.soup.select(".person-chart a")[1]["href"]))
    assert of_one.soup.select(".day-chart g title")[-1].get_text().endswith("logins: 0, activities: 1")
    assert of_one.find(".person-chart a[aria-current]").get_text() == "Ada Lovelace"
    assert "Logins and activities of Ada Lovelace" in of_one.text


def test_hidden_sub_users_are_marked(house: House) -> None:
    """Monitoring has everybody, as it tells what happened: but says of whom the account hides that it does."""
    report(house.account.let_in(visible=False), {})
    report(house.account.let_in(name="Ada", surname="Lovelace"), {})

    page = house.owner().get("/monitoring")

    named = [one.get_text() for one in page.soup.select(".person-chart li > div")]
    assert named == ["Ada Lovelace", "Grace Hopper hidden"]
    assert "Grace Hopper hidden" in [one.get_text() for one in page.soup.select("tbody th")]
    chosen_from = [one.get_text() for one in page.soup.select("#sub_user_id option")]
    assert chosen_from[1:] == ["Ada Lovelace", "Grace Hopper (hidden)"]


def test_charts_show_the_days_that_are_asked_for(house: House) -> None:
    report(house.account.let_in(), {"occurred_at": "2026-05-02T12:00:00Z"})
    owner = house.owner()

    page = owner.get("/monitoring?from=2026-05-01&until=2026-05-03")
    assert [title.get_text()[-1] for title in page.soup.select(".day-chart g title")] == ["0", "1", "0"]

    year = owner.get("/monitoring?from=2025-05-04&until=2026-05-03")
    assert len(year.soup.select(".day-chart g")) == 92
    assert "The charts show the last 92 of these days." in year.text

    empty = owner.get("/monitoring?from=2990-05-01")
    assert empty.status == 200
    assert empty.text.count("No logins and no activities in these days.") == 2


def test_the_file_has_what_the_filter_asks_for(house: House) -> None:
    one = house.account.let_in()
    report(one, {"target": "=1+1", "occurred_at": "2026-05-01T22:30:00Z"}, {"action": "other"})
    owner = in_rome(house)

    page = owner.get(str(owner.get("/monitoring?action=tool.used&from=2026-05-02").find("a[href*='.csv']")["href"]))

    assert page.response.content_type == "text/csv; charset=utf-8"
    name = f"audit-log-{house.account.account_id}.csv"
    assert page.response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert page.response.headers["Cache-Control"] == "no-store"
    assert [(row["action"], row["target"], row["sub_user_id"]) for row in table(page)] == [
        ("tool.used", "'=1+1", one.sub_user_id)
    ]
    so_far = len(house.account.rows())
    assert house.account.rows()[0]["action"] == "audit_log.exported"
    assert len(table(owner.get("/monitoring/export.csv"))) == so_far


@pytest.mark.parametrize(
    "path", ["/monitoring", "/monitoring/export.csv", "/sub-users/3d5f5724-722c-4dd3-9cce-0dc148d2d8ba"]
)
def test_it_is_for_owners_alone(house: House, path: str) -> None:
    assert house.browser().get(path).path.startswith("/login")
    refused = house.sub_user().get(path)
    assert refused.status == 403
    assert "Only for the main account" in refused.text


def test_it_comes_in_italian(house: House) -> None:
    report(house.account.let_in(), {})
    owner = house.owner()
    owner.set_cookie("__Host-subusers-language", "it")

    page = owner.get("/monitoring?from=x")
    assert page.error("from") == "Non è una data come 2026-05-31."
    page = owner.get("/monitoring")
    assert "Winds & Waves ha aggiunto Grace Hopper" in told(page)
    assert page.find("h1").get_text() == "Monitoraggio"
