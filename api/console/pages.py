"""How a page is declared, shown, and left."""

from __future__ import annotations

import hashlib
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from markupsafe import Markup

from api.console import language, times
from api.console.cookies import BROWSER_TIME_ZONE, LANGUAGE, TIME_ZONE
from api.console.csrf import form_token
from api.console.notices import leave_notice, take_notice
from api.console.visitors import visitor
from api.http.doors import opens_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from api.console.visitors import Audience

View = TypeVar("View", bound="Callable[..., Any]")

STATIC = Path(__file__).parent / "static"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; "  # the style sheet has its icons inside
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing inline: neither a script nor a style (ASVS 3.4.3)."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",  # "no-referrer" would have browsers hide where a form comes from
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Pages(Blueprint):
    """The pages, each with the audience that it is for."""

    def page(self, path: str, to: frozenset[Audience], methods: tuple[str, ...] = ("GET",)) -> Callable[[View], View]:
        """Declare a page. The guard in `api.console.site` turns everybody else away."""

        def declare(view: View) -> View:
            cast("Any", view).audience = to
            self.add_url_rule(path, endpoint=view.__name__, view_func=opens_to()(view), methods=list(methods))
            return view

        return declare


site = Pages("console", __name__, template_folder="templates")


def show(template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:
    """Return a page made from a template, with what every template can use."""
    page = render_template(f"console/{template}", **values)
    return Response(page, status.value, headers=HEADERS, content_type="text/html; charset=utf-8")


def go(endpoint: str, *, told: str | None = None, about: dict[str, Any] | None = None, **values: Any) -> Response:
    """Lead the visitor to a page of ours, which tells what was done: `told` is the key of that text."""
    if told is not None:
        leave_notice(told, **(about or {}))
    return lead_to(url_for(f"console.{endpoint}", **values))


def lead_to(address: str) -> Response:
    """Lead the visitor to an address of ours; one that asked for a piece of a page gets the page there instead."""
    if "HX-Request" in request.headers:
        return Response(status=HTTPStatus.NO_CONTENT.value, headers={"HX-Redirect": address})
    return cast("Response", redirect(address, HTTPStatus.SEE_OTHER.value))


def visitor_language() -> str:
    """Return the language of the page that is being made."""
    if "language" not in g:
        known = g.visitor.of_account
        chosen = request.cookies.get(LANGUAGE.name)
        g.language = language.chosen_language(chosen, known.language if known else None, request.accept_languages)
    return cast("str", g.language)


def visitor_time_zone() -> ZoneInfo:
    """Return the time zone of the page that is being made: the visitor's choice, or the browser's."""
    if "time_zone" not in g:
        g.time_zone = times.time_zone(request.cookies.get(TIME_ZONE.name), request.cookies.get(BROWSER_TIME_ZONE))
    return cast("ZoneInfo", g.time_zone)


def say(key: str, /, **values: Any) -> str:
    """Return a text in the visitor's language."""
    return language.say(visitor_language(), key, **values)


def say_count(key: str, count: int, /, **values: Any) -> str:
    """Return a text about so many of something, in the visitor's language."""
    return language.say_count(visitor_language(), key, count, **values)


def when(moment: datetime) -> Markup:
    """Return a moment as the visitor writes it, marked up with what it is exactly."""
    written = times.written_moment(moment, visitor_language(), visitor_time_zone())
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(timespec="seconds"), written)


def asset(name: str) -> str:
    """Return the address of a static file: another one whenever its contents change, so that browsers may keep it."""
    return url_for("console.asset_file", version=_versions()[name], name=name)


@cache
def _versions() -> dict[str, str]:
    """Return a short digest of every static file, by its path."""
    return {
        str(file.relative_to(STATIC)): hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        for file in STATIC.rglob("*")
        if file.is_file()
    }


def _notice() -> str | None:
    left = take_notice()
    if left is None:
        return None
    try:
        return say(left[0], **left[1])
    except KeyError:  # it was left by another version of the pages
        return None


@site.app_context_processor
def _in_templates() -> dict[str, Any]:
    """Return what every template can use."""
    if "visitor" not in g:  # a page of another part of the service
        return {}
    spoken = visitor_language()
    return {
        "visitor": visitor(),
        "language": spoken,
        "languages": language.LANGUAGES,
        "time_zone": visitor_time_zone(),
        "say": partial(language.say, spoken),
        "say_count": partial(language.say_count, spoken),
        "when": when,
        "full_day": lambda day: times.written_day(day, spoken),
        "written_date": lambda day: times.written_date(day, spoken),
        "short_day": lambda day: times.short_day(day, spoken),
        "written_month": lambda day: times.written_month(day, spoken),
        "number": lambda number: times.written_number(number, spoken),
        "asset": asset,
        "form_token": form_token,
        "take_notice": _notice,
    }
