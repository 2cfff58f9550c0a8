"""Takes screenshots: those in docs/screenshots, and one of every page in each theme, width and language.

Run with `make screenshots`. Needs a Chromium, like the browser tests. Those of docs/screenshots show the demo account
of a first start. The others are in build/screenshots, which Git ignores, to look at after a change of the design.
"""

from __future__ import annotations

import re
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.browser import chromium
from tests.browser.actors import log_in
from tests.browser.gallery import VIEWS, Gallery
from tests.browser.service import run_service
from tests.processes.deployment import traversable_folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.service import RunningService

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "docs" / "screenshots"
GALLERY_FOLDER = PROJECT / "build" / "screenshots"
GALLERY_WIDTHS = (1440, 1024, 360)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
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


def take_gallery(service: RunningService, browser: Browser) -> None:
    """Take a screenshot of every page in both languages and themes, in three widths."""
    visits = chromium.Visits(browser, service.url)
    gallery = Gallery(service, visits)
    GALLERY_FOLDER.mkdir(parents=True, exist_ok=True)
    for view in VIEWS:
        for language in ("en", "it"):
            page = gallery.show(view, visits, language=language)
            for width, theme in product(GALLERY_WIDTHS, THEMES):
                page.set_viewport_size({"width": width, "height": chromium.WIDE["height"]})
                page.emulate_media(color_scheme=theme)
                name = f"{re.sub(r'[^a-z0-9]+', '-', view.name.lower())}-{language}-{width}-{theme}.png"
                page.screenshot(path=GALLERY_FOLDER / name, full_page=True, animations="disabled", caret="hide")
            page.context.close()
    print(f"every page: {GALLERY_FOLDER}")


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
        take(owner, "edit", str(owner.locator("tbody a[href$='/edit']").first.get_attribute("href")))
        take(owner, "roles", "/roles")
        take(owner, "monitoring", "/monitoring")
        visits.close()
        take_gallery(service, browser)


if __name__ == "__main__":
    main()
