"""Browser without scripts: keeps cookies, follows redirects and submits the forms on a page."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bs4 import Tag
    from flask import Flask
    from werkzeug.test import TestResponse

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


@dataclass(frozen=True)
class Page:
    """A page as the browser shows it."""

    response: TestResponse
    path: str
    soup: BeautifulSoup

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def text(self) -> str:
        """Text of the page's main part, with single spaces."""
        return " ".join(self.find("main").get_text(" ").split())

    @property
    def success_message(self) -> str:
        """Message that the last command succeeded, or an empty string."""
        message = self.soup.select_one("#messages > .notice")
        return " ".join(message.get_text(" ").split()) if message else ""

    def find(self, selector: str) -> Tag:
        """Return the only element that matches the CSS selector."""
        matches = self.soup.select(selector)
        assert len(matches) == 1, (selector, len(matches), self.status, str(self.soup)[:3000])
        return matches[0]

    def error(self, field: str) -> str:
        """Return the error message at a field, or an empty string."""
        message = self.soup.select_one(f"#{field}-error")
        return message.get_text(" ", strip=True) if message else ""

    def form(self, action: str | None = None) -> Tag:
        """Return the only visible form of the main part, or the form whose action ends with the given path."""
        forms = [
            form
            for form in self.soup.select("main form, header form" if action else "main form:not([hidden])")
            if action is None or urlsplit(str(form.get("action") or self.path)).path.endswith(action)
        ]
        assert len(forms) == 1, (action, [str(form.get("action")) for form in forms], self.text[:500])
        return forms[0]


class Browser:
    """A visitor's browser."""

    def __init__(
        self, app: Flask, language: str = "en", address: str = "198.51.100.7", host: str = "portal.example"
    ) -> None:
        self._client = app.test_client()
        self._headers = {"Accept": HTML, "Accept-Language": language, "User-Agent": FIREFOX}
        self._environment = {"REMOTE_ADDR": address}
        self._base_url = f"https://{host}"

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Page:
        """Open a URL and follow redirects."""
        return self._open(path, headers=headers)

    def submit(
        self, page: Page, action: str | None = None, /, *, leave_out: tuple[str, ...] = (), **fields: Any
    ) -> Page:
        """Submit a form of the page with its values, overridden by `fields`. True checks a box, False unchecks it."""
        form = page.form(action)
        values = {name: value for name, value in _values(form).items() if name not in leave_out}
        for name, value in fields.items():
            assert form.select(f'[name="{name}"]'), (name, str(form))
            if value is False:
                values.pop(name, None)
            else:
                values[name] = "on" if value is True else value
        target = str(form.get("action") or page.path)
        if str(form.get("method", "get")).lower() == "get":
            return self._open(target.partition("?")[0], query_string=values)
        return self._open(target, method="POST", data=values)

    def submit_file(self, page: Page, content: bytes, name: str = "people.csv") -> Page:
        """Submit the form of the page with a file in its field `file`."""
        form = page.form()
        assert form["enctype"] == "multipart/form-data"
        return self._open(str(form["action"]), method="POST", data={**_values(form), "file": (BytesIO(content), name)})

    def post(self, path: str, data: Mapping[str, Any] | bytes, headers: Mapping[str, str] | None = None) -> Page:
        """Post form data, or raw bytes, that come from no page."""
        content_type = "application/x-www-form-urlencoded"
        return self._open(path, method="POST", data=data, headers=headers, content_type=content_type)

    def cookie(self, suffix: str) -> str | None:
        """Return the value of the cookie `__Host-subusers-{suffix}`."""
        cookie = self._client.get_cookie(f"__Host-subusers-{suffix}", domain=urlsplit(self._base_url).netloc)
        return cookie.value if cookie else None

    def set_cookie(self, name: str, value: str) -> None:
        """Set a cookie by its full name."""
        self._client.set_cookie(name, value, domain=urlsplit(self._base_url).netloc, secure=True)

    def log_in(self, email: str, password: str) -> Page:
        """Log in as an account's owner."""
        return self.submit(self.get("/login"), email=email, password=password)

    def log_in_as_sub_user(self, account_email: str, email: str, password: str) -> Page:
        """Log in as a sub-user."""
        form = self.get("/login?as=sub-user")
        return self.submit(form, account_email=account_email, email=email, password=password)

    def download(self, path: str, headers: Mapping[str, str] | None = None) -> TestResponse:
        """Open a URL that does not have to be a page, and return the response."""
        return self._respond(path, headers)

    def stream(self, path: str) -> Iterator[bytes]:
        """Open a URL, and yield the chunks of the response as they are sent."""
        response = self._client.open(
            path, base_url=self._base_url, headers=self._headers, environ_overrides=self._environment
        )
        assert response.status_code == 200
        return iter(response.iter_encoded())

    def _open(self, path: str, headers: Mapping[str, str] | None = None, **request: Any) -> Page:
        response = self._respond(path, headers, **request)
        query = response.request.query_string.decode()
        final_path = response.request.path + (f"?{query}" if query else "")
        return Page(response, final_path, BeautifulSoup(response.text, "html.parser"))

    def _respond(self, path: str, headers: Mapping[str, str] | None = None, **request: Any) -> TestResponse:
        all_headers = {**self._headers, **(headers or {})}
        return self._client.open(
            path,
            base_url=self._base_url,
            headers=all_headers,
            environ_overrides=self._environment,
            follow_redirects=True,
            buffered=True,
            **request,
        )


def _values(form: Tag) -> dict[str, Any]:
    """Return the values that a browser submits for an untouched form: a list for a name that occurs more than once."""
    values: dict[str, Any] = {}
    for field in form.select("input[name], textarea[name], select[name]"):
        name = str(field["name"])
        if field.has_attr("disabled"):
            continue
        if field.name == "select":
            chosen = field.select_one("option[selected]") or field.select_one("option")
            if chosen is not None:
                values[name] = str(chosen.get("value", chosen.get_text(strip=True)))
        elif field.name == "textarea":
            values[name] = field.get_text()
        elif field.get("type") in {"checkbox", "radio"}:
            if field.has_attr("checked"):
                values[name] = str(field.get("value", "on"))
        elif name in values:
            earlier = values[name] if isinstance(values[name], list) else [values[name]]
            values[name] = [*earlier, str(field.get("value", ""))]
        else:
            values[name] = str(field.get("value", ""))
    return values
