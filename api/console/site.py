"""The console: pages for people, served beside the HTTP interface and on top of the same commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, current_app, g, request, send_from_directory, url_for

from api.console import (
    account,
    colleagues,
    console_link,
    demo,
    error_pages,
    login,
    mailbox,
    monitoring,
    own_password,
    preferences,
    profile,
    sub_user_add,
    sub_user_delete,
    sub_user_edit,
    sub_user_list,
    sub_user_page,
    sub_user_send_again,
    usage,
)
from api.console.cookies import SESSION
from api.console.csrf import require_form_token
from api.console.pages import STATIC, lead_to, site
from api.console.problems import not_for_you
from api.console.visitors import ANYBODY, NOBODY_KNOWN, Audience, recognize, visitor

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.wrappers import Response as AnyResponse

PAGES = (
    account,
    colleagues,
    console_link,
    demo,
    error_pages,
    login,
    mailbox,
    monitoring,
    own_password,
    preferences,
    profile,
    sub_user_add,
    sub_user_delete,
    sub_user_edit,
    sub_user_list,
    sub_user_page,
    sub_user_send_again,
    usage,
)
"""Every module with pages: importing it declares them."""

ASSETS = "console.asset_file"
FOR_GOOD = "public, max-age=31536000, immutable"
LARGEST_FORM = 256 * 1024
"""Bytes: several times what any form here can hold, and little enough to be read at once."""


def add_console(app: Flask) -> None:
    """Put the pages beside the other routes."""
    app.register_blueprint(site)


@site.before_request
def _turn_away() -> AnyResponse | None:
    """Let a request through to its page only if that is for whom it comes from."""
    g.visitor = NOBODY_KNOWN
    if request.endpoint == ASSETS:
        return None
    request.max_content_length = LARGEST_FORM
    g.visitor = recognize()
    audience: frozenset[Audience] = getattr(current_app.view_functions[request.endpoint or ""], "audience", frozenset())
    is_for_them = visitor().audience in audience
    has_ended = not visitor().is_known and SESSION.name in request.cookies
    if request.method not in {"GET", "HEAD"} and (is_for_them or not has_ended):  # its forms have ended with a session
        require_form_token()
    if is_for_them:
        return None
    if visitor().audience is Audience.NOBODY_KNOWN:
        told = "ended" if has_ended else "first"
        came_for = request.full_path.rstrip("?") if request.method == "GET" else None
        return lead_to(url_for("console.login", why=told, next=came_for))
    if visitor().audience is Audience.RESTRICTED:
        return lead_to(url_for("console.own_password"))
    raise not_for_you()


@site.page("/", to=ANYBODY)
def start() -> Response:
    """Lead everybody to where their day begins."""
    pages = {Audience.OWNER: "sub_users", Audience.SUB_USER: "profile", Audience.RESTRICTED: "own_password"}
    return lead_to(url_for(f"console.{pages.get(visitor().audience, 'login')}"))


@site.page("/assets/<version>/<path:name>", to=ANYBODY)
def asset_file(version: str, name: str) -> Response:  # noqa: ARG001  # it is there to make the address another one
    """Give a style sheet, a script or an icon."""
    response = send_from_directory(STATIC, name)
    response.headers["Cache-Control"] = FOR_GOOD
    return response


@site.app_context_processor
def _of_mailbox() -> dict[str, Any]:
    """Return whether there is a mailbox to look into."""
    return {"has_mailbox": mailbox.is_open}
