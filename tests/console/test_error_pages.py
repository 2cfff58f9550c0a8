"""What visitors are shown where something is wrong."""

from __future__ import annotations

import re
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest

from api.console.language import LANGUAGES, can_say, words
from api.console.site import LARGEST_FORM
from api.http.bodies import LARGEST_BODY
from api.http.problems import TITLES
from application.errors import StoreUnavailable, TooManyAttempts
from domain.refusals import SubUserLimitReached
from tests.api.callers import require_problem
from tests.api.test_database_faults import gone
from tests.console.browsing import HTML
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.console.browsing import Page
    from tests.console.conftest import House

STYLED = "link[href$='/console.css']"


def require_error_page(page: Page, status: int, title: str) -> None:
    """Require a whole page with this heading, and the request's id for whoever is asked for help."""
    assert (page.status, page.find("h1").text) == (status, title)
    assert page.find("main .status").text == str(status)
    assert page.find("main code").text == page.response.headers["X-Request-Id"]
    assert len(page.find("main article").select("p")) >= 3
    page.find(STYLED)
    page.find("main a[href='/']")
    assert "default-src 'none'" in page.response.headers["Content-Security-Policy"]
    assert page.response.headers["Cache-Control"] == "no-store"


@contextmanager
def failing(house: House, endpoint: str, error: Exception) -> Iterator[None]:
    """Have a page fail like this."""
    views = house.doors.app.view_functions
    view = views[endpoint]

    def fail(**_: Any) -> None:
        raise error

    vars(fail).update(vars(view))
    views[endpoint] = cast("Any", fail)
    try:
        yield
    finally:
        views[endpoint] = view


def test_every_error_that_there_can_be_has_its_words() -> None:
    """In every language."""
    for language in LANGUAGES:
        for status in TITLES:
            assert can_say(language, f"errors.http-{status.value}.title"), status
            assert can_say(language, f"errors.http-{status.value}.explanation"), status
    assert {key for key in words("en") if key.startswith("errors.")} == {
        key for key in words("it") if key.startswith("errors.")
    }


@pytest.mark.parametrize(
    ("error", "status", "title", "wait"),
    [
        (SubUserLimitReached(), 409, "That does not fit any more", None),
        (TooManyAttempts(30), 429, "Too many attempts", "Try again in 30 seconds."),
        (TooManyAttempts(0.1), 429, "Too many attempts", "Try again in a second."),
        (TooManyAttempts(899.5), 429, "Too many attempts", "Try again in 15 minutes."),
        (StoreUnavailable(), 503, "Not just now", "Try again in a second."),
        (ZeroDivisionError("an inside"), 500, "Something went wrong here", None),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "an inside"), 500, "Something went wrong here", None),
    ],
)
def test_an_error_is_told_in_plain_words(
    house: House, error: Exception, status: int, title: str, wait: str | None
) -> None:
    """With when to try again, where that helps, and nothing of the insides."""
    browser = house.owner()
    with failing(house, "console.usage", error):
        page = browser.get("/usage")
    require_error_page(page, status, title)
    assert ("Try again in" in page.text) == (wait is not None) == ("Retry-After" in page.response.headers)
    assert wait is None or wait in page.text
    assert "inside" not in page.response.text
    assert "Error" not in page.text
    assert page.find("header nav")


def test_the_owner_s_pages_are_not_for_a_sub_user(house: House) -> None:
    require_error_page(house.sub_user().get("/usage"), 403, "Only for the main account")


def test_a_page_that_there_is_not(house: House) -> None:
    """For people a page, whoever they are, and for programs a problem."""
    for browser in (house.browser(), house.owner(), house.sub_user()):
        for path in ("/no-such-page", "/sub-users/", "/login/", "/%00", "/%ff", "/" + "x" * 5000):
            require_error_page(browser.get(path), 404, "Nothing here")
    for accept in ("application/json", "*/*", "", "application/problem+json", "image/png"):
        answer = house.doors.stranger.get("/no-such-page", headers={"Accept": accept})
        require_problem(answer, 404, "not-found")


def test_a_page_that_there_is_not_has_the_menu_that_it_speaks_of(house: House) -> None:
    """Of whoever is logged in; also where a form's address is opened as a page."""
    for path in ("/no-such-page", "/logout"):
        assert house.owner().get(path).find("header nav a[href='/account']")
        assert house.sub_user().get(path).find("header nav a[href='/profile']")


def test_a_page_that_there_is_not_needs_no_database(own_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = own_house.owner()

    def unavailable(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(type(own_house.doors.service.open_sessions), "find", unavailable)

    require_error_page(browser.get("/no-such-page"), 404, "Nothing here")


@pytest.mark.parametrize("path", ["/v1/no-such-thing", "/v1/", "/docs/no-such-file", "/assets/none", "/metrics/x"])
def test_where_nobody_looks_for_a_page_there_is_none(house: House, path: str) -> None:
    """Even if a person does."""
    require_problem(house.doors.stranger.get(path, headers={"Accept": HTML}), 404, "not-found")


def test_an_asset_that_there_is_not(house: House) -> None:
    """404 too, and none leads out of its folder."""
    for path in ("/assets/x/none.css", "/assets/x/../pages.py", "/assets/x/%2e%2e/pages.py", "/assets/x/vendor"):
        answer = house.doors.stranger.get(path, headers={"Accept": HTML})
        assert answer.status_code == 404


def test_a_sub_user_that_there_is_not(house: House) -> None:
    require_error_page(house.owner().get(f"/sub-users/{uuid4()}/edit"), 404, "No such sub-user")


def test_an_address_that_takes_forms_alone(house: House) -> None:
    """405 with what it takes, as a page for people and as a problem for programs; OPTIONS is no exception."""
    require_error_page(house.browser().get("/logout"), 405, "Not in this way")
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        answer = house.doors.stranger.ask(method, "/login")
        require_problem(answer, 405, "method-not-allowed")
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_head_is_get_without_the_body(house: House) -> None:
    """The same status and headers, of pages and of errors."""
    for path in ("/", "/login", "/preferences", "/usage", "/no-such-page", "/mailbox"):
        got, head = (house.doors.stranger.ask(method, path, headers={"Accept": HTML}) for method in ("GET", "HEAD"))
        assert head.data == b""
        assert head.status_code == got.status_code
        assert head.headers["Content-Type"] == got.headers["Content-Type"]


def test_a_form_that_is_too_large(house: House) -> None:
    """413, whether it is its whole, one of its values or the number of them."""
    browser = house.browser()
    browser.get("/login")
    for data in (
        {"email": "x" * LARGEST_FORM},
        {"email": "x" * (LARGEST_BODY + 1)},
        {f"field-{number}": "" for number in range(LARGEST_FORM // 12)},
    ):
        page = browser.post("/login", data)
        require_error_page(page, 413, "Too much at once")


def test_a_form_that_is_none_is_not_taken(house: House) -> None:
    """Bodies of other kinds have no token in them."""
    headers = {"Accept": HTML, "Accept-Language": "en"}
    for kind, body in (
        ("application/json", b"{"),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nhalf"),
        ("application/x-www-form-urlencoded", b"%ff%00=\xff\x00&&&==="),
        ("application/x-www-form-urlencoded; charset=no-such", b"csrf=x"),
        ("", b"csrf=x"),
    ):
        answer = house.doors.stranger.ask("POST", "/login", headers={**headers, "Content-Type": kind}, data=body)
        assert answer.status_code in {400, 403}, kind
        assert answer.content_type == "text/html; charset=utf-8"


def test_odd_cookies_break_nothing(house: House) -> None:
    """None of ours is ever believed to be what it was."""
    browser = house.browser()
    for odd in ("", "x", "\u00e9", "../../etc", "x" * 3000, "W10.aaaa.bbbb"):
        for name in ("session", "form", "notice", "language", "time-zone"):
            browser.set_cookie(f"__Host-subusers-{name}", odd)
        browser.set_cookie("subusers-browser-time-zone", odd)
        assert browser.get("/login").status == 200
        require_error_page(browser.get("/no-such-page"), 404, "Nothing here")


def test_it_speaks_the_visitor_s_language(house: House) -> None:
    page = house.browser(language="it-IT,it;q=0.9").get("/no-such-page")
    require_error_page(page, 404, "Qui non c'è nulla")
    assert page.find("html")["lang"] == "it"


def test_without_the_database(own_house: House, server_url: str, database_url: str) -> None:
    """503 for whoever is logged in and whoever logs in, with a page that looks as ever, and then all is well again."""
    browser, stranger = own_house.owner(), own_house.browser()
    form = stranger.get("/login")
    with gone(server_url, database_url):
        for page in (browser.get("/sub-users"), stranger.submit(form, email="a@b.example", password="x")):
            require_error_page(page, 503, "Not just now")
            assert re.fullmatch(r"\d+", page.response.headers["Retry-After"])
            asset = str(page.find(STYLED)["href"])
            assert own_house.doors.stranger.get(asset).status_code == HTTPStatus.OK
        require_error_page(stranger.get("/no-such-page"), 404, "Nothing here")
        assert stranger.get("/login").status == 200
    eventually(lambda: browser.get("/usage").status == HTTPStatus.OK)
