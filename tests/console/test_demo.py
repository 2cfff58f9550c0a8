"""Demo banner in the console, shown only for the demo account."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from api.flask_application import create_app
from tests.console.conftest import AccountConsole

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.console.browsing import Browser

WORD_OF_BANNER = {"en": "invented", "it": "inventate"}


def with_demo(console: AccountConsole, demo: AccountConsole) -> AccountConsole:
    """Return the account in a service whose demo account is `demo`."""
    clients = console.clients
    service = replace(clients.service, demo_account_id=UUID(demo.account.account_id))
    return AccountConsole(replace(clients, service=service, app=create_app(service)), console.account)


def banner(browser: Browser, path: str) -> str:
    """Return the text of the page's demo banner, or an empty string."""
    banner_element = browser.get(path).soup.select_one("main > .demo")
    return banner_element.get_text(" ", strip=True) if banner_element else ""


@pytest.mark.parametrize("language", ["en", "it"])
def test_demo_banner_is_on_every_page_of_the_demo_account(console: AccountConsole, language: str) -> None:
    """Its owner and its sub-users see it. The login page says where to find the password."""
    console.account.portal.patch(console.account.path, json={"language": language})
    demo = with_demo(console, console)
    owner = demo.owner()
    for path in ("/sub-users", "/monitoring", "/usage", "/account", "/no-such-page"):
        assert WORD_OF_BANNER[language] in banner(owner, path), path
    assert WORD_OF_BANNER[language] in banner(demo.sub_user(), "/profile")
    assert "terminal" in demo.browser(language=language).get("/login").text


def test_demo_banner_is_absent_for_other_accounts(
    console: AccountConsole, new_console: Callable[..., AccountConsole]
) -> None:
    """This holds whether or not the service has a demo account."""
    assert not banner(with_demo(console, new_console()).owner(), "/sub-users")
    assert not banner(console.owner(), "/sub-users")
    page = console.browser().get("/login")
    assert not page.soup.select_one("main > .demo")
    assert "terminal" not in page.text
