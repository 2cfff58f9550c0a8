"""Takes the pictures in docs/screenshots: of the demo that a first start comes with.

Run by `make screenshots`; needs a Chromium, as the tests do.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser import chromium
from tests.browser.people import log_in
from tests.browser.service import shown
from tests.processes.deployment import an_open_folder

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
LARGEST = 200_000
"""Bytes that a picture in the README may have."""

TALL_PHONE = {**chromium.PHONE, "height": 2 * chromium.PHONE["height"]}
"""Shows what a phone shows after some scrolling, too."""


def take(page: Page, name: str, path: str) -> None:
    """Take the picture of a page in each of its looks."""
    page.goto(path)
    for look, dark, size in (
        ("light", False, chromium.WIDE),
        ("dark", True, chromium.WIDE),
        ("phone", False, TALL_PHONE),
    ):
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict of the library's own
        file = FOLDER / f"{name}-{look}.png"
        picture = page.screenshot(path=file, animations="disabled", caret="hide")
        assert len(picture) < LARGEST, (file, len(picture))
        print(file.name, len(picture))


def main() -> None:
    """Take them all."""
    browser_path = chromium.installed()
    if browser_path is None:
        sys.exit(f"needs a Chromium on the PATH, or one that {chromium.GIVEN} names")
    FOLDER.mkdir(exist_ok=True)
    with an_open_folder() as folder, shown(folder) as service, chromium.launched(browser_path) as browser:
        visits = chromium.Visits(browser, service.url)
        take(visits.new(), "login", "/login?as=sub-user")
        owner = visits.new()
        log_in(owner, service.email, service.password)
        take(owner, "list", "/sub-users")
        take(owner, "edit", str(owner.get_by_role("link", name="Edit Ada Lovelace").get_attribute("href")))
        take(owner, "monitoring", "/monitoring")
        visits.close()


if __name__ == "__main__":
    main()
