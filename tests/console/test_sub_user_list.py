"""Sub-user list of the console: contents, filters, sorting and pages."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from api.presentation.translations import LANGUAGES, translate
from domain.mails import MAILS_PER_ACCOUNT
from tests.api.round_trips import counting_round_trips
from tests.builders import deliver_mails
from tests.throttling import fail_as_sub_user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bs4 import Tag

    from tests.conftest import TravelingClock
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole

HOSTILE = "<script>alert(1)</script>"


def cells_by_name_and_column(page: Page) -> dict[str, dict[str, str]]:
    """Return the cells of each row, by the sub-user's name and the column."""
    columns = [" ".join(head.get_text(" ").split()) for head in page.soup.select("#list thead th")]
    shown = {"Status", "Visibility", "Last login", "Created", "Access until"}
    return {
        row.select_one("th[scope=row] a").get_text(" ", strip=True): {  # type: ignore[union-attr]
            "Email": row.select_one("small.email").get_text(),  # type: ignore[union-attr]
            **{
                column: " ".join(cell.get_text(" ").split())
                for column, cell in zip(columns, row.select("td, th"), strict=True)
                if column in shown
            },
        }
        for row in table_rows(page)
    }


def table_rows(page: Page) -> Sequence[Tag]:
    return page.soup.select("#list tbody tr")


def names(page: Page) -> list[str]:
    return list(cells_by_name_and_column(page))


def create_three_sub_users(console: AccountConsole) -> Browser:
    console.account.create_sub_user(name="Ada", surname="Lovelace", email="c@company.example")
    console.account.create_active(name="Grace", surname="Hopper", email="a@company.example")
    console.account.create_active(name="Alan", surname="Turing", email="b@company.example", visible=False)
    return console.owner()


def raise_limit(console: AccountConsole, limit: int) -> None:
    path = f"{console.account.path}/sub-user-limit"
    response = console.clients.support.put(path, json={"sub_user_limit": limit, "reason": "a big company"})
    assert response.status_code == 200, response.text


def test_list_shows_all_columns(console: AccountConsole) -> None:
    console.account.create_sub_user(name="Ada", surname="Lovelace", email="ada@company.example", visible=False)

    page = console.owner().get("/sub-users")

    row = cells_by_name_and_column(page)["Ada Lovelace"]
    assert row.pop("Created").startswith("today, ")
    assert row == {
        "Email": "ada@company.example",
        "Status": "Inactive",
        "Visibility": "Hidden",
        "Last login": "Never",
        "Access until": "No end date",
    }
    assert page.find("#list tbody time")["datetime"]
    assert "1 of 10 places" in page.text
    assert page.find("progress")["value"] == "1"


def test_status_has_a_text_besides_its_color(console: AccountConsole) -> None:
    console.account.create_active()

    page = console.owner().get("/sub-users")

    assert page.find(".chip.idle").text == "Invited"
    assert cells_by_name_and_column(page)["Grace Hopper"]["Status"] == "Invited Sending"


def test_list_shows_last_login_and_expiry(console: AccountConsole) -> None:
    console.account.create_active(access_expires_at="2090-05-01T12:00:00Z").new_token()

    row = cells_by_name_and_column(console.owner().get("/sub-users"))["Grace Hopper"]

    assert row["Access until"] == "1 May 2090"
    assert row["Last login"].startswith("today, ")
    assert row["Status"] == "Active Sending"


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "9999-12-30T23:59:59Z"])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_earliest_and_latest_expiry_are_rendered(console: AccountConsole, moment: str, zone: str) -> None:
    sub_user = console.account.create_sub_user(access_expires_at=moment)
    browser = console.owner()
    browser.set_cookie("__Host-subusers-time-zone", zone)

    assert browser.get("/sub-users").status == 200
    assert browser.get(f"/sub-users/{sub_user.sub_user_id}/edit").status == 200


def test_expired_and_locked_sub_users_are_not_shown_as_active(console: AccountConsole) -> None:
    console.account.create_active(name="Ada").change(access_expires_at="2020-01-01T00:00:00Z")
    grace = console.account.create_active(name="Grace")
    fail_as_sub_user(console.clients.service, console.account.email, grace.email, 99)
    grace.log_in(password="not what it is")
    browser = console.owner()

    cells_by_name = cells_by_name_and_column(browser.get("/sub-users"))

    assert cells_by_name["Ada Hopper"]["Status"] == "Expired Sending"
    assert cells_by_name["Grace Hopper"]["Status"] == "Locked Sending"
    assert "unlocks" in browser.get(f"/sub-users/{grace.sub_user_id}/edit").find("main .notice.warning").text


def test_expired_temporary_password_is_marked(own_console: AccountConsole, clock: TravelingClock) -> None:
    """The list and the sub-user's page mark it. A password chosen by the sub-user does not expire."""
    ada = own_console.account.create_active(name="Ada")
    own_console.account.create_with_own_password(name="Grace")
    clock.advance(days=7)
    browser = own_console.owner()

    cells_by_name = cells_by_name_and_column(browser.get("/sub-users"))

    assert cells_by_name["Ada Hopper"]["Status"].startswith("Invited Temporary password expired")
    assert cells_by_name["Grace Hopper"]["Status"] == "Active"
    assert "Temporary password expired" in browser.get(f"/sub-users/{ada.sub_user_id}").text


def test_names_in_the_list_are_escaped(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user(name=HOSTILE, surname='"><img src=x>')

    page = console.owner().get("/sub-users")

    assert names(page) == [f'{HOSTILE} "><img src=x>']
    assert not page.soup.select("main script, main img")
    assert page.find(".c-more .btn.dan")["aria-label"] == f'Delete {HOSTILE} "><img src=x>'
    assert str(page.find("tbody th a")["href"]) == f"/sub-users/{sub_user.sub_user_id}"


def test_each_row_links_to_its_actions(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()

    page = console.owner().get("/sub-users")

    path = f"/sub-users/{sub_user.sub_user_id}"
    assert {(icon["aria-label"], icon["href"]) for icon in page.soup.select(".c-more a.btn")} == {
        ("Edit Grace Hopper", f"{path}/edit"),
        ("Delete Grace Hopper", f"{path}/delete"),
    }
    assert {(link.text, link["href"]) for link in page.soup.select(".c-more .pop a")} == {
        ("Delete", f"{path}/delete"),
        ("Send new access data", f"{path}/send-again"),
        ("End all sessions", f"{path}/end-sessions"),
    }
    assert page.find(".c-more summary")["aria-label"] == "More actions for Grace Hopper"
    assert all(svg["aria-hidden"] == "true" for svg in page.soup.select("main svg"))


def test_empty_account_shows_the_first_steps(console: AccountConsole) -> None:
    page = console.owner().get("/sub-users")

    assert "first steps" in page.find("h2").text
    assert not page.soup.select("#list, form.bar")


def test_search_matches_parts_of_names_and_emails(console: AccountConsole) -> None:
    browser = create_three_sub_users(console)
    page = browser.get("/sub-users")

    assert names(browser.submit(page, "/sub-users", q="HOPP")) == ["Grace Hopper"]
    assert names(browser.submit(page, "/sub-users", q="b@comp")) == ["Alan Turing"]
    assert len(cells_by_name_and_column(browser.submit(page, "/sub-users", q="  "))) == 3


def test_search_without_matches_links_to_the_full_list(console: AccountConsole) -> None:
    browser = create_three_sub_users(console)

    page = browser.submit(browser.get("/sub-users"), "/sub-users", q="<b>nobody")

    assert page.status == 200
    assert page.find("#found").text == "No sub-users match."
    assert page.find("#q")["value"] == "<b>nobody"
    assert len(cells_by_name_and_column(browser.get(str(page.find("#list a")["href"])))) == 3


def test_filters_apply_and_stay_selected(console: AccountConsole) -> None:
    browser = create_three_sub_users(console)
    page = browser.get("/sub-users")

    tabs = {" ".join(tab.get_text(" ").split()): str(tab["href"]) for tab in page.soup.select("#tabs a")}
    assert list(tabs) == ["All 3", "Invited 2", "Inactive 1"]
    inactive = browser.get(tabs["Inactive 1"])

    assert names(inactive) == ["Ada Lovelace"]
    assert inactive.find("#tabs [aria-current]").get_text(" ") == "Inactive 1"
    assert names(browser.submit(page, "/sub-users", visibility="hidden")) == ["Alan Turing"]
    assert names(browser.submit(inactive, "/sub-users", visibility="hidden")) == []


def test_list_is_sorted_by_name_by_default(console: AccountConsole) -> None:
    browser = create_three_sub_users(console)
    page = browser.get("/sub-users")

    assert names(page) == ["Ada Lovelace", "Alan Turing", "Grace Hopper"]
    assert page.find("th[aria-sort]").get_text(strip=True).startswith("Name")
    assert names(browser.submit(page, "/sub-users", sort="email")) == ["Grace Hopper", "Alan Turing", "Ada Lovelace"]


def test_column_header_sorts_and_then_reverses(console: AccountConsole) -> None:
    browser = create_three_sub_users(console)
    page = browser.submit(browser.get("/sub-users"), "/sub-users", visibility="visible")

    by_status = browser.get(column_link(page, "Status"))
    by_status_descending = browser.get(column_link(by_status, "Status"))

    assert names(by_status) == ["Grace Hopper", "Ada Lovelace"]
    assert by_status.find("th[aria-sort]")["aria-sort"] == "ascending"
    assert names(by_status_descending) == ["Ada Lovelace", "Grace Hopper"]
    assert by_status_descending.find("th[aria-sort]")["aria-sort"] == "descending"
    assert by_status_descending.find("#sort option[selected]")["value"] == "-status"


def column_link(page: Page, name: str) -> str:
    """Return the link of a column header."""
    (link,) = (link for link in page.soup.select("thead a") if link.get_text(strip=True).startswith(name))
    return str(link["href"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sort_order_is_translated_and_works(console: AccountConsole, language: str) -> None:
    create_three_sub_users(console)
    browser = console.owner(language=language)
    browser.set_cookie("__Host-subusers-language", language)
    page = browser.get("/sub-users")

    orders = [str(option["value"]) for option in page.soup.select("#sort option")]

    assert len(orders) == 12  # six columns in both directions
    assert page.find("h1").text == translate(language, "sub_users.title")
    for order in orders:
        assert len(cells_by_name_and_column(browser.submit(page, "/sub-users", sort=order))) == 3, order


def test_pagination_links_forward_and_back(console: AccountConsole) -> None:
    browser = create_three_sub_users(console)

    first = browser.get("/sub-users?limit=2&visibility=all")
    second = browser.get(str(first.find("a[rel=next]")["href"]))

    assert names(first) == ["Ada Lovelace", "Alan Turing"]
    assert names(second) == ["Grace Hopper"]
    assert not second.soup.select("a[rel=next]")
    (back,) = second.soup.select("#list nav a")
    assert names(browser.get(str(back["href"]))) == names(first)


@pytest.mark.parametrize(
    "query",
    [
        "sort=passwords",
        "status=asleep",
        "visibility=some",
        "limit=0",
        "limit=201",
        "limit=9999999999999999999999",
        "limit=many",
        "cursor=abc",
        "cursor=%00",
        "q=%00",
        "q=" + 101 * "a",
        "q=" + 10_000 * "a",
    ],
)
def test_invalid_query_parameters_are_refused(console: AccountConsole, query: str) -> None:
    console.account.create_sub_user()

    page = console.owner().get(f"/sub-users?{query}")

    assert page.status == 422
    assert page.find("h1").text == "Some values aren't valid"


@pytest.mark.parametrize("query", ["q=%ff%fe", "q=%ed%a0%80", "q=%25", "utm_source=mail", "q=&status=&visibility="])
def test_unusual_query_strings_are_accepted(console: AccountConsole, query: str) -> None:
    console.account.create_sub_user()

    assert console.owner().get(f"/sub-users?{query}").status == 200


def test_list_cursor_of_another_account_is_refused(console: AccountConsole, new_console: Any) -> None:
    create_three_sub_users(console)
    next_page = str(console.owner().get("/sub-users?limit=2").find("a[rel=next]")["href"])

    assert new_console().owner().get(next_page).status == 422


def test_pages_that_the_list_leads_to_return_to_it_with_its_filters(console: AccountConsole) -> None:
    create_three_sub_users(console)
    browser = console.owner()
    listed = browser.get("/sub-users?q=ada&visibility=visible")
    edit = browser.get(str(listed.find(".c-more a.btn[href*=edit]")["href"]))
    delete = browser.get(str(listed.find(".c-more a.btn[href*=delete]")["href"]))

    for page in (edit, delete):
        (cancel,) = (link for link in page.soup.select("main .actions a") if link.text == "Cancel")
        assert cancel["href"] == "/sub-users?q=ada&visibility=visible"
    assert browser.submit(edit, name="Adah").path == "/sub-users?q=ada&visibility=visible"
    assert names(browser.submit(delete)) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "//evil.example/sub-users",
        "/sub-users\\evil",
        "/logout",
        "/sub-users?q=a b",
        "javascript:0",
    ],
)
def test_pages_return_only_to_the_list_and_to_sub_users(console: AccountConsole, url: str) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    form = browser.get(f"/sub-users/{sub_user.sub_user_id}/edit")

    page = browser.submit(form, back=url, name="Ada")

    assert (page.path, page.success_message) == ("/sub-users", "Saved.")


def test_list_excludes_sub_users_of_other_accounts(console: AccountConsole, new_console: Any) -> None:
    create_three_sub_users(console)

    assert cells_by_name_and_column(new_console().owner().get("/sub-users")) == {}


def test_add_button_is_disabled_at_the_limit(console: AccountConsole) -> None:
    for _ in range(10):
        console.account.create_sub_user()

    page = console.owner().get("/sub-users")

    button = page.find(".head button")
    assert button.has_attr("disabled")
    assert page.find(f"#{button['aria-describedby']}").text.startswith("You've used all 10 places.")
    assert not page.soup.select('main a[href="/sub-users/new"]')
    assert "10 of 10 places" in page.text


def test_htmx_requests_receive_the_whole_page(console: AccountConsole) -> None:
    """The script selects the list from the full response."""
    page = create_three_sub_users(console).get("/sub-users?q=ada", headers={"HX-Request": "true"})

    assert names(page) == ["Ada Lovelace"]
    form = page.find("form.bar")
    assert form["hx-select"] == form["hx-target"] == "#list"
    assert form["hx-select-oob"] == "#found:innerHTML,#tabs"
    assert page.find("#found")["role"] == "status"


def test_list_takes_as_many_queries_for_any_length(own_console: AccountConsole) -> None:
    raise_limit(own_console, 60)
    for number in range(55):
        own_console.account.create_sub_user(password=None, email=f"person-{number}@company.example")
    browser = own_console.owner()

    def count_queries(query_string: str, expected_rows: int) -> int:
        with counting_round_trips() as round_trips:
            assert len(table_rows(browser.get(f"/sub-users{query_string}"))) == expected_rows
        return round_trips.count

    assert count_queries("?limit=1", 1) == count_queries("", 50) == count_queries("?limit=200", 55)


@pytest.mark.long
def test_list_of_200_people_is_small(own_console: AccountConsole, clock: TravelingClock) -> None:
    """At most 25 kB are sent, compressed."""
    raise_limit(own_console, 200)
    for number in range(200):
        name, surname = f"Giulia{number % 17}", f"Bianchi{number}"
        own_console.account.create_active(name=name, surname=surname, email=f"{name}.{surname}@rossi.example".lower())
        if number % MAILS_PER_ACCOUNT == MAILS_PER_ACCOUNT - 1:
            deliver_mails(own_console.clients.service)
            clock.advance(hours=2)

    page = own_console.owner().get("/sub-users?limit=200")

    assert len(table_rows(page)) == 200
    assert len(gzip.compress(page.response.data, 6)) <= 25_000
