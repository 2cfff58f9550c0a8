"""The console: HTML pages on top of the same commands and queries as the HTTP API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flask import Response, current_app, g, request, send_from_directory, url_for

from api.console import branding, demo, error_pages
from api.console.account import coworkers, devices, mailbox, preferences, profile, settings, sign_in_security, usage
from api.console.batches import bulk, import_people
from api.console.compression import compress_page, compressed_file
from api.console.cookies import SESSION
from api.console.csrf import require_csrf_token
from api.console.current_user import ANONYMOUS, EVERYONE, Audience, authenticate_visitor, visitor
from api.console.grants import give_role, take_away_role
from api.console.grants import overview as grant_overview
from api.console.monitoring import export, monitoring_page
from api.console.pages import CACHE_FOREVER, STATIC, asset_versions, blueprint, redirect_to_url
from api.console.problems import wrong_audience
from api.console.roles import delete as delete_role
from api.console.roles import editor
from api.console.roles import overview as role_overview
from api.console.sign_in import (
    console_link,
    email_links,
    forgotten_password,
    login,
    mailed_link,
    own_password,
    passkey_login,
    second_factor,
)
from api.console.sub_users import (
    activation,
    add,
    delete,
    details,
    edit,
    end_sessions,
    overview,
    reset_second_factors,
    send_again,
)
from api.console.sub_users import export as export_sub_users
from application.request_deadlines import database_seconds

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.wrappers import Response as AnyResponse

PAGES = (
    branding,
    export_sub_users,
    settings,
    coworkers,
    devices,
    console_link,
    email_links,
    demo,
    error_pages,
    forgotten_password,
    login,
    mailbox,
    mailed_link,
    export,
    monitoring_page,
    own_password,
    preferences,
    profile,
    sign_in_security,
    passkey_login,
    second_factor,
    activation,
    add,
    bulk,
    delete,
    delete_role,
    edit,
    end_sessions,
    editor,
    give_role,
    grant_overview,
    import_people,
    overview,
    role_overview,
    details,
    take_away_role,
    reset_second_factors,
    send_again,
    usage,
)
"""The modules whose import registers pages."""

ASSET_ENDPOINT = "console.asset_file"
MAX_FORM_BYTES = 256 * 1024
"""Several times the size of the largest form, and small enough to read into memory."""


def add_console(app: Flask) -> None:
    """Register the console's pages."""
    app.register_blueprint(blueprint)


@blueprint.before_request
def _check_access() -> AnyResponse | None:
    """Identify the visitor, and admit the request only if the page is for their audience.

    Visitors without a session are redirected to the login, sub-users with a temporary password to the password page,
    and people who need a second factor to its page.
    Raises `Problem` for other audiences, and for forms without a valid CSRF token.
    """
    g.started_at, g.database_seconds = time.perf_counter(), database_seconds()
    g.visitor = ANONYMOUS
    if request.endpoint == ASSET_ENDPOINT:
        return None
    request.max_content_length = MAX_FORM_BYTES
    g.visitor = authenticate_visitor()
    view = current_app.view_functions[request.endpoint or ""]
    audiences: frozenset[Audience] = getattr(view, "audiences", frozenset())
    is_allowed = visitor().audience in audiences
    is_form = request.method not in {"GET", "HEAD"}
    # A form that is not for the visitor has no effect. After the end of the session, of which browsers may keep no
    # cookie, it leads to the login instead of a refused CSRF token.
    if is_form and (is_allowed or visitor().audience is not Audience.ANONYMOUS):
        require_csrf_token()
    if is_allowed:
        return None
    if visitor().audience is Audience.ANONYMOUS:
        reason = "ended" if is_form or SESSION.name in request.cookies else "first"
        next_url = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect_to_url(url_for("console.login_form", why=reason, next=next_url))
    if visitor().audience is Audience.STEP_UP:
        next_url = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect_to_url(url_for("console.second_factor", next=next_url))
    if visitor().audience is Audience.RESTRICTED:
        return redirect_to_url(url_for("console.own_password"))
    raise wrong_audience()


@blueprint.after_request
def _compress(response: AnyResponse) -> AnyResponse:
    return compress_page(response)


@blueprint.after_request
def _add_server_timing(response: Response) -> Response:
    """Tell how long a page of a logged-in visitor took, and how long the database.

    Other responses have no such header: the time of a refused login depends on why it was refused.
    """
    if request.method == "GET" and "visitor" in g and visitor().is_logged_in and not response.is_streamed:
        total, in_database = time.perf_counter() - g.started_at, database_seconds() - g.database_seconds
        response.headers["Server-Timing"] = f"total;dur={1000 * total:.1f}, db;dur={1000 * in_database:.1f}"
    return response


@blueprint.after_request
def _hide_referrer(response: Response) -> Response:
    """Keep URLs with the secret of a link out of Referer headers."""
    if "secret" in (request.view_args or {}):
        response.headers["Referrer-Policy"] = "no-referrer"
    return response


@blueprint.page("/", audiences=EVERYONE)
def start() -> Response:
    """Redirect to the start page of the visitor's audience."""
    pages = {
        Audience.OWNER: "sub_users",
        Audience.SUB_USER: "profile",
        Audience.RESTRICTED: "own_password",
        Audience.STEP_UP: "second_factor",
    }
    return redirect_to_url(url_for(f"console.{pages.get(visitor().audience, 'login_form')}"))


@blueprint.page("/assets/<version>/<path:name>", audiences=EVERYONE)
def asset_file(version: str, name: str) -> Response:
    """Return a static file: a style sheet, a script, a font or an icon. Browsers cache each version forever."""
    response = compressed_file(name) or send_from_directory(STATIC, name)
    # During an update, a process of the other release can be asked for a version that it does not have.
    is_current = asset_versions().get(name) == version
    response.headers["Cache-Control"] = CACHE_FOREVER if is_current else "no-cache"
    response.vary.add("Accept-Encoding")
    return response


@blueprint.app_context_processor
def _mailbox_context() -> dict[str, Any]:
    return {"has_mailbox": mailbox.can_read_mailbox}
