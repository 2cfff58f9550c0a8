"""Error pages of the console."""

from __future__ import annotations

import re
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest

from api.console.blueprint import MAX_FORM_BYTES
from api.http.problems import TITLES
from api.presentation.translations import LANGUAGES, has_text, load_texts
from api.server.limits import MAX_BODY_BYTES
from application.errors import StoreUnavailable, TooManyAttempts
from domain.refusals import SubUserLimitReached
from tests.api.clients import require_problem
from tests.api.test_database_faults import database_unavailable
from tests.console.browsing import HTML
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.console.browsing import Page
    from tests.console.conftest import AccountConsole

STYLESHEET_LINK = "link[href$='/console.css']"


def require_error_page(page: Page, status: int, title: str) -> None:
    """Require a complete page with this heading and the request id."""
    assert (page.status, page.find("h1").text) == (status, title)
    assert page.find("main .status").text == str(status)
    assert page.find("main code").text == page.response.headers["X-Request-Id"]
    assert len(page.find("main article").select("p")) >= 3
    page.find(STYLESHEET_LINK)
    page.find("main a[href='/']")
    assert "default-src 'none'" in page.response.headers["Content-Security-Policy"]
    assert page.response.headers["Cache-Control"] == "no-store"


@contextmanager
def failing(console: AccountConsole, endpoint: str, error: Exception) -> Iterator[None]:
    """Make the view of an endpoint raise the error until the block ends."""
    views = console.clients.app.view_functions
    view = views[endpoint]

    def fail(**_: Any) -> None:
        raise error

    vars(fail).update(vars(view))
    views[endpoint] = cast("Any", fail)
    try:
        yield
    finally:
        views[endpoint] = view


def test_every_http_error_is_translated() -> None:
    for language in LANGUAGES:
        for status in TITLES:
            assert has_text(language, f"errors.http-{status.value}.title"), status
            assert has_text(language, f"errors.http-{status.value}.explanation"), status
    assert {key for key in load_texts("en") if key.startswith("errors.")} == {
        key for key in load_texts("it") if key.startswith("errors.")
    }


@pytest.mark.parametrize(
    ("error", "status", "title", "retry_text"),
    [
        (SubUserLimitReached(), 409, "This has changed", None),
        (TooManyAttempts(30), 429, "Too many attempts", "Try again in 30 seconds."),
        (TooManyAttempts(0.1), 429, "Too many attempts", "Try again in one second."),
        (TooManyAttempts(899.5), 429, "Too many attempts", "Try again in 15 minutes."),
        (StoreUnavailable(), 503, "Temporarily unavailable", "Try again in one second."),
        (ZeroDivisionError("an internal"), 500, "Something went wrong", None),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "an internal"), 500, "Something went wrong", None),
    ],
)
def test_error_page_explains_the_error_without_internals(
    console: AccountConsole, error: Exception, status: int, title: str, retry_text: str | None
) -> None:
    """The page says when to retry, if that helps."""
    browser = console.owner()
    with failing(console, "console.usage", error):
        page = browser.get("/usage")
    require_error_page(page, status, title)
    assert ("Try again in" in page.text) == (retry_text is not None) == ("Retry-After" in page.response.headers)
    assert retry_text is None or retry_text in page.text
    assert "an internal" not in page.response.text
    assert "Error" not in page.text
    assert page.find("header nav")


def test_owner_page_is_refused_to_sub_users(console: AccountConsole) -> None:
    require_error_page(console.sub_user().get("/usage"), 403, "Only for the main account")


def test_unknown_path_returns_404_as_page_or_problem(console: AccountConsole) -> None:
    """Browsers get a page, other clients a problem."""
    for browser in (console.browser(), console.owner(), console.sub_user()):
        for path in ("/no-such-page", "/sub-users/", "/login/", "/%00", "/%ff", "/" + "x" * 5000):
            require_error_page(browser.get(path), 404, "Page not found")
    for accept in ("application/json", "*/*", "", "application/problem+json", "image/png"):
        response = console.clients.anonymous.get("/no-such-page", headers={"Accept": accept})
        require_problem(response, 404, "not-found")


def test_not_found_page_shows_the_menu_of_the_current_user(console: AccountConsole) -> None:
    """This includes the URL of a form that is opened as a page."""
    for path in ("/no-such-page", "/logout"):
        assert console.owner().get(path).find("header nav a[href='/account']")
        assert console.sub_user().get(path).find("header nav a[href='/profile']")


def test_not_found_page_works_without_database(own_console: AccountConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = own_console.owner()

    def unavailable(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(type(own_console.clients.service.queries.sessions), "find", unavailable)

    require_error_page(browser.get("/no-such-page"), 404, "Page not found")


@pytest.mark.parametrize("path", ["/v1/no-such-thing", "/v1/", "/docs/no-such-file", "/assets/none", "/metrics/x"])
def test_api_paths_answer_with_a_problem_even_to_browsers(console: AccountConsole, path: str) -> None:
    require_problem(console.clients.anonymous.get(path, headers={"Accept": HTML}), 404, "not-found")


def test_unknown_asset_returns_404(console: AccountConsole) -> None:
    """This includes path traversal."""
    for path in ("/assets/x/none.css", "/assets/x/../pages.py", "/assets/x/%2e%2e/pages.py", "/assets/x/vendor"):
        response = console.clients.anonymous.get(path, headers={"Accept": HTML})
        assert response.status_code == 404


def test_unknown_sub_user_page_returns_404(console: AccountConsole) -> None:
    require_error_page(console.owner().get(f"/sub-users/{uuid4()}/edit"), 404, "Sub-user not found")


def test_get_on_a_form_url_returns_405(console: AccountConsole) -> None:
    """Browsers get a page, other clients a problem with `Allow`. Methods without a route get 405 too."""
    require_error_page(console.browser().get("/logout"), 405, "This page can't be opened directly")
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        response = console.clients.anonymous.request(method, "/login")
        require_problem(response, 405, "method-not-allowed")
        assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_head_is_get_without_the_body(console: AccountConsole) -> None:
    for path in ("/", "/login", "/preferences", "/usage", "/no-such-page", "/mailbox"):
        get, head = (
            console.clients.anonymous.request(method, path, headers={"Accept": HTML}) for method in ("GET", "HEAD")
        )
        assert head.data == b""
        assert head.status_code == get.status_code
        assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_oversized_form_returns_413(console: AccountConsole) -> None:
    """The form, one value or the number of fields is too large."""
    browser = console.browser()
    browser.get("/login")
    for data in (
        {"email": "x" * MAX_FORM_BYTES},
        {"email": "x" * (MAX_BODY_BYTES + 1)},
        {f"field-{number}": "" for number in range(MAX_FORM_BYTES // 12)},
    ):
        page = browser.post("/login", data)
        require_error_page(page, 413, "Too much data")


def test_body_that_is_not_a_form_is_refused(console: AccountConsole) -> None:
    """Such bodies have no CSRF token."""
    headers = {"Accept": HTML, "Accept-Language": "en"}
    for content_type, body in (
        ("application/json", b"{"),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nhalf"),
        ("application/x-www-form-urlencoded", b"%ff%00=\xff\x00&&&==="),
        ("application/x-www-form-urlencoded; charset=no-such", b"csrf=x"),
        ("", b"csrf=x"),
    ):
        response = console.clients.anonymous.request(
            "POST", "/login", headers={**headers, "Content-Type": content_type}, data=body
        )
        assert response.status_code in {400, 403}, content_type
        assert response.content_type == "text/html; charset=utf-8"


def test_malformed_cookies_are_ignored(console: AccountConsole) -> None:
    browser = console.browser()
    for value in ("", "x", "\u00e9", "../../etc", "x" * 3000, "W10.aaaa.bbbb"):
        for name in ("session", "form", "notice", "language", "time-zone"):
            browser.set_cookie(f"__Host-subusers-{name}", value)
        browser.set_cookie("subusers-browser-time-zone", value)
        assert browser.get("/login").status == 200
        require_error_page(browser.get("/no-such-page"), 404, "Page not found")


def test_error_page_uses_the_browser_language(console: AccountConsole) -> None:
    page = console.browser(language="it-IT,it;q=0.9").get("/no-such-page")
    require_error_page(page, 404, "Pagina non trovata")
    assert page.find("html")["lang"] == "it"


def test_pages_return_503_without_database_and_recover(
    own_console: AccountConsole, server_url: str, database_url: str
) -> None:
    browser, anonymous_browser = own_console.owner(), own_console.browser()
    form = anonymous_browser.get("/login")
    with database_unavailable(server_url, database_url):
        for page in (browser.get("/sub-users"), anonymous_browser.submit(form, email="a@b.example", password="x")):
            require_error_page(page, 503, "Temporarily unavailable")
            assert re.fullmatch(r"\d+", page.response.headers["Retry-After"])
            asset = str(page.find(STYLESHEET_LINK)["href"])
            assert own_console.clients.anonymous.get(asset).status_code == HTTPStatus.OK
        require_error_page(anonymous_browser.get("/no-such-page"), 404, "Page not found")
        assert anonymous_browser.get("/login").status == 200
    eventually(lambda: browser.get("/usage").status == HTTPStatus.OK)
