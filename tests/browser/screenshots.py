"""Takes the screenshots in docs/screenshots. They show the demo account of a first start.

Run with `make screenshots`. Needs a Chromium, like the browser tests.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser import chromium
from tests.browser.actors import log_in
from tests.browser.service import run_service
from tests.processes.deployment import traversable_folder

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
MAX_BYTES = 200_000
"""Size limit of a screenshot, in bytes."""

TALL_PHONE = {**chromium.PHONE, "height": 2 * chromium.PHONE["height"]}
"""Includes the part of the page that a phone shows after scrolling."""


def take(page: Page, name: str, path: str) -> None:
    """Take a screenshot of a page in each variant."""
    page.goto(path)
    for variant, dark, size in (
        ("light", False, chromium.WIDE),
        ("dark", True, chromium.WIDE),
        ("phone", False, TALL_PHONE),
    ):
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.set_viewport_size(size)  # type: ignore[arg-type]  # the library's own TypedDict
        file = FOLDER / f"{name}-{variant}.png"
        image = page.screenshot(path=file, animations="disabled", caret="hide")
        assert len(image) < MAX_BYTES, (file, len(image))
        print(file.name, len(image))


def main() -> None:
    """Take all screenshots."""
    browser_path = chromium.find_browser()
    if browser_path is None:
        sys.exit(f"needs a Chromium on the PATH, or one that {chromium.BROWSER_VARIABLE} names")
    FOLDER.mkdir(exist_ok=True)
    with (
        traversable_folder() as folder,
        run_service(folder) as service,
        chromium.launch_browser(browser_path) as browser,
    ):
        visits = chromium.Visits(browser, service.url)
        take(visits.new_page(), "login", "/login?as=sub-user")
        owner = visits.new_page()
        log_in(owner, service.email, service.password)
        take(owner, "list", "/sub-users")
        take(owner, "edit", str(owner.get_by_role("link", name="Edit Ada Lovelace").get_attribute("href")))
        take(owner, "roles", "/roles")
        take(owner, "monitoring", "/monitoring")
        visits.close()


if __name__ == "__main__":
    main()
