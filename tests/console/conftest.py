"""What tests of the console share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.callers import OWN, Account, Doors, SubUser
from tests.console.browsing import Browser

if TYPE_CHECKING:
    from collections.abc import Callable

OWNERS_PASSWORD = "the owner keeps this one"


@dataclass(frozen=True)
class House:
    """An account whose owner has a password, and browsers to look at it with."""

    doors: Doors
    account: Account

    @classmethod
    def of(cls, doors: Doors, **details: Any) -> House:
        return cls(doors, doors.account(password=OWNERS_PASSWORD, **details))

    def browser(self, **how: Any) -> Browser:
        """Return the browser of somebody who is not logged in."""
        return Browser(self.doors.app, **how)

    def owner(self, **how: Any) -> Browser:
        """Return the browser of the owner, logged in."""
        browser = self.browser(**how)
        page = browser.log_in(self.account.email, OWNERS_PASSWORD)
        assert page.status == 200, page.text
        return browser

    def sub_user(self, one: SubUser | None = None, password: str = OWN, **how: Any) -> Browser:
        """Return the browser of a sub-user, logged in: by default a new one with a password of their own."""
        one = one or self.account.let_in_settled()
        browser = self.browser(**how)
        page = browser.log_in_as_sub_user(self.account.email, one.email, password)
        assert page.status == 200, page.text
        return browser


@pytest.fixture
def house(doors: Doors) -> House:
    """Give an account that has just been registered, in the service that tests share."""
    return House.of(doors)


@pytest.fixture
def own_house(own_doors: Doors) -> House:
    """Give an account in a service of the test's own, on a database and a clock of its own."""
    return House.of(own_doors)


@pytest.fixture
def new_house(doors: Doors) -> Callable[..., House]:
    """Give what registers accounts with details of the test's choice."""
    return lambda **details: House.of(doors, **details)
