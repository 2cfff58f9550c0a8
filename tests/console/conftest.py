"""Fixtures of the console tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.clients import OWN_PASSWORD, Account, ApiClients, SubUser
from tests.console.browsing import Browser

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER_PASSWORD = "the owner keeps this one"


@dataclass(frozen=True)
class AccountConsole:
    """An account whose owner has a password, and browsers for its users."""

    clients: ApiClients
    account: Account

    @classmethod
    def register(cls, clients: ApiClients, **details: Any) -> AccountConsole:
        """Register an account whose owner has a password, and return it."""
        return cls(clients, clients.register_account(password=OWNER_PASSWORD, **details))

    def browser(self, **options: Any) -> Browser:
        """Return the browser of an anonymous visitor."""
        return Browser(self.clients.app, **options)

    def owner(self, **options: Any) -> Browser:
        """Return the browser of the owner, logged in."""
        browser = self.browser(**options)
        page = browser.log_in(self.account.email, OWNER_PASSWORD)
        assert page.status == 200, page.text
        return browser

    def sub_user(self, sub_user: SubUser | None = None, password: str = OWN_PASSWORD, **options: Any) -> Browser:
        """Return the browser of a sub-user, logged in: by default a new one who has chosen their own password."""
        sub_user = sub_user or self.account.create_with_own_password()
        browser = self.browser(**options)
        page = browser.log_in_as_sub_user(self.account.email, sub_user.email, password)
        assert page.status == 200, page.text
        return browser


@pytest.fixture
def console(clients: ApiClients) -> AccountConsole:
    """A new account in the service shared by the tests."""
    return AccountConsole.register(clients)


@pytest.fixture
def own_console(own_clients: ApiClients) -> AccountConsole:
    """A new account in a service with its own database and clock."""
    return AccountConsole.register(own_clients)


@pytest.fixture
def new_console(clients: ApiClients) -> Callable[..., AccountConsole]:
    """Function that registers further accounts with the given details."""
    return lambda **details: AccountConsole.register(clients, **details)
