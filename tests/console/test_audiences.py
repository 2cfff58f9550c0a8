"""Whom each page is for, and where everybody else is led instead."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.console.visitors import Audience
from tests.api.callers import TEMPORARY
from tests.api.route_table import routes

if TYPE_CHECKING:
    from tests.api.route_table import Route
    from tests.console.browsing import Browser
    from tests.console.conftest import House

PAGES = [route for route in routes() if route.audience is not None]
FOR_EVERYBODY = {
    "GET /",
    "GET /assets/{version}/{name}",
    "GET /login",
    "POST /login",
    "GET /mailbox",
    "GET /mailbox/{mail_id}",
    "GET /mailbox/{mail_id}/body",
    "GET /preferences",
    "POST /preferences",
}
"""Pages that need no login. The mailbox looks at where its visitors are instead."""

LINKS = "/console/link/"
"""Below it, a link from the portal logs its bearer in."""


def a_browser(house: House, audience: Audience) -> Browser:
    """Return the browser of a visitor of that kind."""
    if audience is Audience.NOBODY_KNOWN:
        return house.browser()
    if audience is Audience.OWNER:
        return house.owner()
    if audience is Audience.SUB_USER:
        return house.sub_user()
    return house.sub_user(house.account.let_in_active(), password=TEMPORARY)


def test_the_pages_for_everybody_are_known_by_name() -> None:
    """Any other is for somebody who is logged in."""
    for_everybody = {str(page) for page in PAGES if Audience.NOBODY_KNOWN in (page.audience or ())}
    assert {name for name in for_everybody if LINKS not in name} == FOR_EVERYBODY


@pytest.mark.parametrize("audience", Audience)
def test_a_page_turns_away_whom_it_is_not_for(house: House, audience: Audience) -> None:
    """To the login, to the password that is yet to be chosen, or with a page that says whose it is. Nothing is done."""
    browser = a_browser(house, audience)
    form_token = str(browser.get("/preferences").find("main input[name=csrf]")["value"])
    rows = house.account.rows()
    others = [page for page in PAGES if audience not in (page.audience or ())]
    assert others
    for page in others:
        require_turned_away(browser, audience, page, form_token)
    assert house.account.rows() == rows


def require_turned_away(browser: Browser, audience: Audience, route: Route, form_token: str) -> None:
    path = route.path(**{name: uuid4() for name in route.parameters})
    shown = browser.get(path) if route.method == "GET" else browser.post(path, {"csrf": form_token})
    if audience is Audience.NOBODY_KNOWN:
        assert (shown.status, shown.path.partition("?")[0]) == (200, "/login"), route
    elif audience is Audience.RESTRICTED:
        assert (shown.status, shown.path) == (200, "/password"), route
    else:
        whose = "Only for sub-users" if audience is Audience.OWNER else "Only for the main account"
        assert (shown.status, shown.find("h1").text) == (403, whose), route


@pytest.mark.parametrize("audience", Audience)
def test_a_form_that_is_not_from_our_pages_is_refused(house: House, audience: Audience) -> None:
    """Whatever the page, and whoever sends it: without its token, with a made-up one, or from elsewhere."""
    browser = a_browser(house, audience)
    browser.get("/preferences")
    for page in (route for route in PAGES if route.method == "POST"):
        path = page.path(**{name: uuid4() for name in page.parameters})
        for data in ({}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "\u00e9"}):
            shown = browser.post(path, data)
            assert (shown.status, shown.find("h1").text) == (403, "This form has expired"), page
