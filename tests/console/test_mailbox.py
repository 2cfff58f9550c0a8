"""The mailbox: for whoever is at the machine itself, where there is no mail server, and for nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.mail.mailbox import Mailbox
from api import bootstrap
from api.http.app import create_app
from tests.adapters.test_mail_files import MAIL
from tests.adapters.test_mail_mailbox import written
from tests.console.browsing import HTML

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from api.bootstrap import Service
    from api.config import Settings
    from tests.api.callers import Doors

HERE = "http://127.0.0.1:8000"


@pytest.fixture
def service(doors: Doors, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Give the shared service as if it had been started with nothing configured."""
    folder = tmp_path_factory.mktemp("data")
    settings = replace(doors.service.settings, data_dir=folder, public_url=HERE, embedded=True)
    return replace(doors.service, settings=settings, mailbox=Mailbox(settings.mail_folder))


@pytest.fixture
def client(service: Service) -> Iterator[FlaskClient]:
    """Give a browser on the machine itself."""
    with create_app(service).test_client() as client:
        yield client


def look(client: FlaskClient, path: str = "/mailbox", base_url: str = HERE, **environment: str) -> TestResponse:
    headers = {"Accept": HTML, "Accept-Language": "en"}
    return client.get(path, base_url=base_url, headers=headers, environ_overrides=environment)


def test_it_lists_what_would_have_been_sent(client: FlaskClient, service: Service) -> None:
    """Newest first, with a plain word about where the mails are and how to have them sent."""
    folder = service.settings.mail_folder
    older = written(folder)
    newer = written(folder, replace(MAIL, date=MAIL.date.replace(year=2027), company_name="<b>Bold</b>", language="en"))
    shown = look(client)
    assert shown.status_code == 200
    assert shown.text.index(newer) < shown.text.index(older)
    assert "&lt;b&gt;Bold&lt;/b&gt;" in shown.text
    assert "<b>" not in shown.text
    assert str(folder) in shown.text
    assert "SUBUSERS_SMTP_URL" in shown.text
    assert 'datetime="2027-11-16T20:15:00+00:00"' in shown.text
    assert "correct horse battery" not in shown.text


def test_an_empty_one_says_so(client: FlaskClient) -> None:
    assert "No mail has been written yet" in look(client).text


def test_a_mail_is_shown_in_both_forms(client: FlaskClient, service: Service) -> None:
    """The HTML in a frame that can do nothing but open a link in a new tab."""
    mail_id = written(service.settings.mail_folder)
    shown = look(client, f"/mailbox/{mail_id}")
    assert "maria.rossi@example.com" in shown.text
    assert "correct horse battery" in shown.text  # the plain text; the HTML is in the frame
    assert f'src="/mailbox/{mail_id}/body"' in shown.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown.text
    body = look(client, f"/mailbox/{mail_id}/body")
    assert '<base target="_blank">' in body.text
    assert "correct horse battery" in body.text
    policy = dict(part.strip().partition(" ")[::2] for part in body.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert policy["frame-ancestors"] == "'self'"
    assert "script-src" not in policy
    assert body.headers["Cache-Control"] == "no-store"
    assert "unsafe-inline" not in shown.headers["Content-Security-Policy"]


def test_the_menu_has_it_where_it_is_open(client: FlaskClient) -> None:
    """Also before anybody has logged in."""
    assert 'href="/mailbox"' in look(client, "/login").text
    assert 'href="/mailbox"' not in look(client, "/login", REMOTE_ADDR="192.0.2.7").text


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("http://localhost:8000", "127.0.0.1"),
        ("http://LOCALHOST", "127.0.0.1"),
        ("http://[::1]:8000", "::1"),
        (HERE, "127.0.0.53"),
        (HERE, "::ffff:127.0.0.1"),
    ],
)
def test_it_is_open_to_the_machine_itself(client: FlaskClient, base_url: str, address: str) -> None:
    assert look(client, base_url=base_url, REMOTE_ADDR=address).status_code == 200


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
def test_it_is_there_for_nobody_else(client: FlaskClient, service: Service, environment: dict[str, str]) -> None:
    """Neither from another machine, nor through another server, nor by a name that somebody else has given us."""
    mail_id = written(service.settings.mail_folder)
    for path in ("/mailbox", f"/mailbox/{mail_id}", f"/mailbox/{mail_id}/body"):
        answer = look(client, path, **environment)
        assert answer.status_code == 404
        assert "maria.rossi" not in answer.text
        assert "correct horse battery" not in answer.text


def test_it_is_not_there_where_the_service_has_another_name(service: Service) -> None:
    """Then there is a server in between, whatever it says or does not say."""
    settings = replace(service.settings, public_url="https://portal.example")
    with create_app(replace(service, settings=settings)).test_client() as client:
        assert look(client).status_code == 404


def test_it_is_there_with_a_database_of_its_own_and_without_a_mail_server(settings: Settings) -> None:
    """And not otherwise."""
    for embedded, smtp_url in ((True, None), (True, "smtp://localhost"), (False, None), (False, "smtp://localhost")):
        service = bootstrap.build(replace(settings, embedded=embedded, smtp_url=smtp_url))
        service.close()
        assert (service.mailbox is not None) == (embedded and smtp_url is None)


@pytest.mark.parametrize(
    "mail_id", ["20261117T000000Z-activation-0123456789abcdef", "..", "%2e%2e%2fx", "%00", "x" * 9000]
)
def test_a_mail_that_there_is_not_is_not_found(client: FlaskClient, mail_id: str) -> None:
    for path in (f"/mailbox/{mail_id}", f"/mailbox/{mail_id}/body"):
        answer = look(client, path)
        assert answer.status_code == 404
        assert "Nothing here" in answer.text
