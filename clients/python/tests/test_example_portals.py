"""The three portals of the project's examples, in a browser's place, against a real service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from subusers_client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

EXAMPLES = Path(__file__).parents[3] / "examples"
EXPRESS = EXAMPLES / "express_portal"
MAX_LINES = 60
START_SECONDS = 60
SOURCES = ("flask_portal/portal.py", "django_portal/portal.py", "express_portal/portal.ts")
PASSWORD, OWN_PASSWORD = "first phrase for now", "seven quiet rivers meet"


class HiddenFields(HTMLParser):
    """Collects the hidden fields of a form, such as Django's token against forged requests."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "input" and values.get("type") == "hidden":
            self.values[values["name"] or ""] = values["value"] or ""


class Browser:
    """Keeps cookies and submits the forms of pages. Like browsers, it trusts this host without TLS."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30)

    def get(self, path: str) -> httpx.Response:
        return self.send("GET", path)

    def send(self, method: str, path: str, **fields: str) -> httpx.Response:
        response = self.http.request(method, path, data=fields)
        for cookie in self.http.cookies.jar:
            cookie.secure = False
        return response

    def submit(self, page: str, path: str, **fields: str) -> httpx.Response:
        """Submit the form of a page."""
        form = HiddenFields()
        form.feed(self.get(page).text)
        return self.send("POST", path, **form.values, **fields)

    def session_token(self) -> str:
        (token,) = (cookie.value for cookie in self.http.cookies.jar if "session" in cookie.name)
        assert token is not None
        return token


def started(process: subprocess.Popen[bytes], url: str, output: Path) -> None:
    ends_at = time.monotonic() + START_SECONDS
    while time.monotonic() < ends_at:
        assert process.poll() is None, output.read_text()
        try:
            httpx.get(f"{url}/login", timeout=5)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the portal does not start: {output.read_text()}")


@contextmanager
def running(
    command: Sequence[str], folder: Path, url: str, settings: Mapping[str, str], output: Path
) -> Iterator[None]:
    """Run a portal until the end of the block."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | settings, stdout=file, stderr=file, stdin=subprocess.DEVNULL
        )
    try:
        started(process, url, output)
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def built_express_portal(service: Any) -> None:
    """Generate the types of the service's API, and compile the portal with them."""
    npm = shutil.which("npm")
    if npm is None or not (EXPRESS / "node_modules").exists():
        reason = f"run `npm ci --prefix {EXPRESS}` first"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    environment = os.environ | {"SUBUSERS_URL": service.url}
    built = subprocess.run(
        [npm, "run", "build"], cwd=EXPRESS, env=environment, capture_output=True, text=True, check=False, timeout=110
    )
    assert built.returncode == 0, built.stdout + built.stderr


@pytest.fixture
def credentials(service: Any) -> dict[str, str]:
    """Return the credentials of an active sub-user with a password of their own."""
    unique = uuid4().hex[:12]
    names = {"account_email": f"owner-{unique}@company.example", "email": f"grace-{unique}@company.example"}
    with Client(base_url=service.url, api_key=service.printed("portal")) as client:
        account_id = client.accounts.register(email=names["account_email"], company_name="Company").account_id
        grace = client.sub_users.create(
            account_id=account_id, email=names["email"], name="Grace", surname="Hopper", password=PASSWORD
        )
        client.sub_users.change(account_id=account_id, sub_user_id=grace.sub_user_id, status="active")
        session = client.sessions.log_in(**names, password=PASSWORD, client_ip=None)
        client.sessions.change_password(token=session.token, current_password=PASSWORD, new_password=OWN_PASSWORD)
    return names | {"password": OWN_PASSWORD}


@pytest.fixture(params=["flask", "django", "express"])
def portal(
    request: pytest.FixtureRequest, service: Any, unused_port: Callable[[], int], tmp_path: Path
) -> Iterator[tuple[Browser, str]]:
    """Yield a browser for a portal with an API key of its own, and the key's id."""
    name = f"portal {uuid4().hex}"
    api_key = service.run("api-key", "create", "--scope", "portal", "--name", name).strip()
    match = re.search(rf"^ *(\S+) .*{name}", service.run("api-key", "list"), re.MULTILINE)
    assert match is not None
    port = str(unused_port())
    url = f"http://127.0.0.1:{port}"
    settings = {"SUBUSERS_URL": service.url, "SUBUSERS_API_KEY": api_key, "PORT": port}
    if request.param == "express":
        request.getfixturevalue("built_express_portal")
    commands = {
        "flask": [sys.executable, "-m", "flask", "--app", "portal", "run", "--port", port],
        "django": [sys.executable, "portal.py", "runserver", "--noreload", port],
        "express": ["node", "dist/portal.js"],
    }
    settings |= {f"FLASK_{name}": value for name, value in settings.items()}
    folder = EXAMPLES / f"{request.param}_portal"
    with running(commands[request.param], folder, url, settings, tmp_path / "output.txt"):
        browser = Browser(url)
        yield browser, match[1]
        browser.http.close()


@pytest.mark.parametrize("source", SOURCES)
def test_portals_are_short(source: str) -> None:
    assert len((EXAMPLES / source).read_text().splitlines()) < MAX_LINES


def test_an_example_portal(portal: tuple[Browser, str], service: Any, credentials: dict[str, str]) -> None:
    browser, api_key_id = portal
    assert leads_to_the_sign_in_page(browser.get("/"))

    refused = browser.submit("/login", "/login", **credentials | {"password": "a wrong password"})
    assert (refused.status_code, "wrong password" in refused.text) == (401, True)
    not_an_address = browser.submit("/login", "/login", **credentials | {"email": "grace"})
    assert (not_an_address.status_code, "wrong password" in not_an_address.text) == (401, True)

    sign_in(browser, credentials)
    assert "Signed in as" in browser.get("/").text
    assert leads_to_the_sign_in_page(browser.submit("/", "/logout"))
    assert leads_to_the_sign_in_page(browser.get("/"))

    sign_in(browser, credentials)
    with Client(base_url=service.url, api_key=service.printed("portal")) as client:
        client.sessions.log_out(token=browser.session_token())
    assert leads_to_the_sign_in_page(browser.get("/"))
    assert leads_to_the_sign_in_page(browser.submit("/login", "/logout"))

    sign_in(browser, credentials)
    logged_in = browser.get("/")
    service.run("api-key", "revoke", api_key_id)
    assert is_unavailable(browser.get("/"))
    for password in (credentials["password"], "a wrong password"):
        assert is_unavailable(browser.submit("/login", "/login", **credentials | {"password": password}))
    form = HiddenFields()
    form.feed(logged_in.text)
    assert is_unavailable(browser.send("POST", "/logout", **form.values))


def sign_in(browser: Browser, credentials: dict[str, str]) -> None:
    signed_in = browser.submit("/login", "/login", **credentials)
    assert (signed_in.status_code // 100, signed_in.headers["Location"]) == (3, "/")
    assert "Signed in as" in browser.get("/").text


def leads_to_the_sign_in_page(response: httpx.Response) -> bool:
    return (response.status_code // 100, response.headers.get("Location")) == (3, "/login")


def is_unavailable(response: httpx.Response) -> bool:
    assert "wrong password" not in response.text
    return response.status_code == 503 and "service unavailable" in response.text
