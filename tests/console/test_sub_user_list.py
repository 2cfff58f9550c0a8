"""The list of sub-users: who is on it, what it says of them, and how it is searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.console.language import LANGUAGES, say
from tests.api.test_login_tells_nothing import lock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bs4 import Tag

    from tests.console.browsing import Browser, Page
    from tests.console.conftest import House

HOSTILE = "<script>alert(1)</script>"


def rows(page: Page) -> dict[str, dict[str, str]]:
    """Return what each row says, by name and column."""
    return {
        row.select_one("th[scope=row]").get_text(" ", strip=True): {  # type: ignore[union-attr]
            str(cell["data-label"]): " ".join(cell.get_text(" ").split()) for cell in row.select("td[data-label]")
        }
        for row in page_rows(page)
    }


def page_rows(page: Page) -> Sequence[Tag]:
    return page.soup.select("#list tbody tr")


def names(page: Page) -> list[str]:
    return list(rows(page))


def three_people(house: House) -> Browser:
    house.account.let_in(name="Ada", surname="Lovelace", email="c@company.example")
    house.account.let_in_active(name="Grace", surname="Hopper", email="a@company.example")
    house.account.let_in_active(name="Alan", surname="Turing", email="b@company.example", visible=False)
    return house.owner()


def raise_limit(house: House, limit: int) -> None:
    path = f"{house.account.path}/sub-user-limit"
    answer = house.doors.support.put(path, json={"limit": limit, "reason": "a big company"})
    assert answer.status_code == 200, answer.text


def test_the_list_says_all_that_is_to_be_known(house: House) -> None:
    house.account.let_in(name="Ada", surname="Lovelace", email="ada@company.example", visible=False)

    page = house.owner().get("/sub-users")

    said = rows(page)["Ada Lovelace"]
    created = said.pop("Created")
    assert created.endswith(tuple("0123456789"))
    assert said == {
        "Email": "ada@company.example",
        "Status": "Inactive",
        "Visibility": "Hidden",
        "Last login": "Not yet",
        "Access data": "Not sent",
        "Access expires": "Never",
    }
    assert page.find("#list tbody time")["datetime"]
    assert "1 of 10 sub-users" in page.text
    assert page.find("progress")["value"] == "1"


def test_an_active_sub_user_is_green_in_words_too(house: House) -> None:
    house.account.let_in_active()

    page = house.owner().get("/sub-users")

    assert page.find(".badge.good").text == "Active"
    assert rows(page)["Grace Hopper"]["Access data"] == "On its way"


def test_a_login_and_an_expiry_are_shown(house: House) -> None:
    house.account.let_in_active(access_expires_at="2090-05-01T12:00:00Z").token()

    said = rows(house.owner().get("/sub-users"))["Grace Hopper"]

    assert said["Access expires"] == "1 May 2090, 12:00"
    assert said["Last login"] != "Not yet"
    assert said["Status"] == "Active"


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_first_and_the_last_moment_there_are_can_be_shown(house: House, moment: str, zone: str) -> None:
    one = house.account.let_in(access_expires_at=moment)
    browser = house.owner()
    browser.set_cookie("__Host-subusers-time-zone", zone)

    assert browser.get("/sub-users").status == 200
    assert browser.get(f"/sub-users/{one.sub_user_id}/edit").status == 200


def test_who_has_expired_or_is_locked_is_marked(house: House) -> None:
    house.account.let_in_active(name="Ada", access_expires_at="2020-01-01T00:00:00Z")
    grace = house.account.let_in_active(name="Grace")
    lock(house.doors, grace)
    browser = house.owner()

    said = rows(browser.get("/sub-users"))

    assert said["Ada Hopper"]["Status"] == "Active Expired"
    assert said["Grace Hopper"]["Status"] == "Active Locked"
    assert "unlocks" in browser.get(f"/sub-users/{grace.sub_user_id}/edit").find("main .notice.warning").text


def test_names_are_shown_as_they_are_and_never_as_markup(house: House) -> None:
    one = house.account.let_in(name=HOSTILE, surname='"><img src=x>')

    page = house.owner().get("/sub-users")

    assert names(page) == [f'{HOSTILE} "><img src=x>']
    assert not page.soup.select("main script, main img")
    assert page.find(".icon.trash")["aria-label"] == f'Delete {HOSTILE} "><img src=x>'
    assert str(page.find("tbody th a")["href"]) == f"/sub-users/{one.sub_user_id}"


def test_each_row_leads_to_what_can_be_done(house: House) -> None:
    one = house.account.let_in()

    page = house.owner().get("/sub-users")

    assert {(icon["aria-label"], icon["href"]) for icon in page.soup.select(".icons a")} == {
        ("Edit Grace Hopper", f"/sub-users/{one.sub_user_id}/edit"),
        ("Send access data again to Grace Hopper", f"/sub-users/{one.sub_user_id}/send-again"),
        ("Delete Grace Hopper", f"/sub-users/{one.sub_user_id}/delete"),
    }
    assert all(svg["aria-hidden"] == "true" for svg in page.soup.select("main svg"))


def test_with_nobody_there_the_first_steps_are_shown(house: House) -> None:
    page = house.owner().get("/sub-users")

    assert "first steps" in page.find("h2").text
    assert not page.soup.select("#list, .filters")


def test_a_search_finds_parts_of_names_and_emails(house: House) -> None:
    browser = three_people(house)
    page = browser.get("/sub-users")

    assert names(browser.submit(page, q="HOPP")) == ["Grace Hopper"]
    assert names(browser.submit(page, q="b@comp")) == ["Alan Turing"]
    assert len(rows(browser.submit(page, q="  "))) == 3


def test_a_search_that_finds_nobody_leads_back(house: House) -> None:
    browser = three_people(house)

    page = browser.submit(browser.get("/sub-users"), q="<b>nobody")

    assert page.status == 200
    assert page.find("#found").text == "No sub-user matches."
    assert page.find("#q")["value"] == "<b>nobody"
    assert len(rows(browser.get(str(page.find("#list a")["href"])))) == 3


def test_filters_leave_others_out_and_stay_chosen(house: House) -> None:
    browser = three_people(house)
    page = browser.get("/sub-users")

    inactive = browser.submit(page, status="inactive")

    assert names(inactive) == ["Ada Lovelace"]
    assert inactive.find("#status option[selected]")["value"] == "inactive"
    assert names(browser.submit(page, visibility="hidden")) == ["Alan Turing"]
    assert names(browser.submit(inactive, visibility="hidden")) == []


def test_the_list_is_sorted_by_name_unless_told_otherwise(house: House) -> None:
    browser = three_people(house)
    page = browser.get("/sub-users")

    assert names(page) == ["Ada Lovelace", "Alan Turing", "Grace Hopper"]
    assert page.find("th[aria-sort]").get_text(strip=True).startswith("Name")
    assert names(browser.submit(page, sort="email")) == ["Grace Hopper", "Alan Turing", "Ada Lovelace"]


def test_a_head_sorts_and_once_more_reverses(house: House) -> None:
    browser = three_people(house)
    page = browser.submit(browser.get("/sub-users"), visibility="visible")

    by_email = browser.get(head(page, "Email"))
    reversed_ = browser.get(head(by_email, "Email"))

    assert names(by_email) == ["Grace Hopper", "Ada Lovelace"]
    assert by_email.find("th[aria-sort]")["aria-sort"] == "ascending"
    assert names(reversed_) == ["Ada Lovelace", "Grace Hopper"]
    assert reversed_.find("th[aria-sort]")["aria-sort"] == "descending"
    assert reversed_.find("#sort option[selected]")["value"] == "-email"


def head(page: Page, name: str) -> str:
    """Return where the head of a column leads."""
    (link,) = (link for link in page.soup.select("thead a") if link.get_text(strip=True).startswith(name))
    return str(link["href"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_order_has_a_name_and_works(house: House, language: str) -> None:
    three_people(house)
    browser = house.owner(language=language)
    browser.set_cookie("__Host-subusers-language", language)
    page = browser.get("/sub-users")

    orders = [str(option["value"]) for option in page.soup.select("#sort option")]

    assert len(orders) == 12
    assert page.find("h1").text == say(language, "sub_users.title")
    for order in orders:
        assert len(rows(browser.submit(page, sort=order))) == 3, order


def test_pages_follow_each_other_and_lead_back(house: House) -> None:
    browser = three_people(house)

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
def test_an_address_that_makes_no_sense_is_refused(house: House, query: str) -> None:
    house.account.let_in()

    page = house.owner().get(f"/sub-users?{query}")

    assert page.status == 422
    assert page.find("h1").text == "Some values were refused"


@pytest.mark.parametrize("query", ["q=%ff%fe", "q=%ed%a0%80", "q=%25", "utm_source=mail", "q=&status=&visibility="])
def test_an_odd_address_is_made_the_best_of(house: House, query: str) -> None:
    house.account.let_in()

    assert house.owner().get(f"/sub-users?{query}").status == 200


def test_a_cursor_of_another_account_is_refused(house: House, new_house: Any) -> None:
    three_people(house)
    next_page = str(house.owner().get("/sub-users?limit=2").find("a[rel=next]")["href"])

    assert new_house().owner().get(next_page).status == 422


def test_others_sub_users_are_on_no_list_of_mine(house: House, new_house: Any) -> None:
    three_people(house)

    assert rows(new_house().owner().get("/sub-users")) == {}


def test_at_the_limit_the_button_is_off_and_says_why(house: House) -> None:
    for _ in range(10):
        house.account.let_in()

    page = house.owner().get("/sub-users")

    button = page.find(".list-head button")
    assert button.has_attr("disabled")
    assert page.find(f"#{button['aria-describedby']}").text.startswith("Every place is taken.")
    assert not page.soup.select('main a[href="/sub-users/new"]')
    assert "10 of 10 sub-users" in page.text


def test_a_piece_of_the_page_is_in_the_whole_page(house: House) -> None:
    """Scripts ask for the same address, and take the list out of what they get."""
    page = three_people(house).get("/sub-users?q=ada", headers={"HX-Request": "true"})

    assert names(page) == ["Ada Lovelace"]
    form = page.find("form.filters")
    assert form["hx-select"] == form["hx-target"] == "#list"
    assert form["hx-select-oob"] == "#found:innerHTML"
    assert page.find("#found")["role"] == "status"


def test_a_long_list_takes_no_more_queries_than_a_short_one(own_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_limit(own_house, 60)
    for number in range(55):
        own_house.account.let_in(password=None, email=f"person-{number}@company.example")
    browser = own_house.owner()
    database = own_house.doors.service.database
    connect, taken = database.get_connection, []

    def counted() -> Any:
        taken.append(1)
        return connect()

    def connections(query: str, shown: int) -> int:
        taken.clear()
        assert len(page_rows(browser.get(f"/sub-users{query}"))) == shown
        return len(taken)

    browser.get("/sub-users")
    monkeypatch.setattr(database, "get_connection", counted)

    assert connections("?limit=1", 1) == connections("", 50) == connections("?limit=200", 55)
