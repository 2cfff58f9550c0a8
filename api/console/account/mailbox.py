"""Mailbox for installations without a mail server: shows the mail files, but only to browsers on the same machine."""

from __future__ import annotations

import base64
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Response, request
from werkzeug.exceptions import NotFound

from api.console.cookies import MAILBOX, set_cookie
from api.console.current_user import EVERYONE
from api.console.pages import blueprint, branding, redirect_to, render_page
from api.http.authentication import service

if TYPE_CHECKING:
    from api.bootstrap.service import FiledMail, Mailbox

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
PROXY_HEADERS = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")

MAIL_BODY_POLICY = (
    "default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; "  # HTML mails have inline styles
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"  # links open in a new tab without the sandbox
)
"""Sandbox that shows a mail but lets it run no script, load nothing and send no form."""

LINKS_IN_NEW_TABS = '<head><base target="_blank">'


def can_read_mailbox() -> bool:
    """Return whether there is a mailbox and the visitor may read it."""
    local_mailbox = service().mailbox
    return (
        local_mailbox is not None
        and _is_local_request()
        and local_mailbox.token.matches(request.cookies.get(MAILBOX.name, ""))
    )


@blueprint.page("/mailbox", audiences=EVERYONE)
def mailbox() -> Response:
    """List the mails, newest first. The link printed when the service starts has the token that unlocks the page."""
    token = request.args.get("token")
    if token is not None:
        return _unlock(token)
    return render_page(
        "mailbox.html", active="mailbox", mails=_mailbox().newest(), folder=service().settings.mail_folder
    )


@blueprint.page("/mailbox/<mail_id>", audiences=EVERYONE)
def mail(mail_id: str) -> Response:
    """Show a mail, as HTML and as plain text."""
    return render_page("mail.html", active="mailbox", mail=_mail(mail_id))


@blueprint.page("/mailbox/<mail_id>/body", audiences=EVERYONE)
def mail_body(mail_id: str) -> Response:
    """Return the HTML part of a mail, for the frame in its page."""
    html = _mail(mail_id).html.replace("<head>", LINKS_IN_NEW_TABS, 1)
    if (logo := branding().logo) is not None:  # part of the mail, where the frame cannot load it from
        data_url = f"data:{logo.media_type};base64,{base64.b64encode(logo.content).decode()}"
        html = html.replace('src="cid:logo"', f'src="{data_url}"', 1)
    headers = {"Content-Security-Policy": MAIL_BODY_POLICY}
    return Response(html, headers=headers, content_type="text/html; charset=utf-8")


def _mail(mail_id: str) -> FiledMail:
    filed_mail = _mailbox().find(mail_id)
    if filed_mail is None:
        raise NotFound
    return filed_mail


def _unlock(token: str) -> Response:
    """Store the token in a cookie, and redirect to the URL without it. Raises `NotFound` if the token is wrong."""
    local_mailbox = service().mailbox
    if local_mailbox is None or not _is_local_request() or not local_mailbox.token.matches(token):
        raise NotFound
    set_cookie(MAILBOX, token)
    return redirect_to("mailbox")


def _mailbox() -> Mailbox:
    """Return the mailbox. Raises `NotFound` if there is none or the visitor may not read it."""
    local_mailbox = service().mailbox
    if local_mailbox is None or not can_read_mailbox():
        raise NotFound
    return local_mailbox


def _is_local_request() -> bool:
    """Return whether the browser runs on the service's machine and connects to it directly.

    The Host header must be a local name, because any site's domain can resolve to 127.0.0.1 (DNS rebinding). The public
    URL must be local, too: otherwise there is a reverse proxy, which may send none of `PROXY_HEADERS`.
    """
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
        hosts = {urlsplit(f"//{request.headers.get('Host', '')}").hostname, service().settings.public_host}
    except ValueError:
        return False
    is_loopback = (getattr(address, "ipv4_mapped", None) or address).is_loopback
    return is_loopback and hosts <= LOCAL_HOSTS and not any(name in request.headers for name in PROXY_HEADERS)
