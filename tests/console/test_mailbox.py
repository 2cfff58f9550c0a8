"""Mailbox of the console in embedded mode, for browsers on the same machine only."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.mail.mailbox import Mailbox
from adapters.mail.mailbox_token import MailboxToken
from api.bootstrap import composition_root
from api.flask_application import create_app
from tests.adapters.test_mail_files import MAIL
from tests.adapters.test_mail_mailbox import write_mail
from tests.console.browsing import HTML
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.api.clients import ApiClients

LOCAL_URL = "http://127.0.0.1:8000"


@pytest.fixture
def service(clients: ApiClients, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The shared service with the settings of an unconfigured first start."""
    folder = tmp_path_factory.mktemp("data")
    settings = replace(clients.service.settings, data_dir=folder, public_url=LOCAL_URL, embedded=True)
    return replace(clients.service, settings=settings, mailbox=Mailbox(settings.mail_folder))


@pytest.fixture
def client(service: Service) -> Iterator[FlaskClient]:
    """A browser on the same machine that has opened the mailbox link."""
    with create_app(service).test_client() as client:
        assert service.mailbox
        opened = get(client, f"/mailbox?token={service.mailbox.token.read()}")
        assert (opened.status_code, opened.headers["Location"]) == (303, "/mailbox")
        yield client


def get(client: FlaskClient, path: str = "/mailbox", base_url: str = LOCAL_URL, **environment: str) -> TestResponse:
    headers = {"Accept": HTML, "Accept-Language": "en"}
    return client.get(path, base_url=base_url, headers=headers, environ_overrides=environment)


def test_mailbox_lists_mails_newest_first(client: FlaskClient, service: Service) -> None:
    """It also shows the mail folder and the setting for a mail server."""
    folder = service.settings.mail_folder
    older = write_mail(folder)
    newer = write_mail(
        folder, replace(MAIL, date=MAIL.date.replace(year=2027), company_name="<b>Bold</b>", language="en")
    )
    response = get(client)
    assert response.status_code == 200
    assert response.text.index(newer) < response.text.index(older)
    assert "&lt;b&gt;Bold&lt;/b&gt;" in response.text
    assert "<b>" not in response.text
    assert str(folder) in response.text
    assert "SUBUSERS_SMTP_URL" in response.text
    assert 'datetime="2027-11-16T20:15:00+00:00"' in response.text
    assert "correct horse battery" not in response.text


def test_empty_mailbox_shows_a_message(client: FlaskClient) -> None:
    assert "No emails yet" in get(client).text


def test_mail_is_shown_as_text_and_html(client: FlaskClient, service: Service) -> None:
    """The HTML is in a sandboxed frame that can only open links in a new tab."""
    mail_id = write_mail(service.settings.mail_folder)
    response = get(client, f"/mailbox/{mail_id}")
    assert "maria.rossi@example.com" in response.text
    assert "correct horse battery" in response.text  # the plain text; the HTML is in the frame
    assert f'src="/mailbox/{mail_id}/body"' in response.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in response.text
    body = get(client, f"/mailbox/{mail_id}/body")
    assert '<base target="_blank">' in body.text
    assert "correct horse battery" in body.text
    policy = dict(part.strip().partition(" ")[::2] for part in body.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert policy["frame-ancestors"] == "'self'"
    assert "script-src" not in policy
    assert body.headers["Cache-Control"] == "no-store"
    assert "unsafe-inline" not in response.headers["Content-Security-Policy"]


def test_menu_links_to_the_mailbox_only_for_local_browsers(client: FlaskClient) -> None:
    """The link is shown even before login."""
    assert 'href="/mailbox"' in get(client, "/login").text
    assert 'href="/mailbox"' not in get(client, "/login", REMOTE_ADDR="192.0.2.7").text


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("http://localhost:8000", "127.0.0.1"),
        ("http://LOCALHOST", "127.0.0.1"),
        ("http://[::1]:8000", "::1"),
        (LOCAL_URL, "127.0.0.53"),
        (LOCAL_URL, "::ffff:127.0.0.1"),
    ],
)
def test_mailbox_is_open_to_local_addresses(client: FlaskClient, service: Service, base_url: str, address: str) -> None:
    assert service.mailbox
    link = f"/mailbox?token={service.mailbox.token.read()}"
    assert get(client, link, base_url=base_url, REMOTE_ADDR=address).status_code == 303
    assert get(client, base_url=base_url, REMOTE_ADDR=address).status_code == 200


@pytest.mark.parametrize(
    "environment",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"REMOTE_ADDR": "::ffff:192.0.2.7"},
        {"REMOTE_ADDR": "2001:db8::1"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "unix:"},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_X_FORWARDED_FOR": ""},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"HTTP_X_FORWARDED_HOST": "localhost"},
        {"HTTP_X_FORWARDED_PROTO": "http"},
        {"HTTP_X_REAL_IP": "127.0.0.1"},
        {"HTTP_VIA": "1.1 proxy"},
        {"HTTP_HOST": "rebound.example"},
        {"HTTP_HOST": "127.0.0.1.rebound.example:8000"},
        {"HTTP_HOST": "localhost@rebound.example"},
        {"HTTP_HOST": "[::1"},
        {"HTTP_HOST": ""},
    ],
)
def test_mailbox_is_hidden_from_remote_and_proxied_clients(
    client: FlaskClient, service: Service, environment: dict[str, str]
) -> None:
    """It is also hidden if the Host header is foreign (DNS rebinding)."""
    mail_id = write_mail(service.settings.mail_folder)
    for path in ("/mailbox", f"/mailbox/{mail_id}", f"/mailbox/{mail_id}/body"):
        response = get(client, path, **environment)
        assert response.status_code == 404
        assert "maria.rossi" not in response.text
        assert "correct horse battery" not in response.text


@pytest.mark.parametrize("token", ["", "x", "\xe9", "\ud800", "A" * 43, None])
def test_mailbox_requires_its_token(service: Service, token: str | None) -> None:
    """Other users of the machine, and clients behind an undeclared proxy, have no token or a wrong one."""
    mail_id = write_mail(service.settings.mail_folder)
    with create_app(service).test_client() as client:
        if token is not None:
            response = client.get(
                "/mailbox", base_url=LOCAL_URL, query_string={"token": token.encode("utf-8", "replace")}
            )
            assert (response.status_code, "Set-Cookie" in response.headers) == (404, False)
            client.set_cookie("subusers-mailbox", token.encode("ascii", "replace").decode(), domain="127.0.0.1")
        for path in ("/mailbox", f"/mailbox/{mail_id}", f"/mailbox/{mail_id}/body"):
            response = get(client, path)
            assert response.status_code == 404
            assert "correct horse battery" not in response.text
        assert 'href="/mailbox"' not in get(client, "/login").text


def test_mailbox_token_does_not_admit_remote_clients(client: FlaskClient, service: Service) -> None:
    """The token is required in addition to a local address."""
    assert service.mailbox
    path = f"/mailbox?token={service.mailbox.token.read()}"
    assert get(client, path, REMOTE_ADDR="192.0.2.7").status_code == 404
    assert get(client, path, HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 404


def test_mailbox_token_moves_from_the_url_to_an_httponly_cookie(service: Service) -> None:
    assert service.mailbox
    with create_app(service).test_client() as client:
        response = get(client, f"/mailbox?token={service.mailbox.token.read()}")
    assert "token" not in response.headers["Location"]
    assert "HttpOnly" in response.headers["Set-Cookie"]
    assert "SameSite=Lax" in response.headers["Set-Cookie"]


def test_mailbox_token_is_shared_by_all_readers_and_private_to_the_user(tmp_path: Path) -> None:
    """The first reader creates the token, later readers return it. It does not appear in the repr."""
    file = tmp_path / "data" / "mailbox-token"
    tokens = run_concurrently([MailboxToken(file).read for _ in range(16)])
    (token,) = set(tokens)
    assert len(str(token)) == 43
    assert MailboxToken(file).read() == token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["mailbox-token"]
    assert str(token) not in repr(MailboxToken(file))


def test_mailbox_is_hidden_with_a_public_url(service: Service) -> None:
    """A public URL implies a server in between, even if it sends no proxy headers."""
    assert service.mailbox
    settings = replace(service.settings, public_url="https://portal.example")
    with create_app(replace(service, settings=settings)).test_client() as client:
        assert get(client).status_code == 404
        assert get(client, f"/mailbox?token={service.mailbox.token.read()}").status_code == 404


def test_mailbox_exists_only_in_embedded_mode_without_smtp(settings: Settings) -> None:
    for embedded, smtp_url in ((True, None), (True, "smtp://localhost"), (False, None), (False, "smtp://localhost")):
        service = composition_root.build(replace(settings, embedded=embedded, smtp_url=smtp_url))
        service.close()
        assert (service.mailbox is not None) == (embedded and smtp_url is None)


@pytest.mark.parametrize(
    "mail_id", ["20261117T000000Z-activation-0123456789abcdef", "..", "%2e%2e%2fx", "%00", "x" * 9000]
)
def test_unknown_mail_returns_404(client: FlaskClient, mail_id: str) -> None:
    for path in (f"/mailbox/{mail_id}", f"/mailbox/{mail_id}/body"):
        response = get(client, path)
        assert response.status_code == 404
        assert "Page not found" in response.text
