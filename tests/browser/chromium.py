"""The machine's own Chromium, and pages in it that are watched for anything it complains of."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response

GIVEN = "SUBUSERS_TEST_BROWSER"
"""Names the browser to use, where it is not one of these on the PATH."""

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 15_000
"""Milliseconds that a page may take for anything."""

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}


def installed() -> str | None:
    """Return the path of the browser, None if the machine has none."""
    return os.environ.get(GIVEN) or next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """Lend a running browser."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watch:
    """Notes what the pages of a browser complain of: scripts that fail, and whatever the policy forbids."""

    complaints: list[str] = field(default_factory=list)
    _failed: list[tuple[str, str]] = field(default_factory=list)
    _documents: set[str] = field(default_factory=set)

    def follow(self, context: BrowserContext) -> None:
        """Watch every page of a context, also those that it will open."""
        context.on("weberror", lambda error: self.complaints.append(f"{error.page}: {error.error}"))
        context.on("console", self._hear)
        context.on("response", self._see)

    def all_complaints(self) -> list[str]:
        """Return everything there was. That a page itself is answered 404 is none: the error page is what is shown."""
        return self.complaints + [text for url, text in self._failed if url not in self._documents]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        text = f"{message.page.url if message.page else ''}: {message.text}"
        if message.text.startswith("Failed to load resource"):
            self._failed.append((message.location["url"], text))
        else:
            self.complaints.append(text)

    def _see(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self._documents.add(response.url)


@dataclass(frozen=True)
class Visits:
    """Opens browsers of visitors, each with cookies of its own, at a service."""

    browser: Browser
    base_url: str
    watch: Watch = field(default_factory=Watch)

    def new(self, *, phone: bool = False, dark: bool = False, language: str = "en", **options: Any) -> Page:
        """Return an empty page of a visitor nobody knows; further options are those of Playwright's contexts."""
        context = self.browser.new_context(
            base_url=self.base_url,
            viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]  # a TypedDict of the library's own
            color_scheme="dark" if dark else "light",
            locale=language,
            timezone_id="Europe/Rome",
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(PATIENCE)
        self.watch.follow(context)
        return context.new_page()

    def close(self) -> None:
        """Close all of them."""
        for context in list(self.browser.contexts):
            context.close()
