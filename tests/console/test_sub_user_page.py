"""A sub-user's page: what the owner sees of one person."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.api.callers import is_active
from tests.console.test_monitoring import report, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.console.browsing import Page
    from tests.console.conftest import House


def facts(page: Page) -> dict[str, str]:
    return {
        row.select("dt")[0].get_text(): " ".join(row.select("dd")[0].get_text(" ").split())
        for row in page.soup.select(".facts > div")
    }


def test_it_shows_all_that_is_known(house: House) -> None:
    one = house.account.let_in_settled(visible=False, access_expires_at="2099-01-31T12:00:00Z")

    page = house.owner().get(f"/sub-users/{one.sub_user_id}")
    known = facts(page)

    assert page.status == 200
    assert page.find("h1").get_text() == "Grace Hopper"
    assert known["Email"] == one.email
    assert known["Status"] == "Active"
    assert known["Visibility"] == "Hidden"
    assert known["Access expires"] == "31 Jan 2099, 12:00"
    assert known["Password"] == "Their own"
    assert known["Last login"] != "Not yet"
    assert known["Id"] == one.sub_user_id


def test_of_somebody_new_it_says_what_is_yet_to_come(house: House) -> None:
    one = house.account.let_in()
    page = house.owner().get(f"/sub-users/{one.sub_user_id}")
    known = facts(page)

    assert known["Status"] == "Inactive"
    assert known["Last login"] == "Not yet"
    assert known["Access expires"] == "Never"
    assert known["Password"] == "Temporary: they have yet to choose their own"
    assert "Grace Hopper is not logged in anywhere." in page.text
    assert not page.soup.select("main form")
    assert "No logins and no activities in these days." in page.text


def test_it_leads_to_what_can_be_done(house: House) -> None:
    one = house.account.let_in_active()
    owner = house.owner()
    page = owner.get(f"/sub-users/{one.sub_user_id}")

    for link in page.soup.select(".actions a"):
        led = owner.get(str(link["href"]))
        assert led.status == 200
        assert one.sub_user_id in led.path
    assert [link.get_text() for link in page.soup.select(".actions a")] == ["EDIT", "SEND AGAIN", "DELETE"]


def test_the_owner_ends_all_sessions(house: House) -> None:
    one = house.account.let_in_settled()
    tokens = [one.token(), one.token()]
    owner = house.owner()
    page = owner.get(f"/sub-users/{one.sub_user_id}")
    assert len(page.soup.select(".table-cards tbody tr")) >= 2

    after = owner.submit(page, "/end-sessions")

    assert after.notice == "All sessions of Grace Hopper have ended."
    assert after.path == f"/sub-users/{one.sub_user_id}"
    assert not after.soup.select(".table-cards")
    assert told(after)[0] == "Winds & Waves ended all sessions of Grace Hopper"
    assert not any(is_active(house.account.portal, token) for token in tokens)
    assert one.log_in().status_code == 201


def test_sessions_do_not_end_without_the_form(house: House) -> None:
    one = house.account.let_in_settled()
    token = one.token()
    owner = house.owner()
    page = owner.get(f"/sub-users/{one.sub_user_id}")

    assert owner.submit(page, "/end-sessions", csrf="made up").status == 403
    assert owner.post(f"/sub-users/{one.sub_user_id}/end-sessions", {}).status == 403
    assert is_active(house.account.portal, token)


def test_it_tells_of_the_last_twenty_things_and_leads_to_all(house: House) -> None:
    one, other = house.account.let_in(), house.account.let_in(name="Ada", surname="Lovelace")
    report(one, *[{"target": str(number)} for number in range(25)])
    report(other, {})
    owner = house.owner()

    page = owner.get(f"/sub-users/{one.sub_user_id}")

    assert told(page) == [f"Grace Hopper: tool.used · {number}" for number in range(24, 4, -1)]
    assert page.soup.select(".day-chart g title")[-1].get_text().endswith("logins: 0, activities: 25")
    everything = owner.get(str(page.find(".pages a")["href"]))
    assert len(told(everything)) == 26
    assert not owner.get(f"/sub-users/{other.sub_user_id}").soup.select(".pages")


def test_who_is_not_there_has_no_page(house: House, new_house: Callable[..., House]) -> None:
    """Neither the deleted, nor another account's, nor anybody unknown; nor can their sessions be ended."""
    deleted = house.account.let_in()
    house.account.portal.delete(deleted.path)
    theirs = new_house().account.let_in_settled()
    token = theirs.token()
    owner = house.owner()
    form = {"csrf": str(owner.get("/sub-users").find("header [name=csrf]")["value"])}

    for sub_user_id in (deleted.sub_user_id, theirs.sub_user_id, uuid4()):
        assert owner.get(f"/sub-users/{sub_user_id}").status == 404
        assert owner.post(f"/sub-users/{sub_user_id}/end-sessions", form).status == 404
    assert is_active(house.account.portal, token)


@pytest.mark.parametrize("odd", ["x", "%00", "%ff", "1" * 10_000, "../monitoring%2f.."])
def test_an_address_that_names_nobody_is_answered_404(house: House, odd: str) -> None:
    assert house.owner().get(f"/sub-users/{odd}").status == 404


def test_names_are_text_and_nothing_else(house: House) -> None:
    one = house.account.let_in_settled(name="<b>Grace", surname="{person}</b>")
    owner = house.owner()
    one.token()

    page = owner.submit(owner.get(f"/sub-users/{one.sub_user_id}"), "/end-sessions")

    assert page.notice == "All sessions of <b>Grace {person}</b> have ended."
    assert not page.soup.select("main b")


def test_it_comes_in_italian(house: House) -> None:
    one = house.account.let_in_settled()
    one.token()
    owner = house.owner()
    owner.set_cookie("__Host-subusers-language", "it")

    page = owner.submit(owner.get(f"/sub-users/{one.sub_user_id}"), "/end-sessions")

    assert page.notice == "Tutte le sessioni di Grace Hopper sono chiuse."
    assert facts(page)["Password"] == "Personale"
