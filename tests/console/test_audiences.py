"""Console pages and the audiences that may open them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.console.current_user import Audience
from tests.api.clients import TEMPORARY_PASSWORD
from tests.api.route_table import routes
from tests.api.second_factors import OwnSession

if TYPE_CHECKING:
    from tests.api.route_table import Route
    from tests.console.browsing import Browser
    from tests.console.conftest import AccountConsole

PAGES = [route for route in routes() if route.audiences is not None]
PUBLIC_PAGES = {
    "GET /",
    "GET /assets/{version}/{name}",
    "GET /forgotten-password",
    "GET /forgotten-password/requested",
    "POST /forgotten-password",
    "GET /login",
    "POST /login",
    "POST /login/passkey",
    "POST /login/passkey-challenge",
    "GET /branding/{version}/accent.css",
    "GET /branding/{version}/logo",
    "GET /mailbox",
    "GET /mailbox/{mail_id}",
    "GET /mailbox/{mail_id}/body",
    "GET /preferences",
    "POST /preferences",
}
"""Pages that need no login. The mailbox checks the client's address instead."""

LINKS = (
    *("/console/link/{secret}", "/invitation/{secret}", "/password-reset/{secret}"),
    *("/email-confirmation/{secret}", "/email-undo/{secret}"),
)
"""Links that the portal creates or that are mailed. Their secret is checked instead of a login."""


def browser_of(console: AccountConsole, audience: Audience) -> Browser:
    """Return the browser of a visitor of the audience."""
    if audience is Audience.ANONYMOUS:
        return console.browser()
    if audience is Audience.OWNER:
        return console.owner()
    if audience is Audience.SUB_USER:
        return console.sub_user()
    if audience is Audience.STEP_UP:
        return step_up_browser(console)
    return console.sub_user(console.account.create_active(), password=TEMPORARY_PASSWORD)


def step_up_browser(console: AccountConsole) -> Browser:
    """Return the browser of a sub-user who has a second factor, and has only given the password."""
    sub_user = console.account.create_with_own_password()
    OwnSession(console.account.portal, sub_user.new_token()).add_totp()
    return console.sub_user(sub_user)


def test_public_pages_are_listed() -> None:
    """All other pages require a login."""
    public_pages = {str(route) for route in PAGES if Audience.ANONYMOUS in (route.audiences or ())}
    assert {name for name in public_pages if not name.endswith(LINKS)} == PUBLIC_PAGES


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
    elif audience is Audience.STEP_UP:
        assert (page.status, page.path.partition("?")[0]) == (200, "/second-factor"), route
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
            expected = (403, "This form has expired")
            if audience is Audience.ANONYMOUS and audience not in (route.audiences or ()):
                expected = (200, "Log in")  # the form has no effect, and the session may have ended
            assert (page.status, page.find("h1").text) == expected, route
