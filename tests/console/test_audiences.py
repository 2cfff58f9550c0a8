"""Console pages and the audiences that may open them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.console.current_user import Audience
from tests.api.clients import TEMPORARY_PASSWORD
from tests.api.route_table import routes

if TYPE_CHECKING:
    from tests.api.route_table import Route
    from tests.console.browsing import Browser
    from tests.console.conftest import AccountConsole

PAGES = [route for route in routes() if route.audiences is not None]
PUBLIC_PAGES = {
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
"""Pages that need no login. The mailbox checks the client's address instead."""

LINK_PREFIXES = ("/console/link/", "/email-confirmation/", "/email-undo/")
"""Prefixes of pages with the secret of a link in their URL: from the portal, or mailed."""


def browser_of(console: AccountConsole, audience: Audience) -> Browser:
    """Return the browser of a visitor of the audience."""
    if audience is Audience.ANONYMOUS:
        return console.browser()
    if audience is Audience.OWNER:
        return console.owner()
    if audience is Audience.SUB_USER:
        return console.sub_user()
    return console.sub_user(console.account.create_active(), password=TEMPORARY_PASSWORD)


def test_public_pages_are_listed() -> None:
    """All other pages require a login."""
    public_pages = {str(route) for route in PAGES if Audience.ANONYMOUS in (route.audiences or ())}
    assert {name for name in public_pages if not name.split()[1].startswith(LINK_PREFIXES)} == PUBLIC_PAGES


@pytest.mark.parametrize("audience", Audience)
def test_page_refuses_other_audiences(console: AccountConsole, audience: Audience) -> None:
    """The response is a redirect to the login or the first password, or a 403. Nothing is recorded."""
    browser = browser_of(console, audience)
    csrf_token = str(browser.get("/preferences").find("main input[name=csrf]")["value"])
    rows = console.account.audit_log_rows()
    refused_routes = [route for route in PAGES if audience not in (route.audiences or ())]
    assert refused_routes
    for route in refused_routes:
        require_refused(browser, audience, route, csrf_token)
    assert console.account.audit_log_rows() == rows


def require_refused(browser: Browser, audience: Audience, route: Route, csrf_token: str) -> None:
    path = route.path(**{name: uuid4() for name in route.parameters})
    page = browser.get(path) if route.method == "GET" else browser.post(path, {"csrf": csrf_token})
    if audience is Audience.ANONYMOUS:
        assert (page.status, page.path.partition("?")[0]) == (200, "/login"), route
    elif audience is Audience.RESTRICTED:
        assert (page.status, page.path) == (200, "/password"), route
    else:
        heading = "Only for sub-users" if audience is Audience.OWNER else "Only for the main account"
        assert (page.status, page.find("h1").text) == (403, heading), route


@pytest.mark.parametrize("audience", Audience)
def test_every_form_requires_a_valid_csrf_token(console: AccountConsole, audience: Audience) -> None:
    browser = browser_of(console, audience)
    browser.get("/preferences")
    for route in (route for route in PAGES if route.method == "POST"):
        path = route.path(**{name: uuid4() for name in route.parameters})
        for data in ({}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "\u00e9"}):
            page = browser.post(path, data)
            assert (page.status, page.find("h1").text) == (403, "This form has expired"), route
