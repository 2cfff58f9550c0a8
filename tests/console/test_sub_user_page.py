"""Page of a sub-user in the console, as the owner sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.api.clients import is_session_active
from tests.console.test_monitoring import report_activities, timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole


def details(page: Page) -> dict[str, str]:
    """Return the values in the page's list of details, by label."""
    return {
        row.select("dt")[0].get_text(): " ".join(row.select("dd")[0].get_text(" ").split())
        for row in page.soup.select(".facts > div")
    }


def test_page_shows_all_details(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password(visible=False, access_expires_at="2099-01-31T12:00:00Z")

    page = console.owner().get(f"/sub-users/{sub_user.sub_user_id}")
    details_on_page = details(page)

    assert page.status == 200
    assert page.find("h1").get_text() == "Grace Hopper"
    assert details_on_page["Email"] == sub_user.email
    assert details_on_page["Status"] == "Active"
    assert details_on_page["Visibility"] == "Hidden"
    assert details_on_page["Access until"] == "31 Jan 2099, 12:00"
    assert details_on_page["Password"] == "Their own"
    assert details_on_page["Last login"] != "Never"
    assert details_on_page["ID"] == sub_user.sub_user_id


def test_page_of_a_new_sub_user_describes_missing_details(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    page = console.owner().get(f"/sub-users/{sub_user.sub_user_id}")
    details_on_page = details(page)

    assert details_on_page["Status"] == "Inactive"
    assert details_on_page["Last login"] == "Never"
    assert details_on_page["Access until"] == "No end date"
    assert details_on_page["Password"] == "Temporary: they haven't chosen their own yet"
    assert "Grace Hopper is not logged in anywhere." in page.text
    assert not page.soup.select("main form[action*=session]")
    assert "Nothing on these days." in page.text


def test_page_links_to_the_actions(console: AccountConsole) -> None:
    sub_user = console.account.create_active()
    owner = console.owner()
    page = owner.get(f"/sub-users/{sub_user.sub_user_id}")

    for link in page.soup.select(".actions a"):
        linked_page = owner.get(str(link["href"]))
        assert linked_page.status == 200
        assert sub_user.sub_user_id in linked_page.path
    assert [link.get_text() for link in page.soup.select(".actions a")] == ["Edit", "Send new access data", "Delete"]


def confirmation(owner: Browser, page: Page) -> Page:
    """Return the page that asks before all sessions end."""
    return owner.get(str(page.find("a[href$='/end-sessions']")["href"]))


def test_owner_ends_all_sessions_of_a_sub_user(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    tokens = [sub_user.new_token(), sub_user.new_token()]
    owner = console.owner()
    page = owner.get(f"/sub-users/{sub_user.sub_user_id}")
    assert len(page.soup.select(".table-cards tbody tr")) >= 2

    ended_page = owner.submit(confirmation(owner, page))

    assert ended_page.success_message == "All sessions of Grace Hopper have ended."
    assert ended_page.path == f"/sub-users/{sub_user.sub_user_id}"
    assert not ended_page.soup.select(".table-cards")
    assert timeline(ended_page)[0] == "Winds & Waves ended all sessions of Grace Hopper"
    assert not any(is_session_active(console.account.portal, token) for token in tokens)
    assert sub_user.log_in().status_code == 201


def test_ending_sessions_requires_the_csrf_token(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    token = sub_user.new_token()
    owner = console.owner()
    page = owner.get(f"/sub-users/{sub_user.sub_user_id}")

    assert owner.submit(confirmation(owner, page), csrf="made up").status == 403
    assert owner.post(f"/sub-users/{sub_user.sub_user_id}/end-sessions", {}).status == 403
    assert is_session_active(console.account.portal, token)


def test_page_shows_the_last_twenty_events_and_links_to_all(console: AccountConsole) -> None:
    sub_user, other = console.account.create_sub_user(), console.account.create_sub_user(name="Ada", surname="Lovelace")
    report_activities(sub_user, *[{"target": str(number)} for number in range(25)])
    report_activities(other, {})
    owner = console.owner()

    page = owner.get(f"/sub-users/{sub_user.sub_user_id}")

    assert timeline(page) == [f"Grace Hopper: tool.used · {number}" for number in range(24, 4, -1)]
    assert page.soup.select(".day-chart g title")[-1].get_text().endswith("sign-ins: 0, activities: 25")
    everything = owner.get(str(page.find(".pages a")["href"]))
    assert len(timeline(everything)) == 26
    assert not owner.get(f"/sub-users/{other.sub_user_id}").soup.select(".pages")


def test_unknown_sub_users_return_404(console: AccountConsole, new_console: Callable[..., AccountConsole]) -> None:
    """Deleted sub-users, those of other accounts and unknown ids; their sessions cannot be ended either."""
    deleted = console.account.create_sub_user()
    console.account.portal.delete(deleted.path)
    foreign_sub_user = new_console().account.create_with_own_password()
    token = foreign_sub_user.new_token()
    owner = console.owner()
    form = {"csrf": str(owner.get("/sub-users").find("header [name=csrf]")["value"])}

    for sub_user_id in (deleted.sub_user_id, foreign_sub_user.sub_user_id, uuid4()):
        assert owner.get(f"/sub-users/{sub_user_id}").status == 404
        assert owner.post(f"/sub-users/{sub_user_id}/end-sessions", form).status == 404
    assert is_session_active(console.account.portal, token)


@pytest.mark.parametrize("segment", ["x", "%00", "%ff", "1" * 10_000, "../monitoring%2f.."])
def test_malformed_sub_user_id_returns_404(console: AccountConsole, segment: str) -> None:
    assert console.owner().get(f"/sub-users/{segment}").status == 404


def test_names_on_the_sub_user_page_are_escaped(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password(name="<b>Grace", surname="{person}</b>")
    owner = console.owner()
    sub_user.new_token()

    page = owner.submit(confirmation(owner, owner.get(f"/sub-users/{sub_user.sub_user_id}")))

    assert page.success_message == "All sessions of <b>Grace {person}</b> have ended."
    assert "<b>Grace {person}</b>" in {bold.get_text() for bold in page.soup.select("main b")}


def test_sub_user_page_is_translated_into_italian(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    sub_user.new_token()
    owner = console.owner()
    owner.set_cookie("__Host-subusers-language", "it")

    page = owner.submit(confirmation(owner, owner.get(f"/sub-users/{sub_user.sub_user_id}")))

    assert page.success_message == "Tutte le sessioni di Grace Hopper sono chiuse."
    assert details(page)["Password"] == "Personale"
