"""A demo account says on every page that it is one; other accounts do not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from api.http.app import create_app
from tests.console.conftest import House

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.console.browsing import Browser

DEMO = {"en": "made up", "it": "inventati"}


def house_where_demo_is(house: House, demo: House) -> House:
    """Return a house in a service whose demo is that one."""
    doors = house.doors
    service = replace(doors.service, demo_account_id=UUID(demo.account.account_id))
    return House(replace(doors, service=service, app=create_app(service)), house.account)


def banner(browser: Browser, path: str) -> str:
    """Return what a page says of the demo."""
    found = browser.get(path).soup.select_one("header .demo")
    return found.get_text(" ", strip=True) if found else ""


@pytest.mark.parametrize("language", ["en", "it"])
def test_every_page_of_it_is_marked(house: House, language: str) -> None:
    """For its owner and for a sub-user, and the login page tells where the password is."""
    house.account.portal.patch(house.account.path, json={"language": language})
    demo = house_where_demo_is(house, house)
    owner = demo.owner()
    for path in ("/sub-users", "/monitoring", "/usage", "/account", "/no-such-page"):
        assert DEMO[language] in banner(owner, path), path
    assert DEMO[language] in banner(demo.sub_user(), "/profile")
    assert "terminal" in demo.browser(language=language).get("/login").text


def test_no_other_account_is(house: House, new_house: Callable[..., House]) -> None:
    """Whether there is a demo beside it or not."""
    assert not banner(house_where_demo_is(house, new_house()).owner(), "/sub-users")
    assert not banner(house.owner(), "/sub-users")
    page = house.browser().get("/login")
    assert not page.soup.select_one("header .demo")
    assert "terminal" not in page.text
