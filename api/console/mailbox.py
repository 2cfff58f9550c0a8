"""The mails that would have been sent, to be read where there is no mail server: on this machine alone."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Response, request
from werkzeug.exceptions import NotFound

from api.console.pages import show, site
from api.console.visitors import ANYBODY
from api.http.doors import service

if TYPE_CHECKING:
    from api.bootstrap import FiledMail, Mailbox

NAMES_OF_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
TOLD_BY_PROXIES = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")

BODY_POLICY = (
    "default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; "  # as mails have them: nothing else of this page is ours to style
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"  # a link leads to a new tab, which is a page like any other
)
"""A mail is shown, and can do nothing."""

LINKS_TO_NEW_TABS = '<head><base target="_blank">'


def is_open() -> bool:
    """Say whether there is a mailbox, and the visitor may look into it."""
    return service().mailbox is not None and _is_on_this_machine()


@site.page("/mailbox", to=ANYBODY)
def mailbox() -> Response:
    """List the mails, newest first."""
    return show("mailbox.html", active="mailbox", mails=_opened().newest(), folder=service().settings.mail_folder)


@site.page("/mailbox/<mail_id>", to=ANYBODY)
def mail(mail_id: str) -> Response:
    """Show a mail, as HTML and as plain text."""
    return show("mail.html", active="mailbox", mail=_mail(mail_id))


@site.page("/mailbox/<mail_id>/body", to=ANYBODY)
def mail_body(mail_id: str) -> Response:
    """Show a mail's HTML alone, for the frame that it is read in."""
    html = _mail(mail_id).html.replace("<head>", LINKS_TO_NEW_TABS, 1)
    headers = {"Content-Security-Policy": BODY_POLICY}
    return Response(html, headers=headers, content_type="text/html; charset=utf-8")


def _mail(mail_id: str) -> FiledMail:
    found = _opened().find(mail_id)
    if found is None:
        raise NotFound
    return found


def _opened() -> Mailbox:
    """Return the mailbox; to a visitor who may not look into it there is none."""
    opened = service().mailbox
    if opened is None or not _is_on_this_machine():
        raise NotFound
    return opened


def _is_on_this_machine() -> bool:
    """Say whether the visitor's browser runs where the service does, and no other server is in between.

    A name that only resolves to this machine is not enough: a page of anybody's could have such a name. Where the
    service is known to the outside by another name, there is a server in between that may not say so.
    """
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
        names = {urlsplit(f"//{request.headers.get('Host', '')}").hostname, service().settings.public_host}
    except ValueError:
        return False
    is_near = (getattr(address, "ipv4_mapped", None) or address).is_loopback
    return is_near and names <= NAMES_OF_THIS_MACHINE and not any(name in request.headers for name in TOLD_BY_PROXIES)
