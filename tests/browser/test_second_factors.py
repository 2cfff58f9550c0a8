"""Second factors in the browser: an authenticator app, a passkey of Chromium's virtual authenticator, and recovery."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyotp
import pytest
from playwright.sync_api import expect

from tests.browser.actors import SUCCESS_MESSAGE, log_in, log_in_as_sub_user, log_out
from tests.browser.chromium import Visits
from tests.browser.service import OWNER_PASSWORD, run_service
from tests.processes.deployment import traversable_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.browser.service import RunningService
    from tests.processes.portal import Company, SubUserHandle

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
"""A device with a fingerprint reader, whose user always agrees."""


@pytest.fixture(scope="module")
def named_service(browser: Browser) -> Iterator[RunningService]:
    """A service with a host name: passkeys need one."""
    with traversable_folder() as folder, run_service(folder, host="localhost") as service:
        yield service


@pytest.fixture
def pages(browser: Browser, named_service: RunningService) -> Iterator[Visits]:
    """Open pages of the service. Errors in them fail the test."""
    visits = Visits(browser, named_service.url.replace("127.0.0.1", "localhost"))
    yield visits
    visits.close()
    assert not visits.error_recorder.all_errors()


def add_app(page: Page) -> tuple[pyotp.TOTP, list[str]]:
    """Add an authenticator app; return it with the recovery codes that the page shows."""
    page.goto("/sign-in-security")
    page.get_by_role("button", name="Add an authenticator app").click()
    expect(page.get_by_role("img", name="QR code for the authenticator app")).to_be_visible()
    app = pyotp.TOTP(page.locator("#secret").inner_text())
    page.get_by_label("Code that the app shows").fill(app.at(datetime.now(UTC), counter_offset=-1))
    page.get_by_role("button", name="CONFIRM").click()
    codes = page.locator(".recovery-codes code")
    expect(codes).to_have_count(10)
    return app, codes.all_inner_texts()


def add_authenticator(page: Page) -> None:
    """Give the browser a virtual authenticator."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})


def give_password(page: Page, company: Company, sub_user: SubUserHandle | None) -> None:
    """Log in with the password, as the sub-user or as the owner (None)."""
    if sub_user is not None:
        log_in_as_sub_user(page, company.email, sub_user.email, sub_user.password)
        return
    page.goto("/login")
    page.get_by_label("Main account email").fill(company.email)
    page.get_by_label("Password", exact=True).fill(OWNER_PASSWORD)
    page.get_by_role("button", name="LOG IN").click()


def require_start(page: Page, sub_user: SubUserHandle | None) -> None:
    """Require the first page of a person who is logged in."""
    heading = "Sub-User Management" if sub_user is None else "Grace Hopper"
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


@pytest.mark.long
@pytest.mark.parametrize("is_owner", [False, True], ids=["sub-user", "owner"])
def test_story_of_a_second_factor(named_service: RunningService, pages: Visits, is_owner: bool) -> None:
    """A code, a recovery code, a passkey after the password and instead of it, and the reset by the owner."""
    company = named_service.register_company()
    sub_user = None if is_owner else company.add_with_own_password()
    page = pages.new_page()
    give_password(page, company, sub_user)
    require_start(page, sub_user)
    app, codes = add_app(page)

    for code in (app.now(), codes[0]):
        page = pages.new_page()
        give_password(page, company, sub_user)
        expect(page.get_by_role("heading", level=1)).to_have_text("Second factor")
        page.get_by_label("Code").fill(code)
        page.get_by_role("button", name="CONTINUE").click()
        require_start(page, sub_user)

    add_authenticator(page)
    page.goto("/sign-in-security")
    page.get_by_label("Name of the passkey").fill("This browser")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(SUCCESS_MESSAGE)).to_have_text("The second factor is added.")
    expect(page.get_by_role("row", name="This browser")).to_contain_text("instead of the password")

    log_out(page)
    give_password(page, company, sub_user)
    page.get_by_role("button", name="Use a passkey").click()
    require_start(page, sub_user)
    log_out(page)
    page.goto("/login" if is_owner else "/login?as=sub-user")
    page.get_by_role("button", name="Use a passkey").click()
    require_start(page, sub_user)

    if sub_user is not None:
        owner = pages.new_page()
        log_in(owner, company.email, OWNER_PASSWORD)
        owner.goto(f"/sub-users/{sub_user.sub_user_id}")
        owner.get_by_role("link", name="Reset second factor").click()
        owner.get_by_role("button", name="Reset second factor").click()
        expect(owner.locator(SUCCESS_MESSAGE)).to_contain_text("are removed")
        give_password(page, company, sub_user)
        require_start(page, sub_user)
