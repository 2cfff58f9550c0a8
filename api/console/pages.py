"""Building blocks of the console's pages: blueprint, rendering, redirects, translation and template context."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from markupsafe import Markup, escape

from api.console.cookies import BROWSER_TIME_ZONE, LANGUAGE, THEME, TIME_ZONE
from api.console.csrf import csrf_token
from api.console.current_user import visitor
from api.console.flash import flash_message, pop_message
from api.http.authentication import requires_scopes, service
from api.presentation import times, translations
from application.display_text import isolate, remove_unprintable_except_layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from flask.blueprints import BlueprintSetupState

    from api.bootstrap.service import Branding
    from api.console.current_user import Audience

View = TypeVar("View", bound="Callable[..., Any]")

STATIC = Path(__file__).parent / "static"
ICONS = "vendor/lucide-1.62.0/icons.svg"
"""The sprite of icons. `tools/icon_sprite.py` adds others."""

THEMES = ("light", "dark")
ONE_DAY = timedelta(days=1)

CACHE_FOREVER = "public, max-age=31536000, immutable"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; font-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Forbids inline scripts and styles (ASVS 3.4.3)."""

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",  # "no-referrer" would make browsers send "Origin: null" with forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class ConsoleBlueprint(Blueprint):
    """Blueprint whose pages declare their audiences."""

    def page(
        self, path: str, audiences: frozenset[Audience], methods: tuple[str, ...] = ("GET",)
    ) -> Callable[[View], View]:
        """Register a page for these audiences. `api.console.blueprint` checks them before each request."""

        def decorate(view: View) -> View:
            cast("Any", view).audiences = audiences
            self.add_url_rule(path, endpoint=view.__name__, view_func=requires_scopes()(view), methods=list(methods))
            return view

        return decorate


blueprint = ConsoleBlueprint("console", __name__, template_folder="templates")


def render_page(template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:
    """Render a template as a response with the console's security headers."""
    page = render_template(f"console/{template}", **values)
    return Response(page, status.value, headers=SECURITY_HEADERS, content_type="text/html; charset=utf-8")


def redirect_to(
    endpoint: str, *, message: str | None = None, message_values: dict[str, Any] | None = None, **values: Any
) -> Response:
    """Redirect to a console page, which shows `message` (the key of a text) with `message_values` in it."""
    if message is not None:
        flash_message(message, message_values)
    return redirect_to_url(url_for(f"console.{endpoint}", **values))


def redirect_to_url(url: str) -> Response:
    """Redirect to a trusted URL. For htmx requests, make the browser load the whole page instead of a fragment."""
    if "HX-Request" in request.headers:
        return Response(status=HTTPStatus.NO_CONTENT.value, headers={"HX-Redirect": url})
    return cast("Response", redirect(url, HTTPStatus.SEE_OTHER.value))


def branding() -> Branding:
    """Return how the operator's product presents itself."""
    return service().settings.branding


def visitor_language() -> str:
    """Return the language of the current page: the visitor's choice, or the account's, or the browser's."""
    if "language" not in g:
        account = g.visitor.account_or_none
        preference = request.cookies.get(LANGUAGE.name)
        g.language = translations.resolve_language(
            preference, account.language if account else None, request.accept_languages
        )
    return cast("str", g.language)


def visitor_time_zone() -> ZoneInfo:
    """Return the time zone of the current page: the visitor's choice, or the browser's, or UTC."""
    if "time_zone" not in g:
        g.time_zone = times.time_zone(request.cookies.get(TIME_ZONE.name), request.cookies.get(BROWSER_TIME_ZONE))
    return cast("ZoneInfo", g.time_zone)


def t(key: str, /, **values: Any) -> str:
    """Return a text in the visitor's language. String values are isolated for bidirectional text."""
    return translations.translate_isolated(visitor_language(), key, **values)


def t_count(key: str, count: int, /, **values: Any) -> str:
    """Return a text in the visitor's language, in the singular or plural form that `count` needs."""
    return translations.translate_count(visitor_language(), key, count, **values)


def visitor_theme() -> str | None:
    """Return the theme that the visitor has chosen for this browser; None if pages follow the system's."""
    theme = request.cookies.get(THEME.name)
    return theme if theme in THEMES else None


def time_tag(moment: datetime) -> Markup:
    """Return a `<time>` element that shows a time in the visitor's language and time zone."""
    text = times.format_date_and_time(moment, visitor_language(), visitor_time_zone())
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(timespec="seconds"), text)


def short_time_tag(moment: datetime) -> Markup:
    """Return a `<time>` element like `time_tag`, with a shorter text for times near today."""
    language, zone = visitor_language(), visitor_time_zone()
    day, today = times.to_zone(moment, zone).date(), service().clock().astimezone(zone).date()
    time_of_day = times.format_time_of_day(moment, language, zone)
    if day in {today, today - ONE_DAY}:
        text = t("layout.today" if day == today else "layout.yesterday", time=time_of_day)
    elif day.year == today.year:
        text = f"{times.format_day_and_month(day, language)}, {time_of_day}"
    else:
        text = times.format_short_date(day, language)
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(timespec="seconds"), text)


def asset(name: str) -> str:
    """Return a static file's URL. It changes with the file's contents, so browsers can cache the file forever."""
    return url_for("console.asset_file", version=asset_versions()[name], name=name)


@cache
def icon(name: str) -> Markup:
    """Return an icon of the sprite. It is decorative: the text beside it, or a label, says what it means."""
    return Markup('<svg class="i" aria-hidden="true"><use href="{}#{}"/></svg>').format(asset(ICONS), name)


@cache
def asset_versions() -> dict[str, str]:
    """Return short digests of the static files, by path."""
    return {
        str(file.relative_to(STATIC)): hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        for file in STATIC.rglob("*")
        if file.is_file()
    }


@dataclass(frozen=True)
class ShownMessage:
    """A message as the page shows it: with the class of its notice, and the text of its link, if it has one."""

    text: str
    look: str
    next_url: str | None = field(repr=False)
    next_text: str


def _pop_shown_message() -> ShownMessage | None:
    message = pop_message()
    if message is None:
        return None
    try:
        return ShownMessage(
            t(message.text_name, **message.values),
            "done" if message.is_done else "warning",
            message.next_url,
            t(f"{message.text_name}_next") if message.next_url else "",
        )
    except KeyError:  # another release set the cookie
        return None


def exactly(text: str) -> Markup:
    """Return a text escaped but otherwise unchanged, unlike `display_value`: visitors copy it."""
    return escape(text)


def display_value(value: Any) -> Any:
    """Return a template value, with plain strings made safe to display. Jinja calls this on every output."""
    return remove_unprintable_except_layout(value) if type(value) is str else value


@blueprint.record_once
def _set_up_templates(setup: BlueprintSetupState) -> None:
    setup.app.jinja_env.finalize = display_value
    setup.app.jinja_env.filters |= {"exactly": exactly, "isolated": isolate}


@blueprint.app_context_processor
def _template_context() -> dict[str, Any]:
    """Return the values and functions that every template can use."""
    if "visitor" not in g:  # a template outside the console
        return {}
    language = visitor_language()
    return {
        "visitor": visitor(),
        "language": language,
        "languages": translations.LANGUAGES,
        "time_zone": visitor_time_zone(),
        "t": partial(translations.translate_isolated, language),
        "t_count": partial(translations.translate_count, language),
        "theme": visitor_theme(),
        "icon": icon,
        "time_tag": time_tag,
        "short_time_tag": short_time_tag,
        "place_name": partial(service().clients.place_name, language=language),
        "full_day": lambda day: times.format_full_date(day, language),
        "short_date": lambda day: times.format_short_date(day, language),
        "day_and_month": lambda day: times.format_day_and_month(day, language),
        "month_and_year": lambda day: times.format_month(day, language),
        "number": lambda number: times.format_number(number, language),
        "asset": asset,
        "csrf_token": csrf_token,
        "passkey_host": service().settings.passkey_host,
        "pop_message": _pop_shown_message,
    }
