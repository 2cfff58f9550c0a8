"""The installed Chromium, and pages whose errors are recorded."""

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

BROWSER_VARIABLE = "SUBUSERS_TEST_BROWSER"
"""Environment variable with the path of the browser, if it is not on the PATH."""

COMMANDS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # unavailable to root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 15_000
"""Limit for any single wait, in milliseconds."""

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}


def find_browser() -> str | None:
    """Return the path of the browser, or None if there is none."""
    return os.environ.get(BROWSER_VARIABLE) or next(
        (path for command in COMMANDS if (path := shutil.which(command))), None
    )


@contextmanager
def launch_browser(path: str) -> Iterator[Browser]:
    """Yield a running browser."""
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class ErrorRecorder:
    """Records errors in the browser's pages: failed scripts, failed loads and policy violations."""

    _errors: list[str] = field(default_factory=list)
    _failed_loads: list[tuple[str, str]] = field(default_factory=list)
    _page_urls: set[str] = field(default_factory=set)

    def watch(self, context: BrowserContext) -> None:
        """Record errors in all pages of a context, including those opened later."""
        context.on("weberror", lambda error: self._errors.append(f"{error.page}: {error.error}"))
        context.on("console", self._on_console)
        context.on("response", self._on_response)

    def all_errors(self) -> list[str]:
        """Return all errors, except failed loads of whole pages: tests open error pages on purpose."""
        return self._errors + [text for url, text in self._failed_loads if url not in self._page_urls]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        text = f"{message.page.url if message.page else ''}: {message.text}"
        if message.text.startswith("Failed to load resource"):
            self._failed_loads.append((message.location["url"], text))
        else:
            self._errors.append(text)

    def _on_response(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self._page_urls.add(response.url)


@dataclass(frozen=True)
class Visits:
    """Opens pages of a service, each in a browser context with its own cookies."""

    browser: Browser
    base_url: str
    error_recorder: ErrorRecorder = field(default_factory=ErrorRecorder)

    def new_page(self, *, phone: bool = False, dark: bool = False, language: str = "en", **options: Any) -> Page:
        """Return an empty page in a new context. Further options are those of Playwright's contexts."""
        context = self.browser.new_context(
            base_url=self.base_url,
            viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]  # the library's own TypedDict
            color_scheme="dark" if dark else "light",
            locale=language,
            timezone_id="Europe/Rome",
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(TIMEOUT_MS)
        self.error_recorder.watch(context)
        return context.new_page()

    def close(self) -> None:
        """Close all contexts."""
        for context in list(self.browser.contexts):
            context.close()
